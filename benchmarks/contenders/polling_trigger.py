"""The trigger that many providers have: ask, look at the state, sleep, ask again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from airflow.triggers.base import BaseTrigger, TriggerEvent


class PollingTrigger(BaseTrigger):
    """Wait for one job.

    :param url: where its state is asked for
    :param interval: seconds between polls
    :param session: lends the session of one poll
    """

    def __init__(
        self, url: str, interval: float, session: Callable[[], AbstractAsyncContextManager[aiohttp.ClientSession]]
    ) -> None:
        super().__init__()
        self.url = url
        self.interval = interval
        self.session = session

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and its arguments."""
        return f"{__name__}.PollingTrigger", {"url": self.url, "interval": self.interval}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until it is done."""
        while True:
            async with self.session() as session, session.get(self.url) as answer:
                answer.raise_for_status()
                state = (await answer.json())["workflowRequestStatus"]
            if state == "COMPLETED":
                yield TriggerEvent(state)
                return
            await asyncio.sleep(self.interval)
