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
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deltalake.transaction import AddAction

from nightshift.lake import objects
from nightshift.lake.checks import CheckResult, Counts, failed, judge
from nightshift.lake.commit_note import CommitNote, iso_of, microseconds_of, seconds_between
from nightshift.lake.delta import (
    Commit,
    Moved,
    NightTable,
    Overtaken,
    Replacement,
    Sent,
)
from nightshift.lake.errors import Contended, Damaged, SchemaDrift, Unsound
from nightshift.lake.extract import CHARSET, DATA_KEY, DELIMITER, QUOTE, Manifest
from nightshift.lake.foreign import Stored, refuse_columns, refuse_foreign, stored_by
from nightshift.lake.landing import Landing
from nightshift.lake.pages import LandedPages
from nightshift.lake.published import Published
from nightshift.lake.snapshot import Snapshot
from nightshift.lake.spec import NIGHT, Column, CsvSpec, PublishSpec
from nightshift.lake.staging import StagedFile, Stager, rows_by_night
from nightshift.lake.statistics import statistics_of
from nightshift.lake.store import Lake
from nightshift.lake.typed_rows import TypedRows
from nightshift.lake.widening import OlderValues, OtherNights, Retyped, retyped

FORMAT = 2
_NO_CONTENT: Any = {
    "checks": {"vendor_totals", "not_empty", "other_nights", "band"},
    "schema_rules": True,
    "asked_nights": True,
}
"""What of a specification only judges, or lets through; see :func:`content_of`."""
CASTS = 5
Say = Callable[[str], object]
Look = Callable[[Snapshot | None], Sequence[Column]]
"""Is given the table before the pages are read, and returns the columns that the vendor's model had the night before,
which are missed as those of the table are; what it raises ends the publish."""


def publish(
    lake: Lake,
    manifest: Manifest,
    spec: PublishSpec,
    *,
    force: bool = False,
    again: bool = False,
    say: Say = lambda text: None,
    look: Look = lambda table: (),
) -> Published:
    """Publish a landed night. Blocks; memory is flat whatever the size of the night, ``TMPDIR`` holds its Parquet
    files.

    The nights that are replaced are ``spec.nights``, else the night of the extract, all in one commit. A night without
    rows replaces what was there by nothing; the table is made if it is missing, with the columns that are known. A
    night of which the table has an extract that was finished later stays as it is. Where a column gets another type,
    the other nights are rewritten in the same commit, see :mod:`nightshift.lake.widening`.

    :param lake: where landing and tables are
    :param manifest: the extract to publish
    :param spec: how
    :param force: commit again even if the table has exactly this content, or a newer extract of a night
    :param again: commit again even if the table has exactly this content; of a newer extract it stays as it is
    :param say: takes a line of progress
    :param look: asked before the pages are read, where there is something to publish at all
    :raises UnfitStore: the store of the lake cannot be written, or lets two writers both succeed
    :raises Damaged: a landed page is not what was received, or a file of a newer extract in the table is gone
    :raises UnreadablePage: a page is not JSON or CSV
    :raises CastError: a value does not fit its column
    :raises SchemaDrift: columns do not fit the table, and ``schema_rules`` do not allow it
    :raises Unsound: checks failed; the table is as it was
    :raises Contended: other writers came first each time
    """
    objects.probe(lake)
    publishing = Publishing(lake, manifest, spec, force=force, again=again, say=say)
    for _ in range(CASTS):
        before = publishing.opened()
        if before is not None and (done := publishing.nothing_to_do(before)):
            return done
        try:
            named = look(before)
            with without_collector():
                return publishing.run(before, named)
        except Moved as column:
            say(f"Another writer gave the column {column} a type meanwhile; casting again")
    raise Contended(
        f"{publishing.table.name}: the columns changed {CASTS} times meanwhile. Nothing was committed; clear this "
        "task once the others are done."
    )


@dataclass(frozen=True)
class Cast:
    """The rows of the nights: cast and checked, in files of this machine.

    :param files: the files
    :param counts: rows on their way
    :param checks: the verdicts, all of which hold
    :param columns: the columns, with types
    :param added: those of them that the table does not have
    :param changes: those of them that it has with another type
    :param kept: nights of which the table has a newer extract
    """

    files: Sequence[StagedFile]
    counts: Counts
    checks: Sequence[CheckResult]
    columns: Sequence[Column]
    added: tuple[str, ...]
    changes: Sequence[Retyped]
    kept: Mapping[str, str]


class Publishing:
    """One extract on its way to the table; see :func:`publish`."""

    def __init__(
        self,
        lake: Lake,
        manifest: Manifest,
        spec: PublishSpec,
        *,
        force: bool = False,
        again: bool = False,
        say: Say = lambda text: None,
    ) -> None:
        spec = _as_extracted(spec, manifest)
        self.manifest = manifest
        self.spec = spec
        self.force = force
        self.again = again
        self.say = say
        self.nights = sorted(spec.nights or (manifest.night,))
        self.table = NightTable(lake, manifest.source, manifest.report)
        self.pages = LandedPages(Landing.of(lake, manifest).extract(manifest.extract), manifest, spec.data_key)
        self.content = content_of(manifest, spec)
        self.finished = microseconds_of(manifest.finished)
        self.known: Mapping[str, datetime | None] | None = None

    def opened(self) -> Snapshot | None:
        """Return the table as it is now; the first time, note which nights it has."""
        now = self.table.snapshot()
        if self.known is None:
            there = [night for night in self.nights if now and now.mark(night)]
            own = self.manifest.night
            self.known = {night: now.began(night) if now and night != own else None for night in there}
        return now

    def nothing_to_do(self, now: Snapshot) -> Published | None:
        """Return what is in the table where it has this content, or newer extracts, of every night."""
        if self.force:
            return None
        kept = now.newer(self.nights, self.finished)
        left = [night for night in self.nights if night not in kept]
        if left and (self.again or not now.holds(self.content, dict.fromkeys(left))):
            return None
        if gone := now.missing(left):
            self.say(f"Version {now.version} of {self.table.name} has this extract, but {gone[0]} is gone; once more")
            return None
        if gone := now.missing(list(kept)):
            raise Damaged(
                f"{self.table.name}: the table has a newer extract of {', '.join(kept)} than {self.manifest.extract}, "
                f"but its file {gone[0]} is gone. Nothing was published; what is landed is untouched. Clear the "
                "publish of that newer extract, which commits it once more, then this task."
            )
        self._log_kept(kept)
        if left:
            self.say(f"Version {now.version} of {self.table.name} has exactly this extract already; nothing to do")
        note = now.note((left or self.nights)[0])
        return self._published(
            now,
            duplicates=note.duplicates if note else 0,
            outside=note.outside if note else 0,
            checks=tuple(CheckResult(*check) for check in note.checks) if note else (),
            already=True,
            kept=kept,
        )

    def run(self, before: Snapshot | None, named: Sequence[Column] = ()) -> Published:
        """Stage, check and commit.

        :param before: the table
        :param named: the columns that the vendor's model had the night before
        """
        if before is not None:
            refuse_foreign(self.table.name, before)
        stored = stored_by(before.fields if before else ())
        with self.cast(before, stored, named) as cast:
            adds = self._upload([file for file in cast.files if file.night not in cast.kept])
            self.say(f"{len(adds)} files are in place, not yet part of the table")
        kept, commit = self._replace(cast, adds, stored, before)
        now = commit.now if commit else self.table.snapshot()
        if now is None:
            raise Contended(
                f"{self.table.name}: the table is gone. Nothing was committed; clear this task to make it anew."
            )
        if commit:
            self._log_replaced(now, cast.added, [night for night in self.nights if night not in kept])
        self._log_kept(kept)
        overruled = commit.overruled if commit else {}
        for night, finished in overruled.items():
            self.say(
                f"FORCED: night {night} was of an extract that was finished at {finished}; the older one of "
                f"{self.manifest.finished} has replaced it"
            )
        return self._published(
            now,
            duplicates=cast.counts.duplicates,
            outside=cast.counts.outside,
            added=cast.added if commit else (),
            checks=tuple(cast.checks),
            already=commit is None,
            kept=kept,
            overruled=overruled,
            widened={change.column: (change.before, change.now) for change in cast.changes} if commit else {},
        )

    @contextmanager
    def cast(
        self, before: Snapshot | None, stored: Mapping[str, Stored], named: Sequence[Column] = ()
    ) -> Iterator[Cast]:
        """Read, cast and check the rows; nothing of the lake changes. The files are gone with the block.

        :raises Exception: as :func:`publish`
        """
        began = time.monotonic()
        older = OlderValues(before, self.nights) if before else None
        table = before.columns if before else None
        rows = TypedRows(self.pages, self.manifest, self.spec, table, older, stored, named)
        with closing(rows.stage(self.nights)) as stager:
            self.say(f"{stager.read} rows read and cast in {time.monotonic() - began:.1f} s")
            for name, column in rows.respelled.items():
                self.say(f"What the vendor calls {name!r} is the column {column!r}, by schema_rules.same_column")
            refuse_columns(self.table.name, before.fields if before else (), rows.columns)
            files, checks, counts = self._checked(stager, before)
            kept = before.newer(self.nights, self.finished) if before and not self.force else {}
            there = {column.name: column.type for column in before.columns} if before else {}
            added = tuple(column.name for column in rows.columns if column.name not in there)
            yield Cast(files, counts, checks, rows.columns, added, retyped(there, rows.columns), kept)

    def _replace(
        self, cast: Cast, adds: Sequence[AddAction], stored: Mapping[str, Stored], before: Snapshot | None
    ) -> tuple[Mapping[str, str], Commit | None]:
        """Commit the nights of which the table has no newer extract; return those that stay, and the commit if there
        is one.

        :param adds: their files, in place but no part of the table
        """
        kept, others, sent = cast.kept, None, Sent()
        if cast.changes:
            others = OtherNights(self.table.objects(), self.table.name, cast.changes, self.spec.timezone)
            self.say(f"The other nights are rewritten, for the type changes of {', '.join(map(str, cast.changes))}")
        while nights := {night: rows for night, rows in cast.counts.nights.items() if night not in kept}:
            note = CommitNote(
                content=f"{self.content:016x}",
                extract=self.manifest.extract,
                nights=nights,
                duplicates=cast.counts.duplicates,
                outside=cast.counts.outside,
                checks=tuple((check.name, check.ok, check.detail) for check in cast.checks),
                widened=tuple((change.column, change.before, change.now) for change in cast.changes),
                night=self.manifest.night,
                finished="" if self.finished is None else iso_of(self.finished),
                seconds=seconds_between(self.manifest.started, self.manifest.finished),
                added=cast.added,
                begun=self.manifest.begun,
            )
            what = Replacement(
                self.content, nights, adds, cast.columns, self.finished, note, self.force, others, stored
            )
            try:
                return kept, self.table.replace(what, sent, before)
            except Overtaken as newer:
                kept = {**kept, **newer.nights}
                if sent.version is None:
                    self._withdraw([add for add in adds if add.partition_values[NIGHT] in kept])
                adds = [add for add in adds if add.partition_values[NIGHT] not in kept]
            except (Moved, Contended, SchemaDrift):
                if sent.version is None:
                    self._withdraw(adds)
                    if others is not None:
                        others.withdraw()
                raise
        return kept, None

    def _published(self, now: Snapshot, **more: Any) -> Published:
        here = now.nights()
        nights = {night: here.get(night, 0) for night in self.nights}
        return Published(
            rows=sum(nights.values()),
            bytes=now.size_of(self.nights),
            version=now.version,
            nights=nights,
            known=self.known or {},
            table=now,
            **more,
        )

    def _log_replaced(self, now: Snapshot, added: Sequence[str], nights: Sequence[str]) -> None:
        here = now.nights()
        rows = sum(here.get(night, 0) for night in nights)
        self.say(f"Version {now.version} of {self.table.name} has {rows} rows in {', '.join(nights)}")
        if names := [name for name in added if re.search(r"[ ,;{}()\n\t=]", name)]:
            self.say(
                f"Spark and Databricks do not read columns with such names without column mapping: {names}; other "
                "engines do"
            )

    def _log_kept(self, kept: Mapping[str, str]) -> None:
        for night, finished in kept.items():
            self.say(
                f"Night {night} stays as it is: the table has an extract of it that was finished at {finished}, this "
                f"one ({self.manifest.extract}) at {self.manifest.finished}. Publish with force to replace it all the "
                "same"
            )

    def _checked(
        self, stager: Stager, before: Snapshot | None
    ) -> tuple[Sequence[StagedFile], list[CheckResult], Counts]:
        files, key = stager.finish()
        asked = self.spec.asked_nights or self.nights
        others = {night: rows for night, rows in stager.others.items() if night not in asked}
        nights = rows_by_night(files, self.nights)
        counts = Counts(stager.read, key.identical, stager.outside, nights, others)
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
                f"{self.table.name}, night {', '.join(self.nights)}: {text}. Nothing was published: the table is as "
                f"it was, and the landed extract {self.manifest.extract} is kept. Have the vendor put it right and "
                "clear the extract, or correct the checks of the report in reports.yaml and clear this task."
            )
        return files, checks, counts

    def _upload(self, files: Sequence[StagedFile]) -> list[AddAction]:
        attempt, adds = secrets.token_hex(4), []
        first = [*self.spec.key, *filter(None, [self.spec.night_column])]
        for number, staged in enumerate(files, 1):
            if not staged.rows:
                continue
            path = f"night={staged.night}/{self.content:016x}-{attempt}-{number:05d}.parquet"
            objects.write(self.table.objects(), path, staged.file)
            stats = statistics_of(staged.file, first)
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

    Checks that only judge are no part of it, nor are the rules about columns: what they let through is the same, but
    for which names are one.
    """
    shape = spec.model_dump_json(exclude=_NO_CONTENT)
    model = [column.model_dump() for column in manifest.model or ()]
    same = [sorted(spec.schema_rules.same_column)] if spec.schema_rules.same_column else []
    parts = json.dumps(
        [FORMAT, manifest.extract, manifest.night, manifest.format, manifest.sha256, shape, model, *same]
    )
    return int.from_bytes(hashlib.sha256(parts.encode()).digest()[:8], "big") >> 2


@contextmanager
def without_collector() -> Iterator[None]:
    """Let the garbage collector rest: rows are made by the million, and none of them is part of a cycle."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
