"""No more requests a minute than a connection allows, counted over everything this process sends on it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

MINUTE = 60.0


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
