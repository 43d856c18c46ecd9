"""What a publish would change, found out by doing all of it but the commit: read, cast, checked, and put beside what
the table has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from nightshift.fields import night_of
from nightshift.lake.checks import CheckResult
from nightshift.lake.extract import Manifest
from nightshift.lake.foreign import refuse_foreign, stored_by
from nightshift.lake.snapshot import Snapshot
from nightshift.lake.spec import NIGHT, PublishSpec
from nightshift.lake.staging import StagedFile, batches_of
from nightshift.lake.store import Lake
from nightshift.lake.summary import ColumnSummary, Summary, summary_of
from nightshift.lake.tables import Look, Publishing, Say, without_collector
from nightshift.lake.widening import Retyped
from nightshift.redaction import redact

ROWS = 16_384


@dataclass(frozen=True)
class ColumnDifference:
    """A column of a night that would be another one.

    :param before: as it is in the table; ``None``: the night has no such column
    :param now: as it would be; likewise
    """

    name: str
    before: ColumnSummary | None
    now: ColumnSummary | None


@dataclass(frozen=True)
class NightDifference:
    """What would change in a night.

    :param rows_before: its rows in the table; ``None``: it was never published
    :param rows_now: as they would be
    :param is_same: the same rows, to the last value
    :param columns: those that would be others
    :param kept: the table has an extract that was finished later, with when, ISO 8601: the night would stay as it is
    :param unread: why the night cannot be read in the table, of which a file is gone or broken; else empty
    """

    night: str
    rows_before: int | None
    rows_now: int
    is_same: bool
    columns: tuple[ColumnDifference, ...] = ()
    kept: str | None = None
    unread: str = ""

    @property
    def changes(self) -> bool:
        """Whether a publish would change anything of the night."""
        return self.kept is None and not (self.is_same and self.rows_before is not None)


@dataclass(frozen=True)
class Rehearsal:
    """What one publish would change.

    :param extract: the extract
    :param nights: each of its nights
    :param checks: the verdicts, all of which hold
    :param added: columns that the table does not have
    :param retyped: columns that would get another type, in all nights
    """

    extract: str
    nights: tuple[NightDifference, ...]
    checks: tuple[CheckResult, ...] = ()
    added: tuple[str, ...] = ()
    retyped: Sequence[Retyped] = field(default_factory=tuple)

    @property
    def changes(self) -> bool:
        """Whether a publish would change anything."""
        return any(night.changes for night in self.nights)


def rehearse(
    lake: Lake,
    manifest: Manifest,
    spec: PublishSpec,
    *,
    say: Say = lambda text: None,
    look: Look = lambda table: (),
) -> Rehearsal:
    """Do all of a publish but the commit, and compare. Blocks; the lake is only read, ``TMPDIR`` holds the files.

    :raises Exception: what :func:`nightshift.lake.tables.publish` would raise
    """
    publishing = Publishing(lake, manifest, spec, say=say)
    before = publishing.table.snapshot()
    named = look(before)
    if before is not None:
        refuse_foreign(publishing.table.name, before)
    stored = stored_by(before.fields if before else ())
    with without_collector(), publishing.cast(before, stored, named) as cast:
        nights = tuple(
            _difference(night, before, [file for file in cast.files if file.night == night], cast.kept)
            for night in publishing.nights
        )
        return Rehearsal(manifest.extract, nights, tuple(cast.checks), cast.added, tuple(cast.changes))


def _difference(
    night: str, before: Snapshot | None, files: Sequence[StagedFile], kept: Mapping[str, str]
) -> NightDifference:
    old, unread = None, ""
    if before is not None and (before.mark(night) is not None or night in before.nights()):
        try:
            old = summary_of(_in_table(before, night))
        except (OSError, pa.ArrowException) as error:
            # Whoever publishes from the landing may well do so because of it.
            unread = f"{type(error).__name__}: {redact(str(error))}".split("\n")[0]
    new = summary_of(batch for _, batch in batches_of(files))
    return NightDifference(
        night=night,
        rows_before=None if old is None else old.rows,
        rows_now=new.rows,
        is_same=old is not None and (old.rows, old.digest) == (new.rows, new.digest),
        columns=_columns(old or Summary(), new),
        kept=kept.get(night),
        unread=unread,
    )


def _columns(old: Summary, new: Summary) -> tuple[ColumnDifference, ...]:
    """Return the columns that differ; one without any value is no other than one that is not there."""
    names = dict.fromkeys([*old.columns, *new.columns])
    pairs = [(name, _valued(old.columns.get(name)), _valued(new.columns.get(name))) for name in names]
    return tuple(ColumnDifference(name, was, now) for name, was, now in pairs if was != now)


def _valued(column: ColumnSummary | None) -> ColumnSummary | None:
    return column if column is not None and column.values else None


def _in_table(table: Snapshot, night: str) -> Iterator[pa.RecordBatch]:
    dataset = table.table.to_pyarrow_dataset()
    wanted = pc.field(NIGHT) == pa.scalar(night_of(night), pa.date32())
    yield from dataset.to_batches(
        filter=wanted, batch_size=ROWS, batch_readahead=1, fragment_readahead=1, use_threads=False
    )
