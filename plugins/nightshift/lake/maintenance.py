"""Care of a table, its landing and its incidents: small files of a night become few, files that nothing needs are
deleted.

All of it is safe beside a publish and may be killed at any moment: a commit is whole or not there, and what is deleted
is what no version of the table within its retention has, or an extract that another one took the place of.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from deltalake.exceptions import CommitFailedError
from deltalake.transaction import CommitProperties
from deltalake.writer.properties import WriterProperties

from nightshift.fields import night_of
from nightshift.lake import objects
from nightshift.lake.commit_note import microseconds_of
from nightshift.lake.delta import NightTable
from nightshift.lake.errors import LakeError
from nightshift.lake.extract import Manifest
from nightshift.lake.landing import MANIFEST, Landing, landed_nights
from nightshift.lake.retention import DELETED_FILES, MARGIN, hours_of, is_ours, removed_since, said
from nightshift.lake.spec import NIGHT
from nightshift.lake.store import Lake

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from nightshift.lake.published import PublishedNight
    from nightshift.lake.snapshot import Snapshot

SHORTEST_RETENTION = timedelta(days=7)
"""A version of a table stays readable for as long: a reader that began with it, or a publish whose files are not
committed yet, must not lose them."""
SHORTEST_SUPERSEDED = timedelta(days=2)
"""An extract that may still be worked on is younger: an attempt ends after hours, and the next one adds to it soon."""
SHORTEST_INCIDENTS = timedelta(days=90)
"""The watch still looks at incidents that are younger, and the board shows them."""
SKEW = timedelta(hours=1)
"""The clock of the store and that of a worker are not further apart."""
FILES_OF_A_NIGHT = 4
"""Files of a night from which on they are put together."""
TARGET_BYTES = 256 << 20
ATTEMPTS = 5
NEVER = datetime.min.replace(tzinfo=UTC)
_INCIDENT = re.compile(r"(\d{4}-\d\d-\d\d)\.([^./]+)\.[^/]+")
_ENTRY = re.compile(r"_delta_log/\d{20}\.json")
_FILE = re.compile(rf"{NIGHT}=[^/]+/[^/]+\.parquet")
Say = Callable[[str], object]


@dataclass(frozen=True)
class Compacted:
    """What was put together.

    :param nights: the nights
    :param given_up: nights that another writer changed each time; the next run looks again
    """

    nights: tuple[str, ...] = ()
    files_before: int = 0
    files_now: int = 0
    given_up: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removed:
    """What was deleted.

    :param objects: how many
    :param bytes: their size
    :param names: of extracts of the landing, each ``<night>/<extract>``, or of incidents
    """

    objects: int = 0
    bytes: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class LandingRules:
    """What of the landing goes.

    :param superseded: extracts that another, newer and complete one took the place of, and those that were never
        completed, go when nothing of them was written for so long; ``None``: never
    :param nights: of nights that ended before so long, the published extract and those before it go, as far as the
        table has the night as it was published; ``None``: never
    """

    superseded: timedelta | None = None
    nights: timedelta | None = None

    def __post_init__(self) -> None:
        if self.superseded is not None and self.superseded < SHORTEST_SUPERSEDED:
            raise ValueError(f"an extract may be worked on for {SHORTEST_SUPERSEDED}, so superseded is that at least")
        if self.nights is not None and self.nights < SHORTEST_RETENTION:
            raise ValueError(f"nights of the landing are kept for {SHORTEST_RETENTION} at least")


def compact(lake: Lake, source: str, report: str, say: Say = lambda text: None) -> Compacted:
    """Put the files of each night with many of them together, a commit a night. Blocks.

    A publish has one file a night up to 256 MB, so there is something to do only where another engine wrote, or a night
    is of many gigabytes. Rows, and what is known of the night, stay as they are.
    """
    table = NightTable(lake, source, report)
    now = table.snapshot()
    count = Counter(night for _, night in now.files() if night is not None) if now else {}
    done: list[str] = []
    given_up: list[str] = []
    before = after = 0
    for night in sorted(night for night, files in count.items() if files >= FILES_OF_A_NIGHT):
        result = _compact_night(table, night, say)
        if result is None:
            given_up.append(night)
        elif result[0]:
            done.append(night)
            before, after = before + result[0], after + result[1]
    return Compacted(tuple(done), before, after, tuple(given_up))


def _compact_night(table: NightTable, night: str, say: Say) -> tuple[int, int] | None:
    """Return how many files were put together into how many; ``None`` where other writers came first each time."""
    for attempt in range(ATTEMPTS):
        now = table.snapshot()
        if now is None:
            return 0, 0
        try:
            found: Mapping[str, Any] = now.table.optimize.compact(
                partition_filters=[("night", "=", night)],
                target_size=TARGET_BYTES,
                max_concurrent_tasks=1,
                writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
                # Of a commit that was tried again by the library, nobody has looked whether its files are still there.
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except CommitFailedError as error:
            say(f"{table.name}, night {night}: another writer came first ({str(error)[:120]})")
            time.sleep(0.05 * 2**attempt)
            continue
        if found["numFilesRemoved"]:
            say(f"{table.name}, night {night}: {found['numFilesRemoved']} files are now {found['numFilesAdded']}")
        return found["numFilesRemoved"], found["numFilesAdded"]
    return None


def vacuum(lake: Lake, source: str, report: str, keep: timedelta, *, dry_run: bool = False) -> Removed:
    """Delete files of the table that no version younger than ``keep`` has, and those of a publish that died. Blocks.

    Nothing goes but Parquet files in the folder of a night. What else lies in the table's folder is another engine's
    to care for: deletion vectors, which the library takes for files that no version has, a change feed, indexes.

    :param keep: how long every version stays readable; longer where another engine has said so in the table
    :param dry_run: only say what would go
    :raises ValueError: a shorter time than :data:`SHORTEST_RETENTION`
    """
    if keep < SHORTEST_RETENTION:
        raise ValueError(
            f"a version of a table stays readable for {SHORTEST_RETENTION.days} days at least, not for {keep}: whoever "
            "reads it, and a publish whose files are not committed yet, would lose them"
        )
    table = NightTable(lake, source, report)
    now = table.snapshot()
    if now is None:
        return Removed()
    properties = now.table.metadata().configuration
    theirs = None if is_ours(properties, DELETED_FILES) else said(properties, DELETED_FILES)
    keep = max(keep, theirs or keep)
    found = now.table.vacuum(hours_of(keep), dry_run=True, full=True, enforce_retention_duration=False)
    names = {name for name in found if _FILE.fullmatch(name)}
    if not names:
        return Removed()
    listed = _listed(table)
    since = datetime.now(UTC) - keep
    entries = [name for name, (_, changed) in listed.items() if _ENTRY.fullmatch(name) and changed >= since - MARGIN]
    names -= removed_since(table.objects(), entries, since)
    sizes = {name: size for name, (size, _) in listed.items() if name in names}
    if not dry_run:
        objects.delete(table.objects(), sorted(sizes))
    return Removed(len(sizes), sum(sizes.values()))


def _listed(table: NightTable) -> dict[str, tuple[int, datetime]]:
    """Return the objects in a table's folder, with their size and when they were written."""
    import obstore

    listed = (entry for batch in obstore.list(table.objects()) for entry in batch)
    return {entry["path"]: (entry["size"], entry["last_modified"]) for entry in listed}


@dataclass
class _Extract:
    """What lies in the folder of one extract."""

    name: str
    objects: dict[str, int] = field(default_factory=dict)
    changed: datetime = NEVER
    manifest: Manifest | None = None
    is_damaged: bool = False

    @property
    def size(self) -> int:
        return sum(self.objects.values())


def tidy_landing(
    lake: Lake, source: str, report: str, rules: LandingRules, *, at: datetime, dry_run: bool = False
) -> Removed:
    """Delete extracts of a report that nothing needs. Blocks.

    What is never deleted: the newest complete extract of a night, and the one that the table has the night from. That
    one goes where the night is older than ``rules.nights``, the table has it as it was published and its files are
    there; with it goes what is no newer, and nothing that is: it was never published. Nor is an extract deleted whose
    manifest cannot be read, one of which the store has an object that is younger than :data:`SHORTEST_SUPERSEDED`, or
    one that is younger than the rules say. The manifest goes first, so that no reader finds half an extract.

    :param at: the present
    """
    table = NightTable(lake, source, report).snapshot()
    store = lake.objects("raw", source, report)
    gone: list[str] = []
    count = size = 0
    for night in landed_nights(lake, source, report):
        extracts = _extracts_of(store, night)
        for extract in _Night(night, extracts, table, Landing(lake, source, report, night)).to_delete(rules, at):
            gone.append(f"{night}/{extract.name}")
            count, size = count + len(extract.objects), size + extract.size
            if not dry_run:
                names = sorted(extract.objects, key=lambda name: not name.endswith(f"/{MANIFEST}"))
                objects.delete(store, names[:1])
                objects.delete(store, names[1:])
    return Removed(count, size, tuple(gone))


def _extracts_of(store: ObjectStore, night: str) -> list[_Extract]:
    """Return what lies in the folders of a night's extracts; what is none of these is not looked at."""
    import obstore

    found: dict[str, _Extract] = {}
    for batch in obstore.list(store, prefix=f"night={night}"):
        for entry in batch:
            if place := re.fullmatch(r"night=[^/]+/([^/]+)/[^/]+", entry["path"]):
                extract = found.setdefault(place[1], _Extract(place[1]))
                extract.objects[entry["path"]] = entry["size"]
                extract.changed = max(extract.changed, entry["last_modified"])
    return list(found.values())


@dataclass
class _Night:
    """One night of the landing, beside what the table has of it."""

    night: str
    extracts: Sequence[_Extract]
    table: Snapshot | None
    landing: Landing

    def to_delete(self, rules: LandingRules, at: datetime) -> list[_Extract]:
        """Return what nothing needs; most nights have one extract and are not looked at any closer."""
        is_old = rules.nights is not None and night_of(self.night) < (at - rules.nights).date()
        if not is_old and (rules.superseded is None or len(self.extracts) < 2):
            return []
        for extract in self.extracts:
            _read_manifest(self.landing, extract)
        published = self._published()
        gone = self._in_table(published) if is_old and published is not None else []
        young = at - SHORTEST_SUPERSEDED
        found = [one for one in gone if one.changed < young]
        if rules.superseded is not None:
            old = at - rules.superseded
            found += [one for one in self._superseded(published) if one.changed < old and one not in found]
        return found

    def _in_table(self, published: PublishedNight) -> list[_Extract]:
        """Return what the table has of the night: the published extract, and those that are no newer."""
        if self.table is None or not published.sound:
            return []
        finished = {one.name: microseconds_of(one.manifest.finished) for one in self.extracts if one.manifest}
        last = finished.get(published.extract or "") or microseconds_of(published.finished or "")
        if last is None:
            return []
        # Where the log does not say any more which one it is, its time does, unless two have it.
        same = {name for name, at in finished.items() if at == last}
        its = {published.extract} if published.extract else same if len(same) == 1 else set()
        found = []
        for one in self.extracts:
            if one.name in finished:
                at, end = finished[one.name], last
            else:
                # Of one that is not complete, or whose deletion was killed, the store says when its last page came.
                at, end = microseconds_of(one.changed.isoformat()), last + SKEW // timedelta(microseconds=1)
            if not one.is_damaged and (one.name in its or (at is not None and at < end)):
                found.append(one)
        return [] if found and self.table.missing([self.night]) else found

    def _superseded(self, published: PublishedNight | None) -> list[_Extract]:
        complete = [(one.manifest.finished, one) for one in self.extracts if one.manifest is not None]
        if not complete:
            # Nothing took its place: what is landed of the night is all there is.
            return []
        _, newest = max(complete, key=lambda one: (one[0], one[1].name))
        kept = {newest.name, published.extract if published is not None else None}
        if published is not None and published.extract is None:
            # The log does not say any more of which extract the night is: none that may be it goes.
            kept |= {one.name for finished, one in complete if finished == published.finished}
        return [one for one in self.extracts if one.name not in kept and not one.is_damaged]

    def _published(self) -> PublishedNight | None:
        if self.table is None:
            return None
        return self.table.published(self.landing.source, self.landing.report, self.night)


def _read_manifest(landing: Landing, extract: _Extract) -> None:
    if not any(name.endswith(f"/{MANIFEST}") for name in extract.objects):
        return
    try:
        extract.manifest = asyncio.run(landing.manifest(extract.name))
    except (LakeError, ValueError):
        extract.is_damaged = True


def delete_old_incidents(lake: Lake, source: str, keep: timedelta, *, at: datetime, dry_run: bool = False) -> Removed:
    """Delete the incidents of a source of which nothing has become known for ``keep``, and whose night is older.
    Blocks.

    An incident is a folder whose name begins with its night and its source; it is told by its newest object how long
    ago anything became known of it, and one that is worked on is younger than any retention. The newest revision goes
    last, so that whoever reads meanwhile finds it, or nothing.

    :param at: the present
    :raises ValueError: a shorter time than :data:`SHORTEST_INCIDENTS`
    """
    if keep < SHORTEST_INCIDENTS:
        raise ValueError(f"incidents are kept for {SHORTEST_INCIDENTS.days} days at least, not for {keep}")
    import obstore

    store = lake.objects("incidents")
    before = (at - keep).date().isoformat()
    found: dict[str, dict[str, int]] = {}
    young: set[str] = set()
    for batch in obstore.list(store):
        for entry in batch:
            name = entry["path"].partition("/")[0]
            incident = _INCIDENT.fullmatch(name)
            if incident is None or incident[2] != source or incident[1] >= before:
                continue
            found.setdefault(name, {})[entry["path"]] = entry["size"]
            if entry["last_modified"] >= at - keep:
                young.add(name)
    old = {name: sizes for name, sizes in found.items() if name not in young}
    if not dry_run:
        for sizes in old.values():
            newest = sorted(name for name in sizes if "/r" in name)[-1:]
            objects.delete(store, [name for name in sizes if name not in newest])
            objects.delete(store, newest)
    return Removed(sum(map(len, old.values())), sum(sum(sizes.values()) for sizes in old.values()), tuple(sorted(old)))
