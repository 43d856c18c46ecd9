"""Which days to ask for so that a night comes home exactly once.

Two versions of the vendor's guide disagree on whether ``dateTo`` is part of the window (FlexNet reference, section
4.1). The vendor's own answers tell: the window that begins and ends on one day has rows only where ``dateTo`` is part
of it.
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


@dataclass(frozen=True, kw_only=True)
class DayWindow:
    """The days asked for.

    :param date_from: first day, ``yyyy-MM-dd``
    :param date_to: the vendor's ``dateTo``
    :param date_to_is: ``inclusive`` or ``exclusive``: how ``date_to`` is read, as set or as found; ``unknown`` of a night
        without rows, however it is read
    """

    date_from: str
    date_to: str
    date_to_is: str


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


async def find_window(night: str, has_rows: Callable[[str, str], Awaitable[bool]]) -> DayWindow | None:
    """Find out how the vendor reads ``dateTo``, with at most three questions, and return the window of the night;
    ``None`` where no answer proves it: the night has no rows as yet, nor has the day after it where that is part.

    1. Does night to the next day have rows?
    2. Night to night has rows: ``dateTo`` is part of the window.
    3. It has none, and night to the next day has some: they are the night's, unless the next day to itself has rows,
       which shows that ``dateTo`` is part of the window and the night empty.

    In this order rows that come between two questions, as the vendor refreshes its reports, prove nothing wrong.

    :param night: the night
    :param has_rows: asks the vendor whether a window from one day to another has rows; a window that it refuses as
        wrong has none
    """
    after = (date.fromisoformat(night) + timedelta(days=1)).isoformat()
    has_any = await has_rows(night, after)
    if await has_rows(night, night):
        return window_of(night, INCLUSIVE)
    if not has_any:
        return None
    if await has_rows(after, after):
        return window_of(night, INCLUSIVE)
    return window_of(night, EXCLUSIVE)


async def accepted(question: Awaitable[bool]) -> bool:
    """Take a window that the vendor refuses as wrong (400) for one without rows: an exclusive reader may refuse an
    empty window.
    """
    try:
        return await question
    except Rejected as refusal:
        if refusal.status != 400:
            raise
        return False
