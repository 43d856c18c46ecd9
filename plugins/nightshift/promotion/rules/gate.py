"""Whether a step may go now: no hold, no freeze, and the window open. A no of any of them wins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nightshift.config.freezes import Freeze
from nightshift.config.stages import DeploymentWindow
from nightshift.promotion.rules.freeze import FreezeNow, frozen_at, spans
from nightshift.promotion.rules.hold import Hold, standing
from nightshift.promotion.rules.window import is_open, next_opening

HORIZON = timedelta(days=366)
"""How far ahead the moment is looked for at which a step may go."""
_ROUNDS = 1000


@dataclass(frozen=True)
class Barrier:
    """What stands in the way of a step.

    :param unknown: why nobody knows what is frozen
    :param until: when all of them let it go, as far as is known now
    """

    holds: tuple[Hold, ...] = ()
    frozen: tuple[FreezeNow, ...] = ()
    window: datetime | None = None
    unknown: str = ""
    until: datetime | None = None

    @property
    def words(self) -> str:
        """What stands in the way, why, and when it does no longer, in one line."""
        found = [*(one.words for one in self.holds), *(one.words for one in self.frozen)]
        if self.window is not None:
            found.append(f"the window opens {self.window:%Y-%m-%d %H:%M} UTC")
        if self.unknown:
            found.append(f"nobody knows what is frozen: {' '.join(self.unknown.split())}")
        until = f"may go {self.until:%Y-%m-%d %H:%M} UTC" if self.until else "nobody knows when it may go"
        return "; ".join([*found, until])


def barrier(
    at: datetime,
    *,
    holds: Iterable[Hold] = (),
    freezes: Sequence[Freeze] = (),
    is_overridden: Callable[[FreezeNow], bool] = lambda frozen: False,
    window: DeploymentWindow | None = None,
    unknown: str = "",
) -> Barrier | None:
    """Return what stands in the way now; ``None`` where nothing does.

    :param at: an aware time
    :param holds: those of the application
    :param freezes: those of the stage
    :param is_overridden: whether a person has overridden one that is in force
    :param window: that of the stage; ``None``: it may be deployed to at any time
    :param unknown: why nobody knows what is frozen; it keeps every step back
    """
    held = standing(holds, None, at)
    frozen = tuple(one for one in frozen_at(freezes, at) if not is_overridden(one))
    opens = next_opening(window, at) if window is not None and not is_open(window, at) else None
    if not held and not frozen and opens is None and not unknown:
        return None
    waived = waived_at(freezes, at, is_overridden)
    until = None if unknown else next_go(at, holds=held, freezes=freezes, waived=waived, window=window)
    return Barrier(held, frozen, opens, unknown, until)


def waived_at(
    freezes: Iterable[Freeze], at: datetime, is_overridden: Callable[[FreezeNow], bool]
) -> dict[str, datetime]:
    """Return the names of the freezes that are in force and overridden, each with its end: an override ends with it."""
    return {one.freeze.name: one.until for one in frozen_at(freezes, at) if is_overridden(one)}


def next_go(
    at: datetime,
    *,
    holds: Iterable[Hold] = (),
    freezes: Sequence[Freeze] = (),
    waived: Mapping[str, datetime] | None = None,
    window: DeploymentWindow | None = None,
) -> datetime | None:
    """Return the first instant from ``at`` on at which all let a step go; ``None``: not within :data:`HORIZON`, or as
    long as somebody holds it.

    :param waived: name of an overridden freeze → until when
    """
    ends = [one.until for one in holds]
    if None in ends:
        return None
    waived = waived or {}
    closed = sorted(
        (max(since, waived.get(one.name, since)), until)
        for one in freezes
        for since, until in spans([one], at, at + HORIZON)
    )
    moment = at
    for _ in range(_ROUNDS):
        later = max([moment, *(end for end in ends if end is not None)])
        later = max([later, *(until for since, until in closed if since <= later < until)])
        if window is not None:
            later = next_opening(window, later)
        if later == moment:
            return moment
        if later > at + HORIZON:
            return None
        moment = later
    return None
