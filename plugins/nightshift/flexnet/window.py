"""Which days to ask for so that a night comes home exactly once.

Two versions of the vendor's guide disagree on whether ``dateTo`` is part of the window (FlexNet reference, section
4.1). The vendor's own answers tell: the window that begins and ends on one day has rows only where ``dateTo`` is part
of it. Or where its first moment is: a vendor that compares moments, from midnight to midnight, has the rows of just
that midnight. Of both days asked for together it has more than of each of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta

from nightshift.errors import Rejected

AUTO = "auto"
INCLUSIVE = "inclusive"
EXCLUSIVE = "exclusive"
UNKNOWN = "unknown"
NEITHER = "neither"


@dataclass(frozen=True, kw_only=True)
class DayWindow:
    """The days asked for.

    :param date_from: first day, ``yyyy-MM-dd``
    :param date_to: the vendor's ``dateTo``
    :param date_to_is: ``inclusive`` or ``exclusive``: how ``date_to`` is read, as set or as found; ``unknown`` of a
        night without rows, however it is read; ``neither``: of the day of ``dateTo`` there are some rows, not all
    """

    date_from: str
    date_to: str
    date_to_is: str


@dataclass(frozen=True)
class Answer:
    """What the vendor has of a window.

    :param has_rows: whether it has rows
    :param count: how many, where it counts them
    """

    has_rows: bool
    count: int | None = None


def window_of(night: str, date_to_is: str, overlap: int = 0) -> DayWindow:
    """Return the window of a night for a vendor's reading of ``dateTo``.

    :param night: the night
    :param date_to_is: ``inclusive``, ``exclusive``, or ``unknown``: the window then has the night whatever the reading,
        and may have the day after it
    :param overlap: days asked for on either side; the rows of other nights are dropped when the night is published
    """
    day = date.fromisoformat(night)
    last = day + timedelta(days=overlap + (date_to_is != INCLUSIVE))
    return DayWindow(
        date_from=(day - timedelta(days=overlap)).isoformat(), date_to=last.isoformat(), date_to_is=date_to_is
    )


async def find_window(
    night: str, ask: Callable[[str, str], Awaitable[Answer]], count: Callable[[str, str], Awaitable[Answer]]
) -> DayWindow | None:
    """Find out how the vendor reads ``dateTo``, with two or three questions, and return the window of the night;
    ``None`` where no answer proves it: the night has no rows as yet, nor has the day after it where that is part.

    1. Does night to the next day have rows? Does night to night?
    2. Where either has, does the next day to itself? If that or night to night has rows, ``dateTo`` is part of the
       window, unless both days together have more rows than each for itself: then it is neither.
    3. If neither has, the rows are the night's, and ``dateTo`` is not part of it.

    In this order rows that come between two questions, as the vendor refreshes its reports, prove nothing wrong. Where
    the vendor does not count its rows however it is asked, nothing speaks against that ``dateTo`` is part.

    :param night: the night
    :param ask: asks the vendor what it has of a window from one day to another; one that it refuses as wrong has no
        rows
    :param count: asks so that the vendor counts, if it ever does; where ``ask`` brought no count
    """
    after = (date.fromisoformat(night) + timedelta(days=1)).isoformat()
    windows = (night, after), (night, night), (after, after)
    both, own = await ask(*windows[0]), await ask(*windows[1])
    if not (both.has_rows or own.has_rows):
        return None
    following = await ask(*windows[2])
    if not (own.has_rows or following.has_rows):
        return window_of(night, EXCLUSIVE)
    counts = [both.count, own.count, following.count]
    if None in counts:
        counts = [(await count(*window)).count for window in windows]
    return window_of(night, INCLUSIVE if _may_be_all(*counts) else NEITHER)


def _may_be_all(both: int | None, own: int | None, following: int | None) -> bool:
    """Say whether two days together may have the rows of each; a count that is capped, or one of each page, may be
    lower.
    """
    return both is None or own is None or following is None or both <= own + following


async def accepted(question: Awaitable[Answer]) -> Answer:
    """Take a window that the vendor refuses as wrong (400) for one without rows: an exclusive reader may refuse an
    empty window.
    """
    try:
        return await question
    except Rejected as refusal:
        if refusal.status != 400:
            raise
        return Answer(has_rows=False, count=0)
