"""What all records of an application tell: what runs in each stage, what got through it, what was built last.

The index says which record tells it, and that record has the last word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from nightshift.promotion.aim import aim_at
from nightshift.promotion.doubts import Doubt
from nightshift.promotion.index import Index, read_index
from nightshift.promotion.record import Running, Version
from nightshift.promotion.rules.progress import all_ended_in_doubt, built, deployed, passes
from nightshift.promotion.summary import all_doubted, brought_elsewhere, newest_running
from nightshift.promotion.target import BUILD, Target

if TYPE_CHECKING:
    from nightshift.promotion.store import Records

CLOCK_SKEW = timedelta(minutes=5)
"""By how much the clocks of workers and of the object store may differ."""
Targets = Mapping[str, Target]
"""Stage, or ``build`` → its target."""


class History:
    """The records of an application as they were at one moment; who waits in between reads them anew.

    :param index: of these records, as it was read
    """

    def __init__(self, records: Records, index: Index) -> None:
        self.records = records
        self.index = index

    @classmethod
    async def read(cls, records: Records) -> Self:
        """Read the index, and what has changed since it was written; see :func:`nightshift.promotion.index.read_index`."""
        return cls(records, await read_index(records))

    async def running(
        self, stages: Collection[str], *, but: str | None = None, of: Targets | None = None
    ) -> dict[str, Running | None]:
        """Return stage → what runs there; ``None`` where no record tells of a deployment.

        :param but: the run whose record is left out
        :param of: the targets that are asked about; default: whatever the records tell
        :raises Damaged: a record that may tell otherwise cannot be read
        """
        aim = await aim_at(self.records, of)
        found = newest_running((one for one in self.index.summaries if one.run_id != but), aim)
        borne_out = {stage: await self._borne_out(stage, found.get(stage)) for stage in stages}
        self._refuse_damage([None if one is None else one.since for one in borne_out.values()])
        return borne_out

    async def elsewhere(self, of: Targets) -> dict[str, str]:
        """Return stage → what was brought there last, in words, where all is of other targets than the one that is
        asked about.
        """
        return brought_elsewhere(self.index.summaries, await aim_at(self.records, of))

    async def doubts(
        self, *, but: str | None = None, whole: bool = False, of: Targets | None = None
    ) -> dict[str, Doubt]:
        """Return stage → the deployment there that is not known to have ended well, where none ended well since, as its
        own record has it.

        :param but: the run whose record is left out
        :param whole: with those of other promotions before it of which that is true as well, see :attr:`Doubt.before`
        :param of: the targets that are asked about; default: whatever the records tell
        """
        found: dict[str, Doubt] = {}
        summaries = [one for one in self.index.summaries if one.run_id != but]
        aim = await aim_at(self.records, of)
        for stage, run_ids in all_doubted(summaries, aim).items():
            for run_id in reversed(run_ids) if whole else run_ids[:1]:
                record = await self.records.read(run_id)
                for step in all_ended_in_doubt(record, stage) if record is not None else ():
                    if not aim.other(stage, step.target):
                        found[stage] = Doubt(run_id, step, found.get(stage))
        return found

    async def has_passed(self, stage: str, version_id: int, *, of: Targets | None = None) -> bool:
        """Return whether a version got through a stage, by any promotion of the application.

        :param of: the targets that are asked about; default: whatever the records tell
        :raises Damaged: no record says so, and one cannot be read
        """
        aim = await aim_at(self.records, of)
        for one in self.index.summaries:
            if (stage, version_id) in one.passed:
                record = await self.records.read(one.run_id)
                for step in passes(record) if record is not None else ():
                    is_it = step.stage == stage and step.version is not None and step.version.id == version_id
                    if is_it and not aim.other(stage, step.target):
                        return True
        self.index.whole()
        return False

    async def last_built(self, *, but: str | None = None, of: Target | None = None) -> Version | None:
        """Return the version that the application's promotions built last.

        :param but: the run whose record is left out
        :param of: of what it has to be; default: whatever the records tell
        :raises Damaged: a record that may tell otherwise cannot be read
        """
        aim = await aim_at(self.records, None if of is None else {BUILD: of})
        builds = [
            (one.built, one.run_id)
            for one in self.index.summaries
            if one.built is not None and one.run_id != but and not aim.other(BUILD, one.built.target)
        ]
        last = max(builds, key=lambda one: one[0].place, default=None)
        self._refuse_damage([None if last is None else last[0].since])
        record = None if last is None else await self.records.read(last[1])
        return None if record is None else built(record)

    async def named(self, version: Version, *, server: str) -> Version:
        """Return a version that was given by its id alone with the name that a record tells; as it is where none does.

        :param server: address of the FlexDeploy that gave the id; empty: not known
        """
        for one in self.index.summaries:
            known = [*one.deployed, *([one.built] if one.built is not None else ())]
            # Another server gives its own versions the same ids.
            if one.server and server and one.server != server:
                continue
            if not any(each.id == version.id and each.name for each in known):
                continue
            if (record := await self.records.read(one.run_id)) is not None:
                told = [*(there.version for there in deployed(record).values()), built(record)]
                for each in told:
                    if each is not None and each.id == version.id and each.name is not None:
                        return each
        return version

    async def _borne_out(self, stage: str, found: Running | None) -> Running | None:
        """Return what the index tells of a stage, as the record itself has it."""
        record = None if found is None else await self.records.read(found.run_id)
        return None if record is None else deployed(record).get(stage)

    def _refuse_damage(self, since: Collection[datetime | None]) -> None:
        """Refuse to tell anything where a record that cannot be read may tell something newer.

        :raises Damaged: one may
        """
        for changed, error in self.index.damaged:
            if any(one is None or one <= changed + CLOCK_SKEW for one in since):
                raise error
