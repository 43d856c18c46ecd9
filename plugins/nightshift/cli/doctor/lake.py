"""What the lake tells: whether it is there, keeps its conditions and its time, and whether its index is fresh."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.cli.doctor.finding import Finding, bad, ok, warn
from nightshift.lake import objects

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

SKEW = timedelta(seconds=30)
SLOW = 5.0
"""Seconds for a few small requests."""


def writes(lake: Lake) -> Iterator[Finding]:
    """Write on the condition that nothing is there, and that it is as it was read, each twice, and look at the clock of
    the store.
    """
    began = time.monotonic()
    tried = objects.try_condition(lake)
    yield from judged(lake.url, tried, time.monotonic() - began, datetime.now(UTC))


def judged(url: str, tried: objects.Tried, seconds: float, now: datetime) -> Iterator[Finding]:
    """Return what a try means.

    :param seconds: how long it took
    """
    if tried.is_kept and tried.is_compared:
        yield ok("conditional writes", f"tried in {url}: the second of two writers was refused")
    elif tried.is_kept:
        yield bad(
            "conditional writes",
            f"the store of {url} ignores the condition that an object is as it was read: a worker that was frozen "
            "would write over what a newer one has written down of a promotion",
            "Take a store that keeps If-Match (AWS S3, Google Cloud Storage, Azure, MinIO, R2), or pass the header on.",
        )
    else:
        yield bad(
            "conditional writes",
            f"the store of {url} ignores the condition that an object does not exist: two writers would both succeed",
            "Take a store that keeps If-None-Match (AWS S3, Google Cloud Storage, Azure, MinIO, R2), or pass the "
            "header on.",
        )
    if seconds > SLOW:
        yield warn(
            "speed of the lake", f"a few small requests took {seconds:.1f} s", "Look at the network to the store."
        )
    skew = abs(now - tried.written)
    if skew > SKEW + timedelta(seconds=seconds):
        yield bad(
            "clock of the lake",
            f"the store's clock and this one are {skew.total_seconds():.0f} s apart",
            "Have both synchronised (NTP): nights end, holds and tokens expire by the clock.",
        )
    else:
        yield ok("clock of the lake", f"{skew.total_seconds():.0f} s from this one")


def index(lake: Lake) -> Iterator[Finding]:
    """Compare the index of the nights with the tables' own logs."""
    import asyncio

    from nightshift.config.reports import sources_in_force
    from nightshift.nights.index import stale_reports

    reports = {name: tuple(one.groups) for name, one in sources_in_force().sources.items()}
    stale = asyncio.run(stale_reports(lake, reports))
    if stale:
        yield warn(
            "index of the nights",
            f"does not say what the tables of {', '.join(stale)} say; whoever looks makes up for it, which takes "
            "longer",
            "Run `nightshift nights rebuild-index`.",
        )
    else:
        yield ok("index of the nights", f"says what the tables of {sum(map(len, reports.values()))} reports say")
