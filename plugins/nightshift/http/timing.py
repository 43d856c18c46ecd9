"""When a request leaves: its turn, the window that it has to leave in, and the wait before it is sent again.

Operators open the window, so this knows no HTTP library; :mod:`nightshift.http.transport` keeps to it.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nightshift.errors import BadResponse, RateLimited, TooLarge, Unreachable, VendorError

MINUTE = 60.0
REPEATED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may be answered rightly in a moment."""


class Pacer:
    """Gives out turns: at most ``requests_per_minute`` in any 60 seconds, first come first served.

    A turn is booked at once and for good, under a plain lock, and then waited for; so one pacer serves any number of
    event loops and threads, and nobody overtakes. A burst up to the limit goes out at once. A cancelled wait does not
    give its turn back: the vendor may be asked too seldom, never too often.

    :param requests_per_minute: more than 0; below 1, one request in more than a minute
    :param clock: seconds on a clock that never goes back
    """

    def __init__(self, requests_per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._turns: deque[float] = deque()
        self.allow(requests_per_minute)

    def allow(self, requests_per_minute: float) -> None:
        """Change the limit; turns that were given out stay."""
        if not requests_per_minute > 0:
            raise ValueError("requests_per_minute must be more than 0")
        with self._lock:
            self._limit = max(1, int(requests_per_minute))
            self._window = MINUTE * self._limit / requests_per_minute
            self._turns = deque(self._turns, maxlen=self._limit)

    def book(self) -> float:
        """Book the next turn and return the seconds until then."""
        with self._lock:
            now = self._clock()
            last = self._turns[-1] if self._turns else now
            full = len(self._turns) == self._limit
            turn = max(now, last, self._turns[0] + self._window if full else now)
            self._turns.append(turn)
            return turn - now

    async def turn(self) -> None:
        """Wait for the next turn."""
        if (wait := self.book()) > 0:
            await asyncio.sleep(wait)


_pacers: dict[str, Pacer] = {}
_pacers_lock = threading.Lock()


def pacer_of(conn_id: str, requests_per_minute: float | None) -> Pacer | None:
    """Return the one pacer of a connection in this process, or ``None`` where the connection has no limit.

    :param requests_per_minute: the connection's limit as it is now; it replaces an earlier one
    """
    with _pacers_lock:
        if requests_per_minute is None:
            _pacers.pop(conn_id, None)
            return None
        pacer = _pacers.get(conn_id)
        if pacer is None:
            pacer = _pacers[conn_id] = Pacer(requests_per_minute)
        else:
            pacer.allow(requests_per_minute)
        return pacer


class SendWindow:
    """A span of time from now on, by the wall clock and by one that goes on while the machine sleeps: the first
    counts.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._wall = time.time() + seconds
        self._awake = _elapsed() + seconds

    @property
    def left(self) -> float:
        """Seconds until it closes; below 0 where it has closed."""
        return min(self._wall - time.time(), self._awake - _elapsed())

    @property
    def is_over(self) -> bool:
        """Whether it has closed."""
        return self.left <= 0


_window: ContextVar[SendWindow | None] = ContextVar("nightshift_send_window", default=None)


@contextmanager
def sent_within(window: SendWindow) -> Iterator[None]:
    """Let requests that change something leave within a window only; those that change nothing are not concerned."""
    token = _window.set(window)
    try:
        yield
    finally:
        _window.reset(token)


def window_now() -> SendWindow | None:
    """Return the window that requests which change something have to keep to; ``None`` where there is none."""
    return _window.get()


def _elapsed() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Backoff:
    """Exponential waits with full jitter; what the vendor asks for is the floor.

    :param attempts: attempts in all, 1 or more
    :param first: seconds that the first wait is below; each next one may be twice as long
    :param longest: seconds; a vendor that asks for more is not waited for on the worker
    """

    def __init__(
        self, attempts: int = 5, first: float = 0.5, longest: float = 15.0, rng: random.Random | None = None
    ) -> None:
        self.attempts = attempts
        self.first = first
        self.longest = longest
        self._rng = rng or random.Random()  # noqa: S311  # spreads repeats; no secret

    def wait(self, error: VendorError, attempt: int, *, safe: bool) -> float | None:
        """Return the seconds to wait before the next attempt, or ``None`` where there must not be one.

        :param attempt: number of that attempt, from 1
        :param safe: whether the request changes nothing; else only what the vendor has surely not taken is repeated
        """
        if not _may_pass(error) or attempt >= self.attempts or (not safe and not _surely_not_taken(error)):
            return None
        floor = error.retry_after or 0.0
        if floor > self.longest:
            return None
        return max(floor, self.pause(attempt))

    def pause(self, attempt: int) -> float:
        """Return the jittered seconds after an attempt, counted from 1, where the vendor asks for none."""
        ceiling = min(self.longest, self.first * 2.0 ** min(attempt - 1, 16))
        return self._rng.uniform(0.0, ceiling)


def _may_pass(error: VendorError) -> bool:
    """Say whether the same request may be answered rightly in a moment: a refusal that passes, or a broken answer."""
    if isinstance(error, BadResponse):
        return not isinstance(error, TooLarge) and (error.status is None or 200 <= error.status < 300)
    return isinstance(error, RateLimited | Unreachable) and (error.status is None or error.status in REPEATED)


def _surely_not_taken(error: VendorError) -> bool:
    return isinstance(error, RateLimited) or (isinstance(error, Unreachable) and error.status is None)
