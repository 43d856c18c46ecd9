"""Publish a landed night to its Delta table: read, cast, check, and replace exactly that night in one atomic commit.

Import it in a running task only: it loads Arrow and Delta, which do not survive a fork of the process.
"""

from __future__ import annotations

import gc
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from deltalake.transaction import AddAction

from nightshift.lake import objects
from nightshift.lake.checks import CheckResult, Counts, failed, judge
from nightshift.lake.delta import (
    Commit,
    Moved,
    NightTable,
    Overtaken,
    Replacement,
    night_rows,
    published_night,
    table_schema,
)
from nightshift.lake.errors import CastError, Contended, SchemaDrift, Unsound
from nightshift.lake.extract import CHARSET, DATA_KEY, DELIMITER, QUOTE, Manifest
from nightshift.lake.foreign import Stored, refuse_columns, refuse_foreign, stored_by
from nightshift.lake.pages import LandedPages
from nightshift.lake.snapshot import CommitNote, PublishedNight, Snapshot, microseconds_of
from nightshift.lake.spec import NIGHT, Column, CsvSpec, PublishSpec
from nightshift.lake.staging import StagedFile, Stager, rows_by_night
from nightshift.lake.store import Lake
from nightshift.lake.typed_rows import TypedRows
from nightshift.lake.widening import OlderValues, OtherNights, Retyped, retyped

__all__ = [
    "CastError",
    "Published",
    "PublishedNight",
    "SchemaDrift",
    "Unsound",
    "night_rows",
    "publish",
    "published_night",
    "table_schema",
]

FORMAT = 2
CASTS = 5
Say = Callable[[str], object]


@dataclass(frozen=True)
class Published:
    """What a publish did.

    :param rows: rows that the table has of the nights that were asked for
    :param bytes: size of their files
    :param version: version of the table that has them
    :param duplicates: rows dropped because one before was identical
    :param outside: rows dropped because they are of other nights
    :param nights: rows by night
    :param added: columns that the table did not have
    :param checks: the verdicts
    :param already: nothing was committed: the table had exactly this content before, or newer extracts of its nights
    :param kept: nights that were left as they are because the table has an extract of them that was finished later, with
        when that was, ISO 8601
    :param overruled: nights that were of an extract that was finished later, and were replaced because it was forced
    :param widened: columns that got another type, in the older nights too: name → type before and now
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
    kept: Mapping[str, str] = field(default_factory=dict)
    overruled: Mapping[str, str] = field(default_factory=dict)
    widened: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def publish(
    lake: Lake,
    manifest: Manifest,
    spec: PublishSpec,
    *,
    force: bool = False,
    say: Say = lambda text: None,
    look: Callable[[], object] = lambda: None,
) -> Published:
    """Publish a landed night. Blocks; memory is flat whatever the size of the night, ``TMPDIR`` holds its Parquet files.

    The nights that are replaced are ``spec.nights``, else the night of the extract, all in one commit. A night without rows
    replaces what was there by nothing; the table is made if it is missing, with the columns that are known. A night of which
    the table has an extract that was finished later stays as it is. Where a column gets another type, the other nights are rewritten
    in the same commit, see :mod:`nightshift.lake.widening`.

    :param lake: where landing and tables are
    :param manifest: the extract to publish
    :param spec: how
    :param force: commit again even if the table has exactly this content, or a newer extract of a night
    :param say: takes a line of progress
    :param look: called before the pages are read, where there is something to publish at all; what it raises ends it
    :raises UnfitStore: the store of the lake cannot be written, or lets two writers both succeed
    :raises Damaged: a landed page is not what was received
    :raises UnreadablePage: a page is not JSON or CSV
    :raises CastError: a value does not fit its column
    :raises SchemaDrift: columns do not fit the table, and ``schema_rules`` do not allow it
    :raises Unsound: checks failed; the table is as it was
    :raises Contended: other writers came first each time
    """
    objects.probe(lake)
    publishing = _Publishing(lake, manifest, _as_extracted(spec, manifest), force, say)
    for _ in range(CASTS):
        before = publishing.table.snapshot()
        if before is not None and (done := publishing.nothing_to_do(before)):
            return done
        try:
            look()
            with _without_collector():
                return publishing.run(before)
        except Moved as column:
            say(f"Another writer gave the column {column} a type meanwhile; casting again")
    raise Contended(
        f"{publishing.table.name}: the columns changed {CASTS} times meanwhile. Nothing was committed; clear this task once the others are done."
    )


class _Publishing:
    def __init__(self, lake: Lake, manifest: Manifest, spec: PublishSpec, force: bool, say: Say) -> None:
        self.lake = lake
        self.manifest = manifest
        self.spec = spec
        self.force = force
        self.say = say
        self.nights = sorted(spec.nights or (manifest.night,))
        self.table = NightTable(lake, manifest.source, manifest.report)
        self.content = content_of(manifest, spec)
        self.finished = microseconds_of(manifest.finished)
        self.stored: Mapping[str, Stored] = {}

    def nothing_to_do(self, now: Snapshot) -> Published | None:
        """Return what is in the table where it has this content, or newer extracts, of every night."""
        if self.force:
            return None
        kept = now.newer(self.nights, self.finished)
        left = [night for night in self.nights if night not in kept]
        if left and not now.holds(self.content, dict.fromkeys(left)):
            return None
        self._say_kept(kept)
        if left:
            self.say(f"Version {now.version} of {self.table.name} has exactly this extract already; nothing to do")
        note = now.note((left or self.nights)[0])
        nights = self._rows_in(now)
        return Published(
            rows=sum(nights.values()),
            bytes=now.size_of(self.nights),
            version=now.version,
            duplicates=note.duplicates if note else 0,
            outside=note.outside if note else 0,
            nights=nights,
            added=(),
            checks=tuple(CheckResult(*check) for check in note.checks) if note else (),
            already=True,
            kept=kept,
        )

    def run(self, before: Snapshot | None) -> Published:
        began = time.monotonic()
        if before is not None:
            refuse_foreign(self.table.name, before)
        self.stored = stored_by(before.fields if before else ())
        rows = TypedRows(
            LandedPages(self.lake, self.manifest, self.spec.data_key),
            self.manifest,
            self.spec,
            before.columns if before else None,
            OlderValues(before, self.nights) if before else None,
            self.stored,
        )
        with closing(rows.stage(self.nights)) as stager:
            self.say(f"{stager.read} rows read and cast in {time.monotonic() - began:.1f} s")
            refuse_columns(self.table.name, before.fields if before else (), rows.columns)
            files, checks, counts = self._checked(stager, before)
            had = {column.name for column in before.columns} if before else set()
            added = tuple(column.name for column in rows.columns if column.name not in had)
            kept: Mapping[str, str] = before.newer(self.nights, self.finished) if before and not self.force else {}
            adds = self._upload([staged for staged in files if staged.night not in kept])
            self.say(f"{len(adds)} files are in place, not yet part of the table")
        changes = retyped({column.name: column.type for column in before.columns} if before else {}, rows.columns)
        kept, commit = self._replace(kept, counts, adds, rows.columns, checks, changes)
        now = commit.now if commit else self.table.snapshot()
        if now is None:
            raise Contended(
                f"{self.table.name}: the table is gone. Nothing was committed; clear this task to make it anew."
            )
        return self._told(now, kept, commit, counts, added, checks, changes)

    def _replace(
        self,
        kept: Mapping[str, str],
        counts: Counts,
        adds: Sequence[AddAction],
        columns: Sequence[Column],
        checks: Sequence[CheckResult],
        changes: Sequence[Retyped],
    ) -> tuple[Mapping[str, str], Commit | None]:
        """Commit the nights of which the table has no newer extract; return those that stay, and the commit if there is one."""
        others = None
        if changes:
            others = OtherNights(self.table.objects(), self.table.name, changes, self.spec.timezone)
            self.say(f"The other nights are rewritten, for the type changes of {', '.join(map(str, changes))}")
        while nights := {night: rows for night, rows in counts.nights.items() if night not in kept}:
            note = CommitNote(
                content=f"{self.content:016x}",
                extract=self.manifest.extract,
                nights=nights,
                duplicates=counts.duplicates,
                outside=counts.outside,
                checks=tuple((check.name, check.ok, check.detail) for check in checks),
                widened=tuple((change.column, change.before, change.now) for change in changes),
            )
            try:
                what = Replacement(
                    self.content, nights, adds, columns, self.finished, note, self.force, others, self.stored
                )
                return kept, self.table.replace(what)
            except Overtaken as newer:
                kept = {**kept, **newer.nights}
                self._withdraw([add for add in adds if add.partition_values[NIGHT] in kept])
                adds = [add for add in adds if add.partition_values[NIGHT] not in kept]
            except (Moved, Contended, SchemaDrift):
                self._withdraw(adds)
                if others is not None:
                    others.withdraw()
                raise
        return kept, None

    def _told(
        self,
        now: Snapshot,
        kept: Mapping[str, str],
        commit: Commit | None,
        counts: Counts,
        added: Sequence[str],
        checks: Sequence[CheckResult],
        changes: Sequence[Retyped],
    ) -> Published:
        nights = self._rows_in(now)
        overruled = commit.overruled if commit else {}
        if commit:
            replaced = [night for night in self.nights if night not in kept]
            rows = sum(nights[night] for night in replaced)
            self.say(f"Version {now.version} of {self.table.name} has {rows} rows in {', '.join(replaced)}")
            if names := [name for name in added if re.search(r"[ ,;{}()\n\t=]", name)]:
                self.say(
                    f"Spark and Databricks do not read columns with such names without column mapping: {names}; other engines do"
                )
        self._say_kept(kept)
        for night, finished in overruled.items():
            self.say(
                f"FORCED: night {night} was of an extract that was finished at {finished}; the older one of "
                f"{self.manifest.finished} has replaced it"
            )
        return Published(
            rows=sum(nights.values()),
            bytes=now.size_of(self.nights),
            version=now.version,
            duplicates=counts.duplicates,
            outside=counts.outside,
            nights=nights,
            added=tuple(added) if commit else (),
            checks=tuple(checks),
            already=commit is None,
            kept=kept,
            overruled=overruled,
            widened={change.column: (change.before, change.now) for change in changes} if commit else {},
        )

    def _say_kept(self, kept: Mapping[str, str]) -> None:
        for night, finished in kept.items():
            self.say(
                f"Night {night} stays as it is: the table has an extract of it that was finished at {finished}, this one "
                f"({self.manifest.extract}) at {self.manifest.finished}. Publish with force to replace it all the same"
            )

    def _rows_in(self, now: Snapshot) -> dict[str, int]:
        here = now.nights()
        return {night: here.get(night, 0) for night in self.nights}

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
                f"and the landed extract {self.manifest.extract} is kept. Have the vendor put it right and clear the extract, or correct "
                "the checks of the report in reports.yaml and clear this task."
            )
        return files, checks, counts

    def _upload(self, files: Sequence[StagedFile]) -> list[AddAction]:
        attempt, adds = secrets.token_hex(4), []
        for number, staged in enumerate(files, 1):
            if not staged.rows:
                continue
            path = f"night={staged.night}/{self.content:016x}-{attempt}-{number:05d}.parquet"
            objects.write(self.table.objects(), path, staged.file)
            stats = json.dumps({"numRecords": staged.rows})
            adds.append(AddAction(path, staged.size, {"night": staged.night}, int(time.time() * 1000), True, stats))
        return adds

    def _withdraw(self, adds: Sequence[AddAction]) -> None:
        objects.delete(self.table.objects(), [add.path for add in adds])


def _as_extracted(spec: PublishSpec, manifest: Manifest) -> PublishSpec:
    """Return a specification that reads pages as the extract has read them, unless it says otherwise itself."""
    usual, notes = CsvSpec(), manifest.notes
    csv = {
        name: str(notes[name])
        for name in (CHARSET, DELIMITER, QUOTE)
        if name in notes and getattr(spec.csv, name) == getattr(usual, name)
    }
    changes: dict[str, object] = {"csv": spec.csv.model_copy(update=csv)} if csv else {}
    if DATA_KEY in notes and spec.data_key == PublishSpec().data_key:
        changes["data_key"] = str(notes[DATA_KEY])
    return spec.model_copy(update=changes) if changes else spec


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
