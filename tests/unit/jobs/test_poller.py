from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from include.standins import FaultKind
from nightshift.errors import VendorError
from nightshift.jobs import poller as room
from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.poller import follow
from nightshift.jobs.state import JobStatus
from nightshift.jobs.waiting import EventKind, JobEvent, WaitPlan, Watch
from tests.unit.jobs.acme import Acme, AcmeAdapter, BulkAdapter

LOG: Any = logging.getLogger("poller tests")


class MixedUp(BulkAdapter):
    """Answers with another job for what its vendor does not have."""

    async def status(self, ids: Sequence[str]) -> Mapping[str, JobStatus | VendorError]:
        found = await super().status([*ids, str(self.options["shows"])])
        return {one: found.get(one, found[str(self.options["shows"])]) for one in ids}


@pytest.fixture(autouse=True)
def _connected(vendor: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME", json.dumps({"conn_type": "http", "host": vendor.url}))
    AcmeAdapter.opened = 0


def watch(job_id: str, *, first: float = 0.05, cap: float = 0.1, seconds: float = 30.0, **more: Any) -> Watch:
    now = time.time()
    plan = WaitPlan(job_id=job_id, started=now, deadline=now + seconds, first=first, cap=cap, **more)
    return Watch(plan, now)


async def settle(spec: AdapterSpec, *watches: Watch) -> list[JobEvent]:
    return await asyncio.gather(*(follow(spec, one, LOG) for one in watches))


async def test_two_hundred_waits_share_their_requests(vendor: Acme) -> None:
    jobs = [vendor.add(*["running"] * 3, "done") for _ in range(200)]
    events = await settle(AdapterSpec.of(BulkAdapter, "acme"), *(watch(job.id, seed=n) for n, job in enumerate(jobs)))
    assert {event.kind for event in events} == {EventKind.ENDED}
    assert sorted(event.job_id for event in events) == sorted(job.id for job in jobs)
    assert sum(event.polls for event in events) == 800
    assert vendor.requests["bulk"] <= 30
    assert AcmeAdapter.opened == 1


async def test_single_polls_share_one_session(vendor: Acme) -> None:
    jobs = [vendor.add("running", "done") for _ in range(50)]
    await settle(AdapterSpec.of(AcmeAdapter, "acme"), *(watch(job.id, seed=n) for n, job in enumerate(jobs)))
    assert vendor.requests["poll"] == 100
    assert AcmeAdapter.opened == 1


async def test_all_waits_together_keep_to_the_budget(vendor: Acme) -> None:
    jobs = [vendor.add(*["running"] * 2, "done") for _ in range(20)]
    spec = AdapterSpec.of(BulkAdapter, "acme", per_minute=300)
    began = time.monotonic()
    await settle(spec, *(watch(job.id, first=0.01, cap=0.01, seed=n) for n, job in enumerate(jobs)))
    assert vendor.requests["bulk"] <= 1 + (time.monotonic() - began) / 0.2


async def test_a_wait_is_answered_within_an_interval_of_being_ready(vendor: Acme) -> None:
    slow = [vendor.add("running") for _ in range(20)]
    ready = vendor.add("done")
    spec = AdapterSpec.of(BulkAdapter, "acme")
    others = [asyncio.create_task(follow(spec, watch(job.id, first=0.3, cap=0.3), LOG)) for job in slow]
    await follow(spec, watch(ready.id, first=0.3, cap=0.3), LOG)
    assert vendor.requests["bulk"] <= 2
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def test_it_ends_with_its_last_wait_and_leaves_nothing(vendor: Acme) -> None:
    before = asyncio.all_tasks()
    job = vendor.add("running")
    waits = [asyncio.create_task(follow(AdapterSpec.of(BulkAdapter, "acme"), watch(job.id), LOG)) for _ in range(3)]
    await asyncio.to_thread(vendor.polled)
    assert len(room._SHARED[asyncio.get_running_loop()]) == 1
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    assert asyncio.all_tasks() == before
    assert room._SHARED[asyncio.get_running_loop()] == {}
    gc.collect()


async def test_a_wait_that_joins_while_the_last_one_leaves_is_served(vendor: Acme) -> None:
    spec = AdapterSpec.of(BulkAdapter, "acme")
    first, second = vendor.add("done"), vendor.add("running", "done")
    for _ in range(20):
        vendor.jobs[first.id].states.clear()
        vendor.jobs[first.id].states.append("done")
        events = await asyncio.wait_for(settle(spec, watch(first.id, first=0.001), watch(second.id, first=0.004)), 5)
        assert len(events) == 2


async def test_errors_of_the_vendor_are_survived(vendor: Acme) -> None:
    job = vendor.add("running", "done")
    # Two drops make one failed poll: aiohttp itself repeats a GET once whose reused connection was closed.
    vendor.fault("poll", 503, FaultKind.RESET, FaultKind.RESET, (429, "0.05"), 401, 500)
    (event,) = await settle(AdapterSpec.of(BulkAdapter, "acme"), watch(job.id))
    assert (event.kind, event.misses, event.polls) == (EventKind.ENDED, 5, 2)
    assert AcmeAdapter.opened == 2, "after refused credentials they are read anew"


async def test_a_missing_connection_is_a_failed_poll(vendor: Acme) -> None:
    (event,) = await settle(AdapterSpec.of(BulkAdapter, "unheard_of"), watch("x", seconds=0.2))
    assert event.kind is EventKind.TIMED_OUT
    assert "unheard_of" in event.error


async def test_a_job_that_the_answer_leaves_out_is_a_failed_poll(vendor: Acme) -> None:
    (event,) = await settle(AdapterSpec.of(BulkAdapter, "acme"), watch("nowhere", seconds=0.2))
    assert event.kind is EventKind.TIMED_OUT
    assert "left job nowhere out" in event.error


async def test_a_status_of_another_job_is_a_failed_poll_of_that_wait_alone(vendor: Acme) -> None:
    mine, other = vendor.add("running", "done"), vendor.add("done")
    wrong, right = await settle(
        AdapterSpec.of(MixedUp, "acme", shows=other.id), watch("7", seconds=0.3), watch(mine.id)
    )
    assert (wrong.kind, right.kind) == (EventKind.TIMED_OUT, EventKind.ENDED)
    assert f"showed job {other.id} where 7 was asked for" in wrong.error


async def test_other_connections_and_options_poll_apart(vendor: Acme) -> None:
    job = vendor.add("running", "running", "running", "done")
    await asyncio.gather(
        settle(AdapterSpec.of(BulkAdapter, "acme"), watch(job.id)),
        settle(AdapterSpec.of(BulkAdapter, "acme", region="eu"), watch(job.id)),
    )
    assert AcmeAdapter.opened == 2


def test_loops_of_their_own_do_not_meet(vendor: Acme) -> None:
    for _ in range(2):
        job = vendor.add("running", "done")
        (event,) = asyncio.run(settle(AdapterSpec.of(BulkAdapter, "acme"), watch(job.id)))
        assert event.kind is EventKind.ENDED
    assert AcmeAdapter.opened == 2
