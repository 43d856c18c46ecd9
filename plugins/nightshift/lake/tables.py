"""Publish a landed night to its Delta table: read, cast, check, and replace exactly that night in one atomic commit.

Import it in a running task only: it loads Arrow and Delta, which do not survive a fork of the process.
"""

from __future__ import annotations

import gc
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from deltalake.transaction import AddAction

from nightshift.lake.checks import CheckResult, Counts, failed, judge
from nightshift.lake.delta import Moved, NightTable, Replacement
from nightshift.lake.errors import CastError, Contended, SchemaDrift, Unsound
from nightshift.lake.manifest import Manifest
from nightshift.lake.pages import LandedPages
from nightshift.lake.published import PublishedNight, published_night
from nightshift.lake.snapshot import CommitNote, Snapshot, microseconds_of
from nightshift.lake.spec import Column, PublishSpec
from nightshift.lake.staging import StagedFile, Stager, rows_by_night
from nightshift.lake.store import Lake
from nightshift.lake.typed_rows import TypedRows

__all__ = [
    "CastError", "Published", "PublishedNight", "SchemaDrift", "Unsound", "night_rows", "publish", "published_night", "table_schema",
]  # fmt: skip

FORMAT = 1
CASTS = 5
Say = Callable[[str], object]


@dataclass(frozen=True)
class Published:
    """What a publish did.

    :param rows: rows in the table for the nights that were replaced
    :param bytes: size of their files
    :param version: version of the table that has them
    :param duplicates: rows dropped because one before was identical
    :param outside: rows dropped because they are of other nights
    :param nights: rows by night
    :param added: columns that the table did not have
    :param checks: the verdicts
    :param already: the table had exactly this content before; nothing was committed
    """

    rows: int
    bytes: int
    version: int
    duplicates: int
    outside: int
    nights: Mapping[str, int]
    added: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    already: bool = False


def publish(
    lake: Lake, manifest: Manifest, spec: PublishSpec, *, force: bool = False, say: Say = lambda text: None
) -> Published:
    """Publish a landed night. Blocks; memory is flat whatever the size of the night, ``TMPDIR`` holds its Parquet files.

    The nights that are replaced are ``spec.nights``, else the night of the extract, all in one commit. A night without rows
    replaces what was there by nothing; the table is made if it is missing, with the columns that are known.

    :param lake: where landing and tables are
    :param manifest: the extract to publish
    :param spec: how
    :param force: commit again even if the table has exactly this content
    :param say: takes a line of progress
    :raises Damaged: a landed page is not what was received
    :raises UnreadablePage: a page is not JSON or CSV
    :raises CastError: a value does not fit its column
    :raises SchemaDrift: columns do not fit the table, and ``schema_rules`` do not allow it
    :raises Unsound: checks failed; the table is as it was
    :raises Contended: other writers came first each time
    """
    publishing = _Publishing(lake, manifest, spec, say)
    for _ in range(CASTS):
        before = publishing.table.snapshot()
        if before is not None and not force and before.holds(publishing.content, dict.fromkeys(publishing.nights)):
            return publishing.already(before)
        try:
            with _without_collector():
                return publishing.run(before)
        except Moved as column:
            say(f"Another writer gave the column {column} a type meanwhile; casting again")
    raise Contended(
        f"{publishing.table.name}: the columns changed {CASTS} times meanwhile. Nothing was committed; publish again."
    )


def night_rows(lake: Lake, source: str, report: str, nights: Iterable[str] | None = None) -> dict[str, int]:
    """Return how many rows each night has in the table, from its log alone; no data is read.

    :param nights: the nights to tell; those that the table does not have have 0 rows. ``None``: those that it has
    """
    snapshot = NightTable(lake, source, report).snapshot()
    found = snapshot.nights() if snapshot is not None else {}
    return found if nights is None else {night: found.get(night, 0) for night in nights}


def table_schema(lake: Lake, source: str, report: str) -> list[Column] | None:
    """Return the columns of a report's table but ``night``; ``None`` where there is no table."""
    snapshot = NightTable(lake, source, report).snapshot()
    return snapshot.columns if snapshot is not None else None


class _Publishing:
    def __init__(self, lake: Lake, manifest: Manifest, spec: PublishSpec, say: Say) -> None:
        self.lake = lake
        self.manifest = manifest
        self.spec = spec
        self.say = say
        self.nights = sorted(spec.nights or (manifest.night,))
        self.table = NightTable(lake, manifest.source, manifest.report)
        self.content = content_of(manifest, spec)

    def run(self, before: Snapshot | None) -> Published:
        began = time.monotonic()
        rows = TypedRows(
            LandedPages(self.lake, self.manifest, self.spec.data_key),
            self.manifest,
            self.spec,
            before.columns if before else None,
        )
        with closing(rows.stage(self.nights)) as stager:
            self.say(f"{stager.read} rows read and cast in {time.monotonic() - began:.1f} s")
            files, checks, counts = self._checked(stager, before)
            columns = rows.columns
            had = {column.name for column in before.columns} if before else set()
            added = tuple(column.name for column in columns if column.name not in had)
            note = CommitNote(
                content=f"{self.content:016x}",
                extract=self.manifest.extract,
                nights=dict(counts.nights),
                duplicates=counts.duplicates,
                outside=counts.outside,
                checks=tuple((check.name, check.ok, check.detail) for check in checks),
            )
            adds = self._upload(files)
            self.say(f"{len(adds)} files are in place, not yet part of the table")
        try:
            version = self.table.replace(
                Replacement(self.content, counts.nights, adds, columns, microseconds_of(self.manifest.finished), note)
            )
        except (Moved, Contended):
            self._withdraw(adds)
            raise
        size = sum(add.size for add in adds)
        self.say(f"Version {version} of {self.table.name} has {counts.published} rows in {', '.join(self.nights)}")
        return Published(
            counts.published, size, version, counts.duplicates, counts.outside, counts.nights, added, tuple(checks)
        )

    def already(self, now: Snapshot) -> Published:
        note = now.note(self.nights[0])
        here = now.nights()
        nights = {night: here.get(night, 0) for night in self.nights}
        self.say(f"Version {now.version} of {self.table.name} has exactly this extract already; nothing to do")
        checks = tuple(CheckResult(*check) for check in note.checks) if note else ()
        duplicates, outside = (note.duplicates, note.outside) if note else (0, 0)
        return Published(
            sum(nights.values()), now.size_of(self.nights), now.version, duplicates, outside, nights, (), checks, True
        )

    def _checked(
        self, stager: Stager, before: Snapshot | None
    ) -> tuple[Sequence[StagedFile], list[CheckResult], Counts]:
        files, key = stager.finish()
        counts = Counts(stager.read, key.identical, stager.outside, rows_by_night(files, self.nights))
        checks = judge(self.manifest, self.spec, counts, key, before.nights() if before else {})
        if stager.undated:
            detail = (
                f"{stager.undated} rows have no value in {self.spec.night_column!r}, so no night; correct night_column"
            )
            checks.append(CheckResult("night_column", False, detail))
        for check in checks:
            self.say(f"{'holds' if check.ok else 'FAILS'}: {check.name}: {check.detail}")
        if text := failed(checks):
            raise Unsound(
                f"{self.table.name}, night {', '.join(self.nights)}: {text}. Nothing was published: the table is as it was, "
                f"and the landed extract {self.manifest.extract} is kept."
            )
        return files, checks, counts

    def _upload(self, files: Sequence[StagedFile]) -> list[AddAction]:
        import obstore

        attempt, adds = secrets.token_hex(4), []
        for number, staged in enumerate(files, 1):
            if not staged.rows:
                continue
            path = f"night={staged.night}/{self.content:016x}-{attempt}-{number:05d}.parquet"
            staged.file.seek(0)
            obstore.put(self.table.objects(), path, staged.file, mode="overwrite")
            stats = json.dumps({"numRecords": staged.rows})
            adds.append(AddAction(path, staged.size, {"night": staged.night}, int(time.time() * 1000), True, stats))
        return adds

    def _withdraw(self, adds: Sequence[AddAction]) -> None:
        import obstore

        if adds:
            obstore.delete(self.table.objects(), [add.path for add in adds])


def content_of(manifest: Manifest, spec: PublishSpec) -> int:
    """Return the identity of what an extract becomes under a specification, 62 bits of a digest.

    Checks that only judge are no part of it, nor are the rules about columns: what they let through is the same.
    """
    shape = spec.model_dump_json(exclude={"checks": {"vendor_totals", "not_empty", "band"}, "schema_rules": True})
    model = [column.model_dump() for column in manifest.model or ()]
    parts = json.dumps([FORMAT, manifest.extract, manifest.night, manifest.format, manifest.sha256, shape, model])
    return int.from_bytes(hashlib.sha256(parts.encode()).digest()[:8], "big") >> 2


@contextmanager
def _without_collector() -> Iterator[None]:
    """Let the garbage collector rest: rows are made by the million, and none of them is part of a cycle."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
