from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from airflow.triggers.base import TriggerEvent

from nightshift.jobs import triggers
from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.triggers import VendorJobTrigger
from nightshift.jobs.waiting import WaitPlan
from tests.execution_api import FakeExecutionApi
from tests.unit.jobs.acme import Acme, AcmeAdapter, StubbornAdapter
from tests.unit.jobs.job_tasks import job_task


def trigger(kind: type[AcmeAdapter] = AcmeAdapter, **more: Any) -> VendorJobTrigger:
    now = time.time()
    plan = WaitPlan(job_id="job-1", started=now, deadline=now + 60, first=0.02, cap=0.05)
    return VendorJobTrigger.of(AdapterSpec.of(kind, "acme"), plan, **{"cancel_on_kill": True, **more})


@pytest.fixture(autouse=True)
def _connected(vendor: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME", json.dumps({"conn_type": "http", "host": vendor.url}))


def test_it_travels_as_plain_json() -> None:
    path, kwargs = trigger().serialize()
    assert path == "nightshift.jobs.triggers.VendorJobTrigger"
    again = VendorJobTrigger(**json.loads(json.dumps(kwargs)))
    assert again.serialize() == (path, kwargs)


async def test_it_fires_exactly_one_event(vendor: Acme) -> None:
    vendor.add("running", "done")
    events = trigger().run()
    event = await anext(events)
    assert isinstance(event, TriggerEvent)
    assert (event.payload["kind"], event.payload["status"]["state"]) == ("ended", "succeeded")
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_a_triggerer_that_stops_changes_nothing_and_another_goes_on(vendor: Acme) -> None:
    job = vendor.add("running")
    serialised = trigger().serialize()[1]
    stopped = VendorJobTrigger(**serialised)
    waiting = asyncio.create_task(anext(stopped.run()))
    await asyncio.to_thread(vendor.polled)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await stopped.cleanup()
    assert job.cancels == 0
    job.states.append("done")
    event = await anext(VendorJobTrigger(**serialised).run())
    assert event.payload["kind"] == "ended"
    assert vendor.requests["submit"] == 0


async def test_a_person_who_marks_it_failed_cancels_the_job(vendor: Acme) -> None:
    job = vendor.add("running")
    await trigger().on_kill()
    assert job.cancels == 1


async def test_a_task_may_keep_its_job(vendor: Acme) -> None:
    job = vendor.add("running")
    await trigger(cancel_on_kill=False).on_kill()
    assert job.cancels == 0


async def test_a_cancellation_that_fails_does_not_raise(vendor: Acme) -> None:
    vendor.add("running")
    vendor.fault("cancel", 503)
    await trigger().on_kill()
    await trigger(StubbornAdapter).on_kill()
    assert vendor.requests["cancel"] == 1


class _Instance:
    dag_id, run_id, task_id, map_index = "d", "r", "t", -1
    id = UUID(int=1)


@pytest.mark.parametrize(
    ("state", "cancels"), [("success", 0), ("failed", 1), (None, 1), ("scheduled", 1), ("deferred", 0)]
)
def test_what_a_person_did_decides(vendor: Acme, api: FakeExecutionApi, state: str | None, cancels: int) -> None:
    vendor.script = ("running",)
    killed = api.trigger(api.run(job_task()).message)
    killed._task_instance = _Instance
    api.task_states = {"r": {"t": state}}
    with api.comms():
        asyncio.run(killed.on_kill())
    assert vendor.jobs["job-1"].cancels == cancels


@pytest.mark.parametrize(
    ("state", "answered", "cancels"),
    [
        ("scheduled", 60, 0),
        ("queued", 60, 0),
        ("running", 60, 0),
        # What a person said before the job was made has not ended its wait: a clear has.
        ("scheduled", -60, 1),
        ("scheduled", None, 1),
        ("failed", 60, 1),
        (None, 60, 1),
    ],
)
def test_an_answer_that_wakes_the_task_cancels_nothing(
    vendor: Acme, api: FakeExecutionApi, state: str | None, answered: int | None, cancels: int
) -> None:
    vendor.script = ("running",)
    killed = api.trigger(api.run(job_task()).message)
    killed._task_instance = _Instance
    api.task_states = {"r": {"t": state}}
    at = None if answered is None else datetime.fromtimestamp(killed.plan.started + answered, UTC).isoformat()
    api.response = {**api.response, "responded_at": at}
    with api.comms():
        asyncio.run(killed.on_kill())
    assert vendor.jobs["job-1"].cancels == cancels


@pytest.mark.parametrize(("silences", "cancels"), [(2, 0), (3, 1)])
def test_airflow_is_asked_again_before_a_job_is_cancelled_in_doubt(
    vendor: Acme, api: FakeExecutionApi, monkeypatch: pytest.MonkeyPatch, silences: int, cancels: int
) -> None:
    """A triggerer is late, and another one takes its waits over, where Airflow itself is not well."""
    vendor.script = ("running",)
    killed = api.trigger(api.run(job_task()).message)
    killed._task_instance = _Instance
    api.task_states = {"r": {"t": "deferred"}}
    monkeypatch.setattr(triggers, "ASK_PAUSES", (0.0, 0.0, 0.0))
    asked = []

    def states_of(ti: Any) -> Any:
        asked.append(ti)
        if len(asked) <= silences:
            raise ConnectionError("nobody answers")
        return plain(ti)

    plain = triggers.states_of
    monkeypatch.setattr(triggers, "states_of", states_of)
    with api.comms():
        asyncio.run(killed.on_kill())
    assert (len(asked), vendor.jobs["job-1"].cancels) == (3, cancels)
