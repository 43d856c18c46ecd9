"""Which step has a workflow request: one request is the work of one step of one promotion."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nightshift.promotion.record import Record, Step
from nightshift.promotion.store import FOLDER, names_in, read_object

if TYPE_CHECKING:
    from collections.abc import Collection

    from nightshift.lake.store import Lake

_AT_ONCE = 32


async def holder_of(lake: Lake, requests: Collection[int], *, server: str, but: tuple[str, str, str]) -> str:
    """Return the step that has one of these workflow requests, in words; empty where none has.

    Reads every record of every application: it is asked for only when a person names a request.

    :param requests: ids of workflow requests
    :param server: address of FlexDeploy; steps that are known to be of another one have other requests of the same ids
    :param but: application, run and task of the step that asks
    :raises Damaged: a record cannot be read
    """
    store, gate = lake.objects(FOLDER), asyncio.Semaphore(_AT_ONCE)

    async def held_in(name: str) -> str:
        async with gate:
            text = await read_object(store, name)
        record = None if text is None else Record.from_json(text, f"{FOLDER}/{name}")
        for step in record.steps if record is not None else ():
            if (
                record is not None
                and but != (record.application, record.run_id, step.task)
                and _has(step, requests, server)
            ):
                return f"{step.task} of run {record.run_id} of {record.application}"
        return ""

    found = await asyncio.gather(*(held_in(name) for name, _ in await names_in(store)))
    return next((one for one in found if one), "")


def _has(step: Step, requests: Collection[int], server: str) -> bool:
    elsewhere = step.url is not None and not step.url.startswith(server)
    return not elsewhere and not set(requests).isdisjoint(step.requests)
