"""The overview: one tile a part."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from nightshift.board.models.answers import Answer, Press, Trouble
from nightshift.board.models.operations import SignInState
from nightshift.board.models.promotions import FigureLine, FreezeLine, HoldLine, WaitLine
from nightshift.nights.cells import CellState


class NightTile(Answer):
    """The newest night at a glance: how many of its reports are in which state.

    Each report counts with the newest night that is over where its source counts days.

    :param night: the newest of these nights
    :param oldest: the oldest of them; ``null``: all are of one night
    :param late_since: when the first of those that are not there was due
    """

    night: str
    oldest: str | None = None
    reports: int
    states: dict[CellState, int]
    late_since: AwareDatetime | None = None


class PromotionTile(Answer):
    """Promotions at a glance.

    :param waiting: what those under way wait for, the oldest first
    """

    under_way: int
    waiting: tuple[WaitLine, ...] = ()
    failed: tuple[str, ...] = ()


class LineTile(Answer):
    """Whether the line moves: holds and freezes that are on, and the next freeze."""

    moving: bool
    holds: tuple[HoldLine, ...] = ()
    freezes: tuple[FreezeLine, ...] = ()


class SignInTile(Answer):
    """A connection for which somebody has to sign in, now or soon.

    :param state: what is wrong with it
    :param ends: when it ends, or ended; ``null``: that is not known
    """

    connection: str
    state: SignInState
    ends: AwareDatetime | None = None


class Overview(Answer):
    """The first view. A tile that is ``null`` is broken, and a :class:`Trouble` says why, or is not for this person.

    :param refresh: seconds until the front end should ask again
    :param user: the person's name, as Airflow has it
    :param sign_ins: those that somebody is needed for
    :param watched: when the watch last looked; ``null``: never, or the incidents cannot be read
    """

    now: AwareDatetime
    user: str
    version: str
    refresh: int = 20
    timezones: dict[str, str] = Field(default_factory=dict)
    night: NightTile | None = None
    promotions: PromotionTile | None = None
    line: LineTile | None = None
    figures: tuple[FigureLine, ...] | None = None
    jobs: int | None = None
    jobs_in_doubt: int = 0
    connections_failing: tuple[str, ...] | None = None
    sign_ins: tuple[SignInTile, ...] | None = None
    incidents_open: int | None = None
    watched: AwareDatetime | None = None
    presses: tuple[Press, ...] = ()
    troubles: tuple[Trouble, ...] = ()
