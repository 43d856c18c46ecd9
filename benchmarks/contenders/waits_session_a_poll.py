"""A trigger that opens a session for every poll, as the hooks of many providers do."""

from __future__ import annotations

import aiohttp

from benchmarks.contenders.polling_trigger import PollingTrigger
from benchmarks.contenders.triggerer import loop_of_this_process
from benchmarks.jobs import FLEXDEPLOY

job, loop = loop_of_this_process()
interval = job["settings"]["interval_s"]
loop.run(lambda number: PollingTrigger(f"{job['origin']}{FLEXDEPLOY}{number}", interval, aiohttp.ClientSession))
