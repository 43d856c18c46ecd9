"""Jobs: what Airflow's tables tell of what waits at the vendors, and a person's word on what nobody else can tell."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session

from nightshift.board.models import JobsAnswer
from nightshift.flexdeploy.adapter import FlexDeployAdapter
from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.record import RECORD_KEY, RESOLUTION_KEY, JobRecord, Resolution
from nightshift.jobs.state import Intent, JobState, JobStatus, RunIdentity, from_json, to_json
from nightshift.jobs.triggers import VendorJobTrigger
from nightshift.jobs.waiting import WaitPlan
from nightshift.lake.store import Lake
from tests.unit.board.conftest import Runs, browser

DAG, TASK = "promote_portal", "TEST.deploy"


@pytest.fixture
def waits(runs: Runs) -> Iterator[Runs]:
    yield runs
    with create_session() as session:
        session.query(TaskStateStoreModel).delete()
        session.query(Trigger).delete()


def remembered(
    runs: Runs,
    state: str,
    record: JobRecord,
    *,
    dag_id: str = DAG,
    plan: WaitPlan | None = None,
    adapter: str = f"{FlexDeployAdapter.__module__}.{FlexDeployAdapter.__qualname__}",
) -> str:
    """Put a task that has a job where Airflow keeps it."""
    run_id = runs.add(dag_id, "2026-11-27", {TASK: state}, state="running")
    with create_session() as session:
        run = session.query(DagRun).filter_by(run_id=run_id).one()
        session.add(
            TaskStateStoreModel(
                dag_run_id=run.id,
                dag_id=dag_id,
                run_id=run_id,
                task_id=TASK,
                # From 3.4 on, it is told by the region that the task is in.
                **{"region_index" if hasattr(TaskStateStoreModel, "region_index") else "map_index": -1},
                key=RECORD_KEY,
                value=json.dumps(to_json(record)),
            )
        )
        if plan is not None:
            spec = AdapterSpec(path=adapter, conn_id="flexdeploy_default", options={})
            trigger = Trigger.from_object(VendorJobTrigger.of(spec, plan, cancel_on_kill=True))
            session.add(trigger)
            session.flush()
            session.query(TaskInstance).filter_by(run_id=run_id).update({"trigger_id": trigger.id})
    return run_id


def asked(at: float, **more: Any) -> JobRecord:
    run = RunIdentity(dag_id=DAG, run_id="r", task_id=TASK)
    intent = Intent(marker=run.marker(1), generation=1, payload_hash="x", at=at, attempt=1, run=run)
    return JobRecord(intent=intent, **more)


async def found(client: Any) -> JobsAnswer:
    answer = await client.get("api/jobs")
    assert answer.status_code == 200, answer.text
    return JobsAnswer.model_validate_json(answer.content)


async def test_anonymous_gets_nothing(app: Any, lake: Lake) -> None:
    async with browser(app) as client:
        assert (await client.get("api/jobs")).status_code == 401


async def test_a_job_that_is_waited_for(ada: Any, lake: Lake, waits: Runs) -> None:
    began = time.time() - 100
    status = JobStatus(id="1048", state=JobState.WAITING, vendor_state="PENDING_APPROVAL", url="https://fd.test/1048")
    plan = WaitPlan(job_id="1048", started=began, deadline=began + 3600, cap=20.0)
    run_id = remembered(waits, "deferred", asked(began, id="1048", status=status), plan=plan)
    job = (await found(ada)).jobs[0]
    assert (job.vendor, job.connection, job.subject) == (
        "FlexDeploy",
        "flexdeploy_default",
        "portal TEST, night 2026-11-27",
    )
    assert (job.job_id, job.state, job.vendor_state, job.interval) == ("1048", "waiting", "PENDING_APPROVAL", 20.0)
    assert job.deadline is not None
    assert job.waiting_seconds is not None
    assert 99 < job.waiting_seconds < 200
    assert job.links[0].href == "https://fd.test/1048"
    press = job.presses[0]
    assert (press.kind, press.allowed, press.danger) == ("cancel", True, True)
    assert "asked to cancel job 1048" in press.says
    call = press.calls[0]
    assert (call.method, call.body) == ("PATCH", {"new_state": "failed", "note": "${why}"})
    assert call.path == f"api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances/{TASK}"


async def test_what_only_a_person_can_tell(ada: Any, lake: Lake, waits: Runs) -> None:
    from airflow.api_fastapi.core_api.datamodels.task_instances import ClearTaskInstancesBody

    run_id = remembered(waits, "failed", asked(time.time() - 60, lost=True))
    job = (await found(ada)).jobs[0]
    assert "the answer was lost" in job.doubt
    assert [one.kind for one in job.presses] == ["adopt", "resubmit", "over"]
    for press in job.presses:
        put, clear = press.calls
        assert put.path == f"api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances/{TASK}/state-store/{RESOLUTION_KEY}"
        said = json.loads(json.dumps(put.body["value"]).replace("${job}", "1048").replace("${why}", "seen"))
        word = from_json(Resolution, said)
        assert (word.kind, word.by, word.why) == (press.kind, "ada", "seen")
        assert ClearTaskInstancesBody.model_validate(clear.body).task_ids == [TASK]


@pytest.mark.parametrize(
    ("status", "last"),
    [
        (JobStatus(id="1048", state=JobState.RUNNING, vendor_state="EXECUTING"), "last seen running (EXECUTING)"),
        (None, "never seen"),
    ],
)
async def test_a_task_has_failed_while_its_job_may_go_on(
    ada: Any, lake: Lake, waits: Runs, status: JobStatus | None, last: str
) -> None:
    from airflow.api_fastapi.core_api.datamodels.task_instances import ClearTaskInstancesBody

    run_id = remembered(waits, "failed", asked(time.time() - 60, id="1048", status=status))
    job = (await found(ada)).jobs[0]
    assert job.job_id == "1048"
    assert f"nobody has seen job 1048 end ({last}): it may go on at FlexDeploy" in job.doubt
    look, *others = job.presses
    assert [one.kind for one in others] == ["resubmit", "over"]
    assert (look.kind, look.allowed, look.danger, len(look.calls)) == ("look", True, False, 1)
    clear = look.calls[0]
    assert (clear.method, clear.path) == ("POST", f"api/v2/dags/{DAG}/clearTaskInstances")
    assert clear.body["dag_run_id"] == run_id
    assert ClearTaskInstancesBody.model_validate(clear.body).task_ids == [TASK]


@pytest.mark.parametrize("state", ["failed", "deferred"])
@pytest.mark.parametrize("text", ["{", "[]", '{"intent": 7}', '{"id": {}}'])
async def test_a_record_that_cannot_be_read_is_in_doubt(
    ada: Any, lake: Lake, waits: Runs, state: str, text: str
) -> None:
    """It may be of a job that is at work: nothing of it is no sign that there is none."""
    remembered(waits, "failed", asked(time.time() - 60, id="7", status=None))
    run_id = remembered(waits, state, asked(time.time() - 60, id="1048"))
    with create_session() as session:
        session.query(TaskStateStoreModel).filter_by(run_id=run_id).update({"value": text})
    answer = await found(ada)
    job = next(one for one in answer.jobs if one.run_id == run_id)
    assert (len(answer.jobs), answer.troubles) == (2, ())
    assert "The task may have a job at FlexDeploy: its record cannot be read: " in job.doubt
    assert f"delete the key {RECORD_KEY} in its Task State Store, then clear the task" in job.doubt
    assert (job.presses, [one.label for one in job.links]) == ((), ["Task and log", "State"])


@pytest.mark.parametrize(
    "kwargs", [None, {"adapter": "nightshift.flexdeploy.x"}, {"adapter": "nightshift.flexdeploy.x", "plan": {}}]
)
async def test_a_wait_that_cannot_be_read_is_in_doubt(
    ada: Any, lake: Lake, waits: Runs, kwargs: dict[str, Any] | None
) -> None:
    plan = WaitPlan(job_id="1048", started=1.0, deadline=2.0, cap=20.0)
    remembered(waits, "deferred", asked(time.time() - 60, id="1048"), plan=plan)
    with create_session() as session:
        path = session.query(Trigger).one().classpath
        kept = "of another Fernet key" if kwargs is None else Trigger(path, kwargs).encrypted_kwargs
        session.query(Trigger).update({"encrypted_kwargs": kept})
    [job] = (await found(ada)).jobs
    assert (job.job_id, "the trigger that waits for it cannot be read (" in job.doubt) == ("1048", True)


async def test_a_job_that_cannot_be_shown_hides_no_other(ada: Any, lake: Lake, waits: Runs) -> None:
    plan = WaitPlan(job_id="1", started=1.0, deadline=2.0, cap=20.0)
    remembered(waits, "deferred", asked(1.0, id="1"), plan=plan, adapter="nightshift.flexdeploy.nowhere.Adapter")
    remembered(waits, "deferred", asked(1.0, id="2"))
    answer = await found(ada)
    assert [one.job_id for one in answer.jobs] == ["2"]
    assert [(one.part, TASK in one.of) for one in answer.troubles] == [("jobs", True)]


async def test_that_not_all_were_looked_at_is_told_and_what_is_at_work_is_there(
    ada: Any, lake: Lake, waits: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nightshift.board import jobs

    remembered(waits, "deferred", asked(1.0, id="1"))
    for number in (2, 3):
        remembered(waits, "failed", asked(1.0, id=str(number), done=True))
    assert (await found(ada)).troubles == ()
    monkeypatch.setattr(jobs, "MOST", 2)
    answer = await found(ada)
    assert [one.job_id for one in answer.jobs] == ["1"]
    assert [(one.part, "More than 2 tasks have failed" in one.text) for one in answer.troubles] == [("jobs", True)]


async def test_who_may_only_look_may_not_press(app: Any, lake: Lake, waits: Runs) -> None:
    remembered(waits, "failed", asked(time.time(), lost=True))
    async with browser(app, "eve", "VIEWER") as eve:
        assert [press.allowed for press in (await found(eve)).jobs[0].presses] == [False] * 3


async def test_another_teams_jobs_are_not_there(app: Any, ada: Any, lake: Lake, waits: Runs) -> None:
    remembered(waits, "deferred", asked(time.time(), id="7"), dag_id="promote_secret_one")
    async with browser(app, "eve", "VIEWER") as eve:
        assert (await found(eve)).jobs == ()
    assert [one.job_id for one in (await found(ada)).jobs] == ["7"]


async def test_jobs_of_tasks_that_a_person_may_not_read_are_not_there(
    eve: Any, lin: Any, lake: Lake, waits: Runs
) -> None:
    remembered(waits, "running", asked(time.time() - 60, id="1048"))
    assert [len((await found(client)).jobs) for client in (eve, lin)] == [1, 0]
    assert [(await client.get("api/overview")).json()["jobs"] for client in (eve, lin)] == [1, 0]


@pytest.mark.parametrize(
    ("state", "record"),
    [
        ("success", asked(1.0, id="1")),
        ("failed", asked(1.0, refused=True)),
        ("failed", asked(1.0, id="1", status=JobStatus(id="1", state=JobState.FAILED))),
        ("failed", asked(1.0, id="1", done=True)),
        ("running", asked(1.0, id="1", done=True)),
        ("running", JobRecord()),
    ],
)
async def test_what_waits_no_more_is_not_there(
    ada: Any, lake: Lake, waits: Runs, state: str, record: JobRecord
) -> None:
    remembered(waits, state, record)
    assert (await found(ada)).jobs == ()
