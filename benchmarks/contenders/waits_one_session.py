"""The floor for one request a poll: the plainest trigger there is, on one session for all waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from benchmarks.contenders.polling_trigger import PollingTrigger
from benchmarks.contenders.triggerer import loop_of_this_process
from benchmarks.jobs import FLEXDEPLOY

shared: list[aiohttp.ClientSession] = []


@asynccontextmanager
async def lent() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the one session; it ends with the process."""
    if not shared:
        shared.append(aiohttp.ClientSession())
    yield shared[0]


job, loop = loop_of_this_process()
interval = job["settings"]["interval_s"]
loop.run(lambda number: PollingTrigger(f"{job['origin']}{FLEXDEPLOY}{number}", interval, lent))
