"""How long to wait before a request is repeated."""

from __future__ import annotations

import random

from nightshift.errors import BadResponse, RateLimited, TooLarge, Unreachable, VendorError
from nightshift.retry_after import retry_after

__all__ = ["REPEATED", "Backoff", "retry_after"]


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


REPEATED = frozenset({408, 425, 429, 500, 502, 503, 504})


def _may_pass(error: VendorError) -> bool:
    """Say whether the same request may be answered rightly in a moment: a refusal that passes, or a broken answer."""
    if isinstance(error, BadResponse):
        return not isinstance(error, TooLarge) and (error.status is None or 200 <= error.status < 300)
    return isinstance(error, RateLimited | Unreachable) and (error.status is None or error.status in REPEATED)


def _surely_not_taken(error: VendorError) -> bool:
    return isinstance(error, RateLimited) or (isinstance(error, Unreachable) and error.status is None)
