from __future__ import annotations

import json
import re

import msgspec
import pytest

from nightshift.errors import Rejected
from nightshift.jobs.record import RECORD_KEY, RESOLUTION_KEY, JobRecord, JobStore
from nightshift.jobs.state import (
    ACTIVE,
    FAILED,
    SUCCEEDED,
    Intent,
    JobState,
    JobStatus,
    RunIdentity,
    from_json,
    payload_hash,
    to_json,
)
from nightshift.jobs.waiting import EventKind, JobEvent

RUN = RunIdentity(dag_id="d", run_id="r", task_id="t")
STATUS = JobStatus(id="7", state=JobState.RUNNING, vendor_state="Busy", attributes={"rows": 3, "late": False})
INTENT = Intent(marker="m", generation=1, payload_hash="h", at=1.5, attempt=1, run=RUN)


class Dict(dict[str, object]):
    def set(self, key: str, value: object, *, retention: object = None) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)


def test_every_state_is_in_exactly_one_group() -> None:
    assert set(JobState) == ACTIVE | SUCCEEDED | FAILED
    assert len(JobState) == len(ACTIVE) + len(SUCCEEDED) + len(FAILED)
    assert JobState.UNKNOWN in ACTIVE


@pytest.mark.parametrize(
    "model",
    [
        STATUS,
        INTENT,
        JobRecord(intent=INTENT, id="7", status=STATUS, urls={"1": "https://acme.example/7"}),
        JobEvent(kind=EventKind.ENDED, job_id="7", at=2.0, status=msgspec.structs.replace(STATUS, state=JobState.GONE)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_survive_json(model: msgspec.Struct) -> None:
    assert from_json(type(model), json.loads(json.dumps(to_json(model)))) == model


def test_models_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        STATUS.id = "8"  # type: ignore[misc]


@pytest.mark.parametrize(
    "plain", [None, [], "x", {}, {"id": "7"}, {"id": "7", "state": "winning"}, {"id": "", "state": "gone"}]
)
def test_what_is_no_status_is_refused(plain: object) -> None:
    with pytest.raises(ValueError, match="not a valid JobStatus"):
        from_json(JobStatus, plain)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "success",
        {},
        {"status": "success"},
        {"kind": "ended", "job_id": "7", "at": 1.0},
        {"kind": "ended", "job_id": "7", "at": 1.0, "status": {"id": "7", "state": "running"}},
        {"kind": "ended", "job_id": "7", "at": 1.0, "status": {"id": "8", "state": "succeeded"}},
        {"kind": "finished", "job_id": "7", "at": 1.0},
        {"kind": "timed_out", "job_id": "7", "at": 1.0, "extra": 1},
    ],
)
def test_an_event_that_contradicts_itself_is_refused(payload: object) -> None:
    with pytest.raises(ValueError, match="not a valid JobEvent"):
        JobEvent.from_event(payload)


def test_a_marker_is_stable_short_and_different_for_each_job() -> None:
    others = [
        RunIdentity(dag_id="d", run_id="r", task_id="t", map_index=1),
        RunIdentity(dag_id="d", run_id="r2", task_id="t"),
        RunIdentity(dag_id="d", run_id="r", task_id="t", scope="https://other.example"),
    ]
    markers = {RUN.marker(1), RUN.marker(2), *(other.marker(1) for other in others)}
    assert len(markers) == 5
    assert RUN.marker(1) == RunIdentity(dag_id="d", run_id="r", task_id="t").marker(1)
    assert all(re.fullmatch(r"[a-z0-9-]{24}", marker) for marker in markers)


def test_a_payload_is_the_same_in_any_order_of_its_keys() -> None:
    assert payload_hash({"a": 1, "b": [1, 2]}) == payload_hash({"b": [1, 2], "a": 1})
    assert payload_hash({"a": 1}) != payload_hash({"a": "1"})
    with pytest.raises(TypeError):
        payload_hash({"a": object()})


def test_a_record_that_cannot_be_read_stops_the_task() -> None:
    store = Dict({RECORD_KEY: {"intent": 5}})
    with pytest.raises(Rejected, match=r"cannot read the key.*Nothing was asked of the vendor"):
        JobStore(store).load()


@pytest.mark.parametrize(
    "value",
    [
        "job-1",
        {"adopt": ""},
        {"adopt": "1", "resubmit": True},
        {"over": True, "adopt": "1"},
        {"resubmitt": True},
        {"by": "ann"},
        {},
    ],
)
def test_a_resolution_that_is_not_clear_stops_the_task(value: object) -> None:
    store = Dict({RESOLUTION_KEY: value})
    with pytest.raises(Rejected, match="cannot read the key 'nightshift_resolve'"):
        JobStore(store).resolution()
