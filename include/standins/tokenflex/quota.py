"""Rate limits: a plain number of requests a minute, or the documented average with one burst (reference 5.2)."""

from __future__ import annotations

import math
from collections import deque

from include.standins.tokenflex.switches import RateLimit

MINUTE = 60.0


class Quota:
    """Counts the requests of each user, all apps together. A refused request costs nothing.

    The documented limit, 5 a minute on the average of 8 hours plus one burst of 50, is a bucket of 50 that fills at 5 a minute.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        self._recent: dict[str, deque[float]] = {}

    def wait(self, who: str, now: float, limit: RateLimit, per_minute: int, burst: int) -> int:
        """Take one request of a user.

        :param who: the user
        :param now: seconds
        :return: 0, or after how many seconds to come again
        """
        match limit:
            case RateLimit.OFF:
                return 0
            case RateLimit.PLAIN:
                return self._plain(who, now, per_minute)
            case RateLimit.DOCUMENTED:
                return self._bucket(who, now, per_minute, burst)

    def _plain(self, who: str, now: float, per_minute: int) -> int:
        recent = self._recent.setdefault(who, deque())
        while recent and (recent[0] <= now - MINUTE or recent[0] > now):
            recent.popleft()
        if len(recent) >= per_minute:
            return max(1, math.ceil(recent[0] + MINUTE - now))
        recent.append(now)
        return 0

    def _bucket(self, who: str, now: float, per_minute: int, burst: int) -> int:
        left, at = self._buckets.get(who, (float(burst), now))
        left = min(float(burst), left + max(0.0, now - at) * per_minute / MINUTE)
        if left < 1:
            self._buckets[who] = (left, now)
            return max(1, math.ceil((1 - left) * MINUTE / per_minute))
        self._buckets[who] = (left - 1, now)
        return 0
