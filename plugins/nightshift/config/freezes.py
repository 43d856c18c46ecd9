"""The models of ``freezes`` in ``promotions.yaml``: when nothing is brought to a stage, whatever is approved and
open.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, RootModel, model_validator

from nightshift.config.document import Location
from nightshift.config.in_force import ConfigFile, Rules
from nightshift.config.recurrence import FIRST_YEAR, LAST_YEAR, Recurrence, parts_of
from nightshift.config.reports import Section
from nightshift.config.scalars import Duration, Text, Zone
from nightshift.config.steps import once
from nightshift.fields import nearest
from nightshift.local_time import instant

FREEZES = "freezes"
"""The key of ``promotions.yaml`` that is no application."""
LONGEST = timedelta(days=366)
"""How long a freeze of a rule may go on, its repetitions taken together."""


_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})([ T]\d{2}:\d{2}(:00)?)?", re.ASCII)
"""A day, or a time of it. ISO 8601 has more forms, a week among them: which day of it would be meant, nobody knows."""


def _moment(given: Any, *, whole_day: bool) -> str:
    """Return a local time as ``YYYY-MM-DDTHH:MM``.

    :param whole_day: a day alone is meant with all of it
    """
    found = _MOMENT.fullmatch(given.strip()) if isinstance(given, str) else None
    try:
        at = datetime.fromisoformat(found[0]) if found is not None else None
    except ValueError:
        at = None
    if found is None or at is None:
        raise ValueError(
            "must be a day or a time of it in the zone of the freeze, such as 2026-12-18 or 2026-12-18 18:00"
        )
    if not FIRST_YEAR <= at.year < LAST_YEAR:
        raise ValueError(f"must be from the year {FIRST_YEAR} to {LAST_YEAR - 1}")
    return (at + timedelta(days=whole_day and found[2] is None)).isoformat(timespec="minutes")


def _rule(given: str) -> str:
    parts_of(given)
    return given


class Freeze(Section):
    """A time in which nothing is brought to a stage: from one moment to another, or again and again by a rule.

    Whatever a window says: what may not go, waits. What has begun goes on. A version is built all the same, which
    changes no stage.

    :param name: what people call it, such as ``year end``
    :param reason: why; shown to whoever waits
    :param timezone: zone that the times are of
    :param from: a time such as ``2026-12-18 18:00``, or a day, which it begins. With a rule: the first time that it may
        begin; its time of the day is that of all
    :param to: a time, which is no longer in it, or a day, which is the last one in it; not with a rule
    :param rrule: when it begins again: a rule of days as RFC 5545 has it, such as
        ``FREQ=YEARLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1``
    :param duration: how long it goes on each time, ``1s`` to ``366d``; with a rule only. Whole days are days of the
        calendar, whatever the clocks do meanwhile
    :param applications: whom it concerns; none named: all
    :param stages: names of the stages that it concerns; none named: all
    :param override: people who may override it for one stage of one promotion, as they sign in to Airflow; nobody
        named: nobody may
    """

    name: Text
    reason: Text
    timezone: Zone
    begins: Annotated[str, BeforeValidator(partial(_moment, whole_day=False))] = Field(alias="from")
    ends: Annotated[str, BeforeValidator(partial(_moment, whole_day=True))] | None = Field(default=None, alias="to")
    rrule: Annotated[Text, AfterValidator(_rule)] | None = None
    duration: Duration | None = None
    applications: Annotated[tuple[Text, ...], once("application")] = ()
    stages: Annotated[tuple[Text, ...], once("stage")] = ()
    override: Annotated[tuple[Text, ...], once("user")] = ()

    @model_validator(mode="after")
    def _sound(self) -> Freeze:
        if self.rrule is None:
            if self.ends is None or self.duration is not None:
                raise ValueError("needs to, or rrule and duration")
            if self.ends <= self.begins:
                raise ValueError("to is not after from")
            if self.span[1] <= self.span[0]:
                raise ValueError(f"the clocks of {self.timezone} leave out all of it; give a time that there is")
            return self
        if self.ends is not None or self.duration is None:
            raise ValueError("with rrule it needs duration, and no to")
        if self.recurrence.first is None:
            raise ValueError("rrule never comes")
        if self._goes_on_for_ever():
            raise ValueError("rrule comes again before duration is over, for more than a year on end; give from and to")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """When it begins and when it is over, in UTC.

        :raises LookupError: it has a rule
        """
        if self.ends is None:
            raise LookupError(f"{self.name} has a rule")
        begins, ends = datetime.fromisoformat(self.begins), datetime.fromisoformat(self.ends)
        return instant(begins, self.zone, fold=0), instant(ends, self.zone, fold=1)

    @property
    def recurrence(self) -> Recurrence:
        """When it begins.

        :raises LookupError: it has no rule
        """
        if self.rrule is None:
            raise LookupError(f"{self.name} has no rule")
        return Recurrence(self.rrule, datetime.fromisoformat(self.begins), self.zone)

    def concerns(self, application: str, stage: str) -> bool:
        """Tell whether it concerns a stage."""
        return (not self.applications or application in self.applications) and (not self.stages or stage in self.stages)

    def _goes_on_for_ever(self) -> bool:
        length, first = self.duration or timedelta(), self.recurrence.first
        if first is None:
            return False
        starts = self.recurrence.starts(first, first + LONGEST + length)
        gaps = pairwise(starts)
        return len(starts) > 1 and starts[-1] - first + length > LONGEST and all(b - a <= length for a, b in gaps)


class Freezes(RootModel[Annotated[tuple[Freeze, ...], once("freeze", lambda one: one.name)]]):
    """The freezes of all applications."""

    @model_validator(mode="before")
    @classmethod
    def _a_list(cls, given: Any) -> Any:
        if not isinstance(given, list | tuple):
            raise ValueError(
                "is the list of freezes: '- ' before each, or [] for none; an application cannot be called freezes, "
                "give it another name"
            )
        return given


@dataclass(frozen=True)
class FreezeRules:
    """The freezes that count.

    :param unknown: why nobody knows which; nothing is brought to any stage then
    """

    freezes: tuple[Freeze, ...] = ()
    unknown: str = ""

    def of(self, application: str, stage: str) -> tuple[Freeze, ...]:
        """Return those that concern a stage."""
        return tuple(one for one in self.freezes if one.concerns(application, stage))


NO_FREEZES = FreezeRules()


def freezes_of(
    file: ConfigFile, stages: Mapping[str, Collection[str]], rules: Rules[Freezes] | None = None
) -> FreezeRules:
    """Return the freezes that count: those of the file, or, while a mistake is in them, those of before.

    A mistake never opens the gate: where there is one and nothing was kept of before, nothing is brought anywhere;
    where the key is gone, what it said still counts.

    :param file: ``promotions.yaml``; is given what is wrong with them
    :param stages: application → its stages, as far as they are known
    :param rules: says what else is wrong with them
    """

    def all_rules(found: Freezes) -> Iterator[tuple[Location, str]]:
        yield from _unknown_names(found.root, {name for name in file.names if name != FREEZES}, stages)
        yield from rules(found) if rules is not None else ()

    before = len(file.mistakes)
    section = file.section(FREEZES, Freezes, rules=all_rules, counts_gone=True)
    if section is None:
        # A copy that nobody can read is a freeze that nobody knows, too.
        is_lost = FREEZES in (file.names if file.document is None else file.gone)
        mistakes = file.mistakes[before:] or [f"{file.path}: {FREEZES}: what it said before cannot be read"] * is_lost
        return FreezeRules(unknown="\n".join(mistakes))
    if FREEZES in file.gone and section.root:
        file.mistakes.append(
            f"{file.path}: {FREEZES}: is no longer here, and what it said still counts. Put it back, or write "
            f"'{FREEZES}: []' where nothing is frozen any more."
        )
    return FreezeRules(section.root)


def _unknown_names(
    freezes: Sequence[Freeze], names: Collection[str], stages: Mapping[str, Collection[str]]
) -> Iterator[tuple[Location, str]]:
    for number, freeze in enumerate(freezes):
        for at, name in enumerate(freeze.applications):
            if name not in names:
                yield (number, "applications", at), f"{name!r} is not an application of this file{nearest(name, names)}"
        concerned = freeze.applications or tuple(names)
        if not all(name in stages for name in concerned):
            continue
        known = {label for name in concerned for label in stages[name]}
        for at, label in enumerate(freeze.stages):
            if label not in known:
                yield (number, "stages", at), f"{label!r} is not a stage of what it concerns{nearest(label, known)}"
