"""What an extract says of itself: its progress while it is underway, and the manifest that makes it complete."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import msgspec
from pydantic import Field, ValidationError, model_validator

from nightshift.fields import Day, Frozen
from nightshift.lake.commit_note import iso_of, microseconds_of
from nightshift.lake.errors import Damaged
from nightshift.lake.spec import Column
from nightshift.redaction import redact_words

if TYPE_CHECKING:
    import zstandard

CHARSET = "charset"
"""Note: the character set in which the extract has read its CSV; utf-8 where there is none."""
DELIMITER, QUOTE, DATA_KEY = "delimiter", "quote", "data_key"
"""Notes: how the extract has read its pages, where that is not the usual way."""
ON_TWO_PAGES = "rows_on_two_pages"
"""Note: rows that came on two pages, in two walks alike, so that they are the report's own."""
CLAIMED_ROWS = "vendor_rows_told"
"""Note: the vendor's row count, where more rows came to the end of the walk: it is told, not trusted."""
BEGUN = "begun"
"""Note: when what the extract was made of was asked for, ISO 8601, where another extract has done that."""
ASKED = "asked"
"""Note: digest of what the configuration asked for, see :func:`asked_digest`."""
Format = Literal["json", "csv"]

MOST_WORDS = 300
"""Characters of what was asked for that a message has."""
Count = Annotated[int, Field(ge=0)]
Text = bytes  # as a type, in a model with a field of that name
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PageEntry(Frozen):
    """A landed object: a page of a report, or a part of a big download.

    :param number: from 1, without gaps
    :param name: name of the object in its folder
    :param rows: rows in it, a header line not counted
    :param bytes: size as received, before compression
    :param sha256: digest of the bytes as received
    """

    number: int = Field(ge=1)
    name: str = Field(pattern=r"^page-\d{5,}\.(json|csv)\.zst$")
    rows: Count
    bytes: Count
    sha256: Digest


class VendorTotals(Frozen):
    """What the vendor itself says of the whole report, where it does.

    :param rows: number of rows
    :param pages: number of pages
    """

    rows: Count | None = None
    pages: Count | None = None


def digest_of(entries: Iterable[PageEntry]) -> str:
    """Return the digest of an extract: over the digests of its pages, in order."""
    whole = hashlib.sha256()
    for entry in entries:
        whole.update(bytes.fromhex(entry.sha256))
    return whole.hexdigest()


class Manifest(Frozen):
    """What an extract brought home.

    :param source: connection type of the source
    :param report: name of the report
    :param night: the night, ``YYYY-MM-DD``
    :param extract: name of the extract's folder
    :param connection: id of the connection, never what it holds
    :param attempt: number of the attempt that completed it
    :param started: when the first attempt began, ISO 8601
    :param finished: when the last page was there, ISO 8601
    :param format: ``json`` or ``csv``
    :param window: what was asked for, as the source words it
    :param request: parameters of the request, no secrets
    :param rows: rows in all pages
    :param pages: number of pages
    :param bytes: size of all pages as received
    :param sha256: see :func:`digest_of`
    :param vendor_totals: the vendor's own counts
    :param model: the vendor's data model, where it has one
    :param entries: the pages, in order
    :param notes: what else the source wants to be known
    """

    version: Literal[1] = 1
    source: str
    report: str
    night: Day
    extract: str
    connection: str
    attempt: int = Field(ge=0)
    started: str
    finished: str
    format: Format
    window: dict[str, Any] = Field(default_factory=dict)
    request: dict[str, Any] = Field(default_factory=dict)
    rows: Count
    pages: Count
    bytes: Count
    sha256: Digest
    vendor_totals: VendorTotals = VendorTotals()
    model: list[Column] | None = None
    entries: tuple[PageEntry, ...] = ()
    notes: dict[str, str | int] = Field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """The report, ``<source>/<report>``."""
        return f"{self.source}/{self.report}"

    @classmethod
    def of(cls, entries: Iterable[PageEntry], **fields: Any) -> Self:
        """Return the manifest of these pages: they are put in order, and rows, pages, bytes and digest follow from
        them.

        :param entries: the pages, in any order
        :param fields: everything else
        :raises pydantic.ValidationError: a field is missing or wrong, or the pages are not 1 to n
        """
        ordered = tuple(sorted(entries, key=lambda entry: entry.number))
        return cls(
            **fields,
            entries=ordered,
            rows=sum(entry.rows for entry in ordered),
            pages=len(ordered),
            bytes=sum(entry.bytes for entry in ordered),
            sha256=digest_of(ordered),
        )

    @property
    def asked(self) -> str:
        """Digest of what the configuration asked for; empty where an earlier version landed it."""
        return str(self.notes.get(ASKED, ""))

    @property
    def asked_as(self) -> str:
        """What was asked for, for people; without secrets."""
        told = ", ".join(f"{name} {value}" for name, value in self.request.items() if value)
        return redact_words(f"connection {self.connection}{told and f', {told}'}", MOST_WORDS)

    @property
    def begun(self) -> str:
        """From when on the vendor was asked for what it holds, ISO 8601: what came to be after that it may lack.

        That is when the extract was started, or before that, where the vendor had made a file by then.
        """
        moments = [self.started, self.finished, str(self.notes.get(BEGUN, ""))]
        return min(moments, key=lambda one: (microseconds_of(one) is None, microseconds_of(one)))

    @model_validator(mode="after")
    def _adds_up(self) -> Manifest:
        numbers = [entry.number for entry in self.entries]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(f"the pages are not 1 to n, but {', '.join(map(str, numbers[:20]))}")
        stated = (self.rows, self.pages, self.bytes, self.sha256)
        counted = (
            sum(entry.rows for entry in self.entries),
            len(self.entries),
            sum(entry.bytes for entry in self.entries),
            digest_of(self.entries),
        )
        if stated != counted:
            raise ValueError(f"rows, pages, bytes and digest are {stated}, the pages add up to {counted}")
        return self

    def to_json(self) -> Text:
        """Return the manifest as the text of its object."""
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def from_json(cls, text: Text, where: str) -> Self:
        """Read a manifest.

        :param where: the object it came from, for the message
        :raises Damaged: not a manifest, or of a version that is not known
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise Damaged(
                f"{where} is not a manifest of version 1: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
                "Nothing was published from it. Extract the night again, or restore the object."
            ) from None


def compressor() -> zstandard.ZstdCompressor:
    """Return a compressor of landed pages, for one thread at a time.

    Any higher level of zstd costs more time than the network gives back. Tables that stay in a core's first cache make
    this one a quarter cheaper than it is by itself, and rows of CSV and JSON no larger.
    """
    import zstandard

    settings = zstandard.ZstdCompressionParameters.from_level(
        1, window_log=17, hash_log=12, min_match=7, write_checksum=True
    )
    return zstandard.ZstdCompressor(compression_params=settings)


def page_name(number: int, kind: Format) -> str:
    """Return the name of a page's object."""
    return f"page-{number:05d}.{kind}.zst"


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an extract needs to go on where an interrupted attempt stopped; kept in the task state store until it is
    complete.

    :param extract: name of the extract's folder
    :param night: the night
    :param started: when the first attempt began, ISO 8601
    :param plan: what the source decided at the start and must not decide anew, for instance its window
    :param after: when the newest extract of the night was finished as this one began, ISO 8601; empty where there was
        none. By the clock of another worker, so it may be to come
    :param asked: digest of what was asked for, see :func:`asked_digest`; empty before it is known, and of a release
        that kept none
    :param begun: when the folder was begun, before anything was landed there, ISO 8601; empty of a release that kept
        none
    """

    extract: str
    night: str
    started: str
    plan: dict[str, Any]
    after: str = ""
    asked: str = ""
    begun: str = ""

    def is_older(self, hours: float) -> bool:
        """Say whether pages in the folder may have landed longer ago than that, by the clock of this worker."""
        begun, now = microseconds_of(self.begun), microseconds_of(datetime.now(UTC).isoformat())
        return begun is None or now is None or now - begun > hours * 3_600_000_000


def asked_digest(asked: Mapping[str, Any]) -> str:
    """Return a digest of what was asked for: equal for equal names and values, in whatever order the names are."""
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()


def now_after(finished: str) -> str:
    """Return when an extract is finished that is finished now, ISO 8601: later than another one, also where the clock
    of its worker was ahead.

    :param finished: when the other one was, ISO 8601; empty where there is none
    """
    now, before = datetime.now(UTC), microseconds_of(finished)
    at = microseconds_of(now.isoformat())
    return now.isoformat() if before is None or at is None or at > before else iso_of(before + 1)


def describe(manifest: Manifest, seconds: float) -> dict[str, Any]:
    """Return the small description of an extract that goes to the next task."""
    names = ("source", "report", "night", "extract", "rows", "pages", "bytes", "sha256")
    return {**{name: getattr(manifest, name) for name in names}, "seconds": round(seconds, 1)}
