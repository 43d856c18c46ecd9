"""The incidents in the lake: ``incidents/<id>/``, objects that are only ever created.

A change of an incident is its next revision, which one of several watchers gets to create and the others do not: so no
change is made twice, on any store. Beside the revisions lie the attempts to tell a channel of an update, each created
before it is made: who creates it, sends. What came of it is one more object. A watcher that dies between the two has
perhaps told the channel: after :data:`LEASE` the next attempt is another's, with the same key, so that the receiver
knows the message again. At least once, then, and never by two at the same time.

The ids begin with their night, so one listing from a night on has the names of all that is newer. What the watch has
read of them it keeps in ``watch/incidents.msgpack``, each with the mark that the store gave its content: of what has
that mark still, nobody has to ask again.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec
from pydantic import AwareDatetime, ValidationError

from nightshift.lake import objects
from nightshift.nesting import UNREADABLE
from nightshift.watch.incident import Incident, Notification, Outcome, Recorded

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from nightshift.lake.store import Lake

log = logging.getLogger(__name__)

FOLDER = "incidents"
KEPT = 20
"""Revisions of an incident that are kept."""
BESIDE = "watch/incidents.msgpack"
MOST_BESIDE = 2_000
"""Objects that are kept in one, those of the newest nights."""
LEASE = timedelta(minutes=10)
"""After that an attempt of which nothing is known counts as made by one that has died."""
ATTEMPTS = 6
PAUSES = (timedelta(0), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
"""How long after an attempt that failed the next one is made; the last pause for all further ones."""
AT_ONCE = 50
_MOST_WORDS = 300
_Bodies = dict[str, tuple[str, bytes]]
"""Object → its mark, and its content."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_REVISION = re.compile(r"r(\d{6})\.json")
_ATTEMPT = re.compile(r"u(\d{6})\.([A-Za-z0-9_-]+)\.(\d{2})(\.sent|\.failed)?\.json")


class Telling(Recorded):
    """One attempt to tell a channel, or what came of it.

    :param at: when
    :param error: why it failed; no secrets
    """

    at: AwareDatetime
    error: str = ""


@dataclass(frozen=True)
class FoundIncidents:
    """What a lake has of incidents.

    :param incidents: those that can be read, the oldest night first, each with whom was told of it
    :param unreadable: id → why its newest revision cannot be read, and what to do; whether it is open nobody knows
    :param taken: the ids that anything is kept of
    """

    incidents: tuple[Incident, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    taken: Collection[str] = frozenset()


@dataclass
class _Listed:
    """The names of one incident's objects.

    :param revisions: their numbers
    :param attempts: update and channel → number of the attempt → what is known of it: ``""``, ``.sent`` or ``.failed``
    :param marks: all of them, each with its mark
    """

    revisions: set[int] = field(default_factory=set)
    marks: list[tuple[str, str]] = field(default_factory=list)
    attempts: dict[tuple[int, str], dict[int, set[str]]] = field(default_factory=dict)


class Incidents:
    """The incidents of a lake, also for a process that looks at them again and again: what has not changed is not read
    anew.

    :param lake: where they are
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._store: ObjectStore = lake.objects(FOLDER)
        self._marks: dict[str, str] = {}
        """Of each object, as it was listed last."""
        self._bodies: _Bodies = {}
        """What was read of them."""
        self._beside: _Bodies | None = None
        """What of it is kept for whoever looks next; ``None``: nobody has looked yet."""
        self._incidents: dict[str, tuple[list[tuple[str, str]], Incident | str | None]] = {}
        """What they tell of an incident, with the marks of all of its objects."""

    async def read(self, since: str | None = None) -> FoundIncidents:
        """Return the incidents, and which of them cannot be read.

        :param since: the first night that counts; default: all there are
        """
        if self._beside is None:
            self._bodies = self._beside = _decoded(await objects.aread(self.lake.objects(), BESIDE))
        listed = await self._listed(since)
        found: list[Incident] = []
        unreadable: dict[str, str] = {}
        names = sorted(name for name, one in listed.items() if one.revisions)
        for first in range(0, len(names), AT_ONCE):
            lot = names[first : first + AT_ONCE]
            read = await asyncio.gather(*(self._incident(name, listed[name]) for name in lot))
            found += [one for one in read if isinstance(one, Incident)]
            unreadable |= {name: one for name, one in zip(lot, read, strict=True) if isinstance(one, str)}
        return FoundIncidents(tuple(found), unreadable, frozenset(listed))

    async def keep(self) -> None:
        """Keep what was read, for whoever looks next; where that fails, that one reads it again."""
        newest = sorted(self._bodies.items(), reverse=True)[:MOST_BESIDE]
        if (kept := dict(newest)) == self._beside:
            return
        try:
            await objects.awrite(self.lake.objects(), BESIDE, msgspec.msgpack.encode(kept))
        except Exception as error:
            log.warning("What was read of the incidents could not be kept: %s", type(error).__name__)
        else:
            self._beside = kept

    async def write(self, incident: Incident) -> bool:
        """Write the next revision of an incident; say whether nobody else has.

        :raises UnfitStore: the store of the lake lets two writers both succeed
        """
        await objects.aprobe(self.lake)
        body = incident.model_dump_json(exclude={"notified"}).encode()
        is_ours = await objects.acreate(self._store, f"{incident.id}/{_revision(incident.revision)}", body)
        if is_ours and incident.revision > KEPT:
            await objects.adelete(self._store, f"{incident.id}/{_revision(incident.revision - KEPT)}")
        return is_ours

    async def claim(self, incident: Incident, update: int, channel: str, now: datetime) -> int | None:
        """Take the next attempt to tell a channel of an update; return its number, ``None`` where there is none to
        make: it was told, another does so now, its pause is not over, or it was given up.
        """
        known = next((one for one in incident.notified if (one.update, one.channel) == (update, channel)), None)
        if known is not None and (known.sent is not None or known.given_up):
            return None
        number = 1 if known is None else known.attempts + 1
        if known is not None and not await self._is_due(incident.id, update, channel, known.attempts, now):
            return None
        body = Telling(at=now).model_dump_json().encode()
        taken = await objects.acreate(self._store, f"{incident.id}/{_attempt(update, channel, number)}", body)
        return number if taken else None

    async def note(
        self, incident_id: str, update: int, channel: str, number: int, at: datetime, *, error: str | None
    ) -> None:
        """Write what came of an attempt.

        :param at: when that was
        :param error: why it failed; ``None``: the channel was told
        """
        name = _attempt(update, channel, number, ".sent" if error is None else ".failed")
        body = Telling(at=at, error=error or "").model_dump_json().encode()
        await objects.acreate(self._store, f"{incident_id}/{name}", body)

    async def _is_due(self, incident_id: str, update: int, channel: str, number: int, now: datetime) -> bool:
        failed = await self._attempt(incident_id, update, channel, number, ".failed")
        if failed is not None:
            return now >= failed.at + PAUSES[min(number, len(PAUSES) - 1)]
        begun = await self._attempt(incident_id, update, channel, number)
        return begun is None or now >= begun.at + LEASE

    async def _listed(self, since: str | None) -> dict[str, _Listed]:
        import obstore

        found: dict[str, _Listed] = {}
        marks: dict[str, str] = {}
        async for batch in obstore.list(self._store, offset=since, chunk_size=1000):
            for entry in batch:
                marks[entry["path"]] = objects.mark_of(entry)
                name, _, rest = entry["path"].partition("/")
                one = found.setdefault(name, _Listed())
                one.marks.append((entry["path"], marks[entry["path"]]))
                if revision := _REVISION.fullmatch(rest):
                    one.revisions.add(int(revision[1]))
                elif tried := _ATTEMPT.fullmatch(rest):
                    attempts = one.attempts.setdefault((int(tried[1]), tried[2]), {})
                    attempts.setdefault(int(tried[3]), set()).add(tried[4] or "")
        self._marks = marks
        self._bodies = {path: one for path, one in self._bodies.items() if one[0] == marks.get(path)}
        self._incidents = {name: one for name, one in self._incidents.items() if name in found}
        return found

    async def _body(self, path: str) -> bytes | None:
        """Return an object; one that was read with the mark that it had when it was listed last is that still."""
        mark, kept = self._marks.get(path), self._bodies.get(path)
        if kept is not None and kept[0] == mark:
            return kept[1]
        body = await objects.aread(self._store, path)
        if mark is not None and body is not None:
            self._bodies[path] = mark, body
        return body

    async def _incident(self, name: str, listed: _Listed) -> Incident | str | None:
        """Return an incident, or why it cannot be read; ``None``: it was deleted meanwhile."""
        kept = self._incidents.get(name)
        if kept is None or kept[0] != listed.marks:
            self._incidents[name] = kept = (listed.marks, await self._read(name, listed))
        return kept[1]

    async def _read(self, name: str, listed: _Listed) -> Incident | str | None:
        newest = max(listed.revisions)
        body = await self._body(f"{name}/{_revision(newest)}")
        if body is None:
            return None
        told = [self._notification(name, *key, attempts) for key, attempts in sorted(listed.attempts.items())]
        notified = tuple(await asyncio.gather(*told))
        try:
            found = Incident.model_validate_json(body)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
            return _unreadable(name, ": ".join(filter(None, (".".join(map(str, wrong["loc"])), wrong["msg"]))))
        if (found.id, found.revision) != (name, newest):
            # What follows would be written elsewhere, or where another revision is already.
            return _unreadable(name, f"revision {newest} says that it is revision {found.revision} of {found.id}")
        return found.model_copy(update={"notified": notified})

    async def _notification(self, name: str, update: int, channel: str, attempts: dict[int, set[str]]) -> Notification:
        last = max(attempts)
        sent = next((number for number, known in attempts.items() if ".sent" in known), None)
        if sent is not None:
            taken = await self._attempt(name, update, channel, sent, ".sent")
            return Notification(update=update, channel=channel, attempts=last, sent=taken.at if taken else None)
        failed = max((number for number, known in attempts.items() if ".failed" in known), default=None)
        why = await self._attempt(name, update, channel, failed, ".failed") if failed is not None else None
        return Notification(
            update=update,
            channel=channel,
            attempts=last,
            error=why.error if why else "",
            # Of one that died nobody knows, so it does not count as the last one; but that has an end, too.
            given_up=last >= (ATTEMPTS if ".failed" in attempts[last] else 2 * ATTEMPTS),
        )

    async def _attempt(self, name: str, update: int, channel: str, number: int, what: str = "") -> Telling | None:
        body = await self._body(f"{name}/{_attempt(update, channel, number, what)}")
        try:
            return None if body is None else Telling.model_validate_json(body)
        except ValidationError:
            # That it is there says what came of the attempt; only when is lost.
            return Telling(at=_LONG_AGO, error="what was written of it cannot be read")


def read(lake: Lake, since: str | None = None) -> tuple[Incident, ...]:
    """Return the incidents of a lake that can be read, the oldest night first. Blocks: one listing, one object with
    what the watch has read, and two small ones for each incident that is newer.

    :param since: the first night that counts; default: all there are
    """
    return asyncio.run(Incidents(lake).read(since)).incidents


def mean_time_to_restore(incidents: Iterable[Incident]) -> float | None:
    """Return how long it took on average, in seconds, from when a night was due, or went wrong, until it was there;
    ``None`` where none of them was restored.
    """
    ended = [one for one in incidents if one.outcome is Outcome.RESTORED]
    times = [max(0.0, (one.until - one.since).total_seconds()) for one in ended if one.until is not None]
    return fmean(times) if times else None


def _decoded(kept: bytes | None) -> _Bodies:
    try:
        return {} if kept is None else msgspec.msgpack.decode(kept, type=_Bodies)
    except UNREADABLE:
        return {}


def _unreadable(name: str, why: str) -> str:
    return (
        f"it cannot be read ({why[:_MOST_WORDS]}): a newer release has written it, or it is damaged. What is wrong is "
        f"told by another; whether this one is open nobody knows. Bring this release up to date, or remove the folder "
        f"{FOLDER}/{name} of the lake"
    )


def _revision(number: int) -> str:
    return f"r{number:06d}.json"


def _attempt(update: int, channel: str, number: int, what: str = "") -> str:
    return f"u{update:06d}.{channel}.{number:02d}{what}.json"
