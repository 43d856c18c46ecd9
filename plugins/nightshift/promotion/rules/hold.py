"""Whether a person has stopped the line: for one application or for all, until a time or until it is lifted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import AwareDatetime

from nightshift.fields import Frozen


class Lift(Frozen):
    """The end of a hold, by a person."""

    by: str
    reason: str
    at: AwareDatetime


class Hold(Frozen):
    """A person's word that nothing may change.

    :param id: names it; from the name of its object
    :param application: whom it stops; ``None``: all, as does one that cannot be read
    :param by: who said so, as the caller knows them
    :param until: when it ends by itself; ``None``: only when it is lifted
    :param lifted: how it was ended, if it was
    :param damage: what of it cannot be read; such a hold stands until it is lifted
    """

    id: str
    application: str | None
    by: str
    reason: str
    since: AwareDatetime
    until: AwareDatetime | None = None
    lifted: Lift | None = None
    damage: str = ""

    def stands(self, at: datetime) -> bool:
        """Tell whether it still stops what it is about.

        :param at: an aware time
        """
        return self.lifted is None and (self.until is None or at < self.until)

    @property
    def words(self) -> str:
        """Who stopped what, why and until when, in one line."""
        whom = self.application or "all applications"
        if self.damage:
            return f"{whom} held: {self.damage}. Look at it, then lift the hold {self.id}"
        until = f"until {self.until:%Y-%m-%d %H:%M %Z}" if self.until else "until somebody lifts it"
        return f"{whom} held by {self.by} since {self.since:%Y-%m-%d %H:%M %Z}, {until}: {self.reason} (hold {self.id})"


def standing(holds: Iterable[Hold], application: str | None, at: datetime) -> tuple[Hold, ...]:
    """Return the holds that stop an application now, the oldest first.

    :param application: ``None``: those that stop anything
    :param at: an aware time
    """
    found = (one for one in holds if one.stands(at) and application in (None, one.application or application))
    return tuple(sorted(found, key=lambda one: (one.since, one.id)))
