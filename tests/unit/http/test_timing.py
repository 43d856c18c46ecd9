from __future__ import annotations

import asyncio
import random

import pytest

from include.standins.scripted import Scripted
from nightshift.errors import Ambiguous, RateLimited, Rejected, Unreachable
from nightshift.http.timing import Backoff, Pacer, pacer_of
from tests.unit.http.acme import MakeHook


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_never_more_than_the_limit_in_a_minute() -> None:
    clock = Clock()
    pacer = Pacer(5, clock)
    turns = []
    for step in range(200):
        clock.now += (0.0, 7.0, 1.3, 40.0)[step % 4] if step > 20 else 0.0
        turns.append(clock.now + pacer.book())
    assert turns == sorted(turns)
    assert all(later - earlier >= 60 for earlier, later in zip(turns, turns[5:], strict=False))
    assert turns[4] == 1000.0


def test_less_than_one_a_minute() -> None:
    pacer = Pacer(0.5, Clock())
    assert [pacer.book() for _ in range(3)] == [0, 120, 240]


def test_a_new_limit_keeps_what_was_given_out() -> None:
    pacer = Pacer(2, Clock())
    assert [pacer.book(), pacer.book()] == [0, 0]
    pacer.allow(3)
    assert [pacer.book(), pacer.book()] == [0, 60]
    with pytest.raises(ValueError, match="more than 0"):
        pacer.allow(0)


async def test_hooks_of_one_connection_share_a_pacer(vendor: Scripted, connect: MakeHook) -> None:
    extra = {"extra": {"requests_per_minute": 600}}
    async with connect(conn=extra) as one, connect(conn=extra) as two:
        await asyncio.gather(one.request("GET", "/"), two.request("GET", "/"))
        pacer = pacer_of("acme_default", 2)
        assert pacer is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await one.request("GET", "/")
        assert pacer.book() > 50
    assert len(vendor.seen) == 2
    assert pacer_of("acme_default", None) is None


def test_waits() -> None:
    backoff = Backoff(rng=random.Random(7))
    waits = [backoff.wait(Unreachable("x"), attempt, safe=True) for attempt in range(1, 5)]
    again = Backoff(rng=random.Random(7))
    assert waits == [again.wait(Unreachable("x"), attempt, safe=True) for attempt in range(1, 5)]
    assert all(wait is not None and 0 <= wait <= 0.5 * 2**n for n, wait in enumerate(waits))
    assert backoff.wait(Unreachable("x"), 5, safe=True) is None
    assert backoff.wait(RateLimited("x", status=429, retry_after=15), 1, safe=True) == 15
    assert backoff.wait(RateLimited("x", status=429, retry_after=15.1), 1, safe=True) is None
    assert backoff.wait(Unreachable("x", status=503), 1, safe=False) is None
    assert backoff.wait(Unreachable("x", status=501), 1, safe=True) is None
    assert backoff.wait(Ambiguous("x"), 1, safe=True) is None
    assert backoff.wait(Rejected("x"), 1, safe=True) is None
