"""One look: what the DAG does every few minutes, and ``nightshift watch`` wherever cron or a probe runs it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from nightshift.config.notify import Channel, channels_about
from nightshift.config.promotions import reports_awaited
from nightshift.config.reports import SourcesInForce, sources_in_force
from nightshift.fields import night_of
from nightshift.known_secrets import hide
from nightshift.local_time import DAY
from nightshift.nights.index import NightIndex
from nightshift.watch.airflow import AirflowView, reasons
from nightshift.watch.decide import Key, Observed, Reason, Sight, decide, doubled, uncovered
from nightshift.watch.expected import (
    ExpectedNight,
    expected_nights,
    first_night,
    first_watched,
    nights_told,
    watched_reports,
)
from nightshift.watch.incident import Incident, Recorded
from nightshift.watch.incidents import FOLDER, FoundIncidents, Incidents
from nightshift.watch.memory import Memory, Remembered, Unseen, Watcher
from nightshift.watch.sights import LakeSeen, landed, look_at
from nightshift.watch.tell import tell_all
from nightshift.watch.words import title_of

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

log = logging.getLogger(__name__)

REMEMBERED = 30
"""Nights before the watched ones whose incidents are still known, to be closed after the watch itself stood still."""
SILENT = timedelta(minutes=30)
"""After that long without a look of the DAG the command says that the DAG stands still."""

_ABSENT = (Sight.NOTHING, Sight.FAILING, Sight.EARLY)
"""What the lake shows of a night that is asked about at Airflow once it is due."""
_UNTOLD = ", and no incident tells of it: the next look opens one"


class WatchResult(Recorded):
    """What one look has found and done.

    :param at: when it was
    :param reports: reports that are waited for
    :param nights: nights of them that were looked at
    :param unawaited: reports that nobody waits for, because they have no ``due``, or ``never``: only what went wrong is
        told of them
    :param open: the incidents that are open after it
    :param changed: the ids of those that it has opened, changed or closed
    :param sent: messages that were taken
    :param unsent: messages that were not, each with channel and reason
    :param blind: what could not be looked at, each with the reason: reports, sources
        of which nobody knows what their section says, incidents that cannot be read
    :param uncovered: what is wrong and told by no incident: its incident could not be written
    :param dag_looked: when the DAG looked last; ``None``: it never has
    :param is_dag_silent: the DAG stands still: Airflow's scheduler is dead, or the DAG is paused or not there
    """

    at: AwareDatetime
    reports: int
    nights: int
    unawaited: int = 0
    open: tuple[Incident, ...] = ()
    changed: tuple[str, ...] = ()
    sent: int = 0
    unsent: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    dag_looked: AwareDatetime | None = None
    is_dag_silent: bool = False

    @property
    def exit_code(self) -> int:
        """0: all is on time; 1: an incident is open; 2: somebody should look although none is: something could not be
        looked at, what is wrong is told by no incident, a message was not taken, or the DAG stands still that has
        looked before.
        """
        if self.open:
            return 1
        stands_still = self.is_dag_silent and self.dag_looked is not None
        return 2 if self.blind or self.uncovered or self.unsent or stands_still else 0

    def lines(self) -> list[str]:
        """Return what a person is told, the gravest first."""
        found = [f"{title_of(one)}; {one.press}" for one in self.open]
        found += [f"{one}{_UNTOLD}" for one in self.uncovered]
        found += [f"could not be looked at: {one}" for one in self.blind]
        found += [f"was not told: {one}" for one in self.unsent]
        if self.is_dag_silent:
            since = f"since {self.dag_looked:%Y-%m-%d %H:%M %Z}" if self.dag_looked else "yet"
            found.append(
                f"the DAG nightshift_watch has not looked {since}: look whether Airflow's scheduler lives, and whether "
                "the DAG is unpaused"
            )
        if not found and self.reports:
            found.append(f"all {self.nights} nights of {self.reports} reports are on time")
        if self.unawaited:
            found.append(
                f"nobody waits for {self.unawaited} reports (no due, or never): if one does not come, nobody is told"
            )
        return found or ["there is no report to wait for"]


def watch_once(
    lake: Lake,
    *,
    by: Watcher,
    folder: Path | None = None,
    now: datetime | None = None,
    airflow: AirflowView | None = None,
    base_url: str | None = None,
    channels: Mapping[str, Channel] | None = None,
) -> WatchResult:
    """Look once: find what is wrong, write it down, tell people. Blocks.

    Any number may look at the same time; each change is made by one of them, and each message sent by one. It takes two
    listings, and for each report two small requests; more only for nights that are not there.

    :param lake: where the nights and the incidents are
    :param by: who looks: the DAG, or the command
    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :param now: the moment; default: the present
    :param airflow: who can ask Airflow for the likely cause; ``None``: nobody
    :param base_url: where Airflow's UI is, for links
    :param channels: who is told; default: those of ``notify.yaml``
    :raises ConfigError: the configuration cannot be read at all
    :raises UnfitStore: the store of the lake cannot be written
    """
    moment = now or datetime.now(UTC)
    told = channels_about("nights", folder) if channels is None else channels
    configured, promotions = sources_in_force(folder), reports_awaited(folder)[0]
    return asyncio.run(_Watch(lake, configured, promotions, moment).look(by, airflow, told, base_url))


class _Watch:
    def __init__(
        self, lake: Lake, configured: SourcesInForce, promotions: Mapping[str, Sequence[str]], now: datetime
    ) -> None:
        self.lake, self.configured, self.promotions, self.now = lake, configured, promotions, now
        self.reports = watched_reports(configured.sources)
        self.memory, self.incidents = Memory(lake), Incidents(lake)
        self.first = first_watched(self.reports, now) or now.date().isoformat()

    async def look(
        self, by: Watcher, airflow: AirflowView | None, channels: Mapping[str, Channel], base_url: str | None
    ) -> WatchResult:
        remembered = await self.memory.read()
        lake = await look_at(NightIndex(self.lake), self.reports, self.first, self.now)
        expected = expected_nights(self.reports, await self._first(remembered, lake), self.now)
        seen = {one.key: lake.seen(one) for one in expected}
        absent = [one for one in expected if self._is_due(one) and seen[one.key].sight in _ABSENT]
        # What an attempt has said that failed says more than what it has landed.
        seen |= await landed(self.lake, [one for one in absent if seen[one.key].sight is Sight.NOTHING])
        causes: dict[Key, Reason] = {}
        if airflow is not None and absent:
            causes = await asyncio.to_thread(reasons, airflow, absent)
        before = await self._found(remembered)
        told = {(one.report, each.night) for each in before.incidents if each.is_open for one in each.troubled}
        further = nights_told(self.reports, told - seen.keys(), self.now)
        expected, seen = (*expected, *further), {**{one.key: lake.seen(one) for one in further}, **seen}
        unjudged = self._unjudged(remembered, before.incidents)
        await self._forget(remembered, unjudged)
        blind = {**unjudged, **{of: hide(why) for of, why in lake.blind.items()}}
        observed = Observed(self.now, expected, seen, causes, self.first, self.promotions, frozenset(blind))
        changed = await self._decided(observed, before, remembered)
        found = await self._found(remembered)
        known = found.incidents
        blind |= {f"{FOLDER}/{name}": why for name, why in found.unreadable.items()}
        untold = uncovered(observed, known)
        tried = await tell_all(self.incidents, known, channels, self.now, base_url=base_url)
        unseen = [Unseen(of=of, why=why) for of, why in blind.items()]
        unseen += [Unseen(of=each.report, why=f"{title_of(one)}{_UNTOLD}") for one in untold for each in one.members]
        await self.incidents.keep()
        await self.memory.looked(by, self.now, unseen)
        dag = self.now if by == "dag" else remembered.looked["dag"].at if "dag" in remembered.looked else None
        return WatchResult(
            at=self.now,
            reports=sum(1 for one in self.reports if one.due is not None),
            nights=sum(1 for one in expected if one.due is not None),
            unawaited=sum(1 for one in self.reports if one.due is None),
            open=tuple(one for one in known if one.is_open),
            changed=changed,
            sent=sum(1 for one in tried if one.sent is not None),
            unsent=tuple(f"{one.channel}: {one.error}" for one in tried if one.sent is None),
            blind=tuple(f"{of}: {why}" for of, why in blind.items()),
            uncovered=tuple(title_of(one) for one in untold),
            dag_looked=dag,
            is_dag_silent=dag is None or self.now - dag > SILENT,
        )

    def _unjudged(self, remembered: Remembered, known: Sequence[Incident]) -> dict[str, str]:
        """Return the sources of which nobody knows what their section says, each with why. That somebody waited for one
        is known from the memory and the incidents also where nothing was kept of its section.
        """
        told = self.configured
        waited = {report.partition("/")[0] for report in remembered.first} | {
            one.source for one in known if one.is_open
        }
        lost = waited - told.sources.keys() - told.removed - told.unknown.keys()
        why = {**told.unknown, **{name: told.why_unknown(name) for name in sorted(lost)}}
        return {
            name: f"{hide(text).rstrip('.')}. What is known of its nights stays as it is" for name, text in why.items()
        }

    async def _first(self, remembered: Remembered, lake: LakeSeen) -> dict[str, str]:
        """Return report → the first night that has to be there; what is waited for for the first time begins now."""
        first = dict(remembered.first)
        for one in self.reports:
            if one.due is None:
                # Nobody waits for it: only what went wrong is told, and that is there to be seen.
                first[one.report] = self.first
            elif one.report not in first and one.report not in lake.blind:
                first[one.report] = first_night(one, self.now, is_known=lake.is_known(one))
                await self.memory.begin(one.report, first[one.report])
        return first

    async def _forget(self, remembered: Remembered, unjudged: Collection[str]) -> None:
        """End the memory of what nobody waits for any more."""
        waited = {one.report for one in self.reports if one.due is not None}
        known = {one for one in remembered.first if one.partition("/")[0] not in unjudged}
        await self.memory.end(known - waited)

    async def _decided(self, observed: Observed, found: FoundIncidents, remembered: Remembered) -> tuple[str, ...]:
        """Write what changes; return what was not written by another at the same time."""
        decided = decide(observed, found.incidents, found.taken)
        written = [one for one in decided if await self.incidents.write(one)]
        if created := {one.id for one in written if one.revision == 1}:
            for one in doubled(created, (await self._found(remembered)).incidents, self.now):
                await self.incidents.write(one)
                created.discard(one.id)
        changed = [one for one in written if one.revision > 1 or one.id in created]
        for one in changed:
            log.info("%s", one.updates[-1].text if one.updates else one.id)
        return tuple(one.id for one in changed)

    async def _found(self, remembered: Remembered) -> FoundIncidents:
        last = min([self.now, *(one.at for one in remembered.looked.values())])
        since = min(night_of(self.first), last.date()) - REMEMBERED * DAY
        return await self.incidents.read(since.isoformat())

    def _is_due(self, one: ExpectedNight) -> bool:
        return one.due is not None and one.due <= self.now
