"""
Run one real Airflow task in this process, with no metadata database, scheduler or triggerer.

:class:`FakeExecutionApi` answers the calls that a worker makes to Airflow's Execution API. The task runner, the
templating, the XComs, the task and asset state stores, the retry policy and the deferral are Airflow's own::

    api = FakeExecutionApi(connections={"acme": {"conn_type": "http", "host": "http://127.0.0.1:8080"}}, max_tries=2)
    run = api.run(task)                      # first attempt; a deferral is handed back as state "deferred"
    run = api.run(task, follow=True)         # deferrals are followed: trigger, its one event, resume, to the end
    run = api.run(task, try_number=2)        # the next attempt, with the same state store
    api.clear()                              # what a person's "clear" does to max_tries and to the stored XComs
    run.state, run.error, run.result         # "success" | "failed" | "up_for_retry" | "deferred" | "skipped" …

The task must belong to a DAG (``with DAG("d"): task = …``). The state store can live outside the process, so that a
killed process leaves it behind: pass ``task_store=FileStore(path)``.

A trigger is followed as the triggerer does it: rebuilt from its serialised keyword arguments, run until its first
event, and checked for firing no second one. ``run`` starts an event loop, so call it from a synchronous test; servers
for it live in a thread of their own.

Three things are as in Airflow 3.3.2 and easily forgotten: an attempt that a newer one replaced may not write the state
store any more (404), XComs are cleared before each attempt that is not a resume, and the state store survives both
retries and clears.
"""

from __future__ import annotations

import asyncio
import atexit
import copy
import json
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="nightshift-airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "True")
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

from airflow.sdk._shared.module_loading import import_string
from airflow.sdk.api import client as sdk_client
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.execution_time.comms import GetHITLDetailResponse
from airflow.sdk.execution_time.supervisor import (
    InProcessSupervisorComms,
    InProcessTestSupervisor,
    run_task_in_process,
    set_supervisor_comms,
)
from airflow.sdk.serde import deserialize, serialize

from tests.file_store import FileStore as FileStore

httpx: Any = getattr(sdk_client, "httpx2", None) or sdk_client.httpx
"""The client that this Airflow's SDK speaks: httpx in 3.3, httpx2 in 3.4."""
LATER = "up_for_reschedule" if hasattr(RetryAction, "RESCHEDULE") else "up_for_retry"
"""What becomes of a task that a vendor asks to come back later."""


async def _asend(self: InProcessSupervisorComms, msg: Any) -> Any:
    return self.send(msg)


# Airflow's in-process stand-in for the supervisor has no asynchronous side, which connections of hooks need.
if not hasattr(InProcessSupervisorComms, "asend"):
    InProcessSupervisorComms.asend = _asend

_CONNECTION = dict.fromkeys(("schema", "login", "password", "port", "extra", "host", "conn_type"))
_UNANSWERED: dict[str, Any] = dict.fromkeys(("responded_by_user", "responded_at", "chosen_options", "params_input"))
_START = "2026-11-22T02:00:00Z"


class _TriggererComms(InProcessSupervisorComms):
    """What a triggerer answers besides what a worker's supervisor does: how a question was answered."""

    def send(self, msg: Any) -> Any:
        if isinstance(msg, GetHITLDetailResponse):
            return self.supervisor.client.hitl.get_detail_response(msg.ti_id)
        return super().send(msg)


# By this name it is known for what a task talks through.
_TriggererComms.__name__ = InProcessSupervisorComms.__name__


@dataclass(frozen=True)
class TaskRun:
    """How one attempt of a task ended."""

    state: str
    error: BaseException | None
    result: Any
    """The ``return_value`` XCom, or None."""
    message: Any
    """What the task runner reported: ``DeferTask``, ``RetryTask``, ``SucceedTask``, ``TaskState``."""
    events: list[Any] = field(default_factory=list)
    """Payloads of the events that its triggers fired, in order (only with ``follow=True``)."""


@dataclass
class FakeExecutionApi:
    """
    The Execution API for one task of one DAG run, held in memory.

    :param connections: connection id → fields as of Airflow's REST API (``conn_type``, ``host``, ``extra`` as text …).
    :param variables: variable key → text.
    :param xcoms: (task id, key) → value, for upstream tasks.
    :param conf: the run's conf.
    :param partition_key: the run's partition key; its logical date is then None, as Airflow has it.
    :param run_after: since when the run may begin: of a person's, when it was started.
    :param max_tries: the task's ``retries``, as the metadata database holds them; a clear raises it.
    :param task_store: where the task state store lives; a :class:`FileStore` outlives this process.
    """

    connections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    conf: dict[str, Any] | None = None
    dag_id: str = "d"
    run_id: str = "r"
    logical_date: str | None = _START
    partition_key: str | None = None
    run_after: str = _START
    max_tries: int = 0
    task_store: MutableMapping[str, Any] = field(default_factory=dict)
    asset_store: dict[tuple[str | None, str | None], Any] = field(default_factory=dict)
    task_states: dict[str, Any] = field(default_factory=dict)
    """Run id → task id → state, for code that asks Airflow for a task's state."""
    run_type: str = "manual"
    triggering_user: str | None = None
    other_runs: dict[str, str] = field(default_factory=dict)
    """Run id → state of the DAG's other runs; its own is running."""
    asset_events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Name of an asset → its events: ``timestamp`` (aware), ``partition_key``, ``extra``."""
    questions: list[dict[str, Any]] = field(default_factory=list)
    """What people were to be asked (human in the loop), in order; Airflow shows the first."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every call, in order."""
    rendered: Any = None
    """The rendered template fields that the task reported."""

    def __post_init__(self) -> None:
        self._try_number = 0
        self._retries = self.max_tries
        self._attempt: uuid.UUID | None = None
        self._resume: tuple[str, Any] | None = None
        self._rescheduled: list[datetime] = []
        self._parked: Any = None
        self.response: dict[str, Any] = _UNANSWERED
        """What Airflow holds of an answer, for a trigger that asks."""
        self._shown: Any = None

    def run(
        self,
        task: Any,
        *,
        try_number: int | None = None,
        follow: bool = False,
        resume: tuple[str, Any] | None = None,
        keep_defer_kwargs: bool = True,
        map_index: int = -1,
        max_hops: int = 10,
    ) -> TaskRun:
        """
        Run one attempt of a task, or its resume after a deferral.

        :param try_number: the attempt; the one after the last by default, the same one for a resume.
        :param follow: run the triggers of deferrals and resume, until the attempt ends.
        :param resume: (method name, event payload): resume the attempt with this event.
        :param keep_defer_kwargs: False drops what ``defer(kwargs=…)`` carried, as ``dag.test()`` does.
        :raises AssertionError: a trigger fired no event or more than one, or the attempt deferred too often.
        """
        if resume is None and self._rescheduled and try_number is None:
            self._resume = None  # the next look of a sensor belongs to the same attempt
        elif resume is None:
            self._rescheduled = []
            self._try_number = try_number or self._try_number + 1
            self._attempt = uuid.uuid4()
            if isinstance(self.task_store, FileStore):
                self.task_store.attempt = str(self._attempt)
            self._resume = None
            self.xcoms = {key: value for key, value in self.xcoms.items() if key[0] != task.task_id}
        else:
            self._resume = (resume[0], serialize({"event": resume[1]}))
        events: list[Any] = []
        for _ in range(max_hops):
            outcome = self._once(task, map_index)
            self._parked = outcome.msg
            self._rescheduled += [datetime.now(UTC)] if outcome.state == "up_for_reschedule" else []
            if outcome.state != "up_for_reschedule":
                self._rescheduled = []
            if outcome.state != "deferred" or not follow:
                return TaskRun(outcome.state.value, outcome.error, self._result(task), outcome.msg, events)
            event = self.fire(outcome.msg)
            events.append(event)
            kwargs = (deserialize(outcome.msg.next_kwargs) or {}) if keep_defer_kwargs else {}
            self._resume = (outcome.msg.next_method, serialize({**kwargs, "event": event}))
        raise AssertionError(f"{task.task_id} deferred more than {max_hops} times")

    def answer(
        self, task: Any, option: str, *, by: str | None = None, timed_out: bool = False, reason: str | None = None
    ) -> TaskRun:
        """
        Answer the question that a task is parked with, or is deferred with.

        :param by: name of the person; nobody where Airflow answers with the defaults, because the time is over.
        :param reason: what the person writes into the field of that name of the question's form.
        """
        user = None if by is None else {"id": f"id of {by}", "name": by}
        form = {} if reason is None else {"reason": reason}
        event = {
            "chosen_options": [option],
            "params_input": form,
            "responded_at": datetime.now(UTC),
            "responded_by_user": user,
            "timedout": timed_out,
        }
        self.response = {
            **{name: event[name] for name in _UNANSWERED},
            "responded_at": event["responded_at"].isoformat(),
        }
        return self.run(task, resume=(self._parked.next_method, event))

    def fire(self, message: Any) -> Any:
        """
        Run the trigger of a ``DeferTask`` message as a triggerer would.

        :returns: the payload of its one event.
        :raises AssertionError: it fired none, or a second one.
        """
        trigger = self.trigger(message)

        async def first() -> Any:
            events = trigger.run()
            try:
                fired = [event async for event in events]
            finally:
                await trigger.cleanup()
            assert len(fired) == 1, f"{message.classpath} fired {len(fired)} events"
            return fired[0].payload

        with self.comms():
            return asyncio.run(first())

    def trigger(self, message: Any) -> Any:
        """Rebuild the trigger of a ``DeferTask`` message from what was serialised."""
        return import_string(message.classpath)(**deserialize(message.trigger_kwargs))

    def take_up(self, try_number: int = 1) -> None:
        """Have an attempt that another process has deferred, so that it can be resumed."""
        self._attempt, self._try_number = uuid.uuid4(), try_number

    def clear(self) -> None:
        """Do what a person's clear does: a new set of retries on top of the tries so far; the state store stays."""
        self.max_tries = self._try_number + self._retries

    def comms(self) -> Any:
        """Let Airflow code outside a task (a trigger, a hook) reach this API while the context is open."""
        supervisor = InProcessTestSupervisor(
            id=self._attempt or uuid.uuid4(),
            pid=0,
            process=None,  # type: ignore[arg-type]
            process_log=None,  # type: ignore[arg-type]
            client=self._client(),
        )
        supervisor.comms = _TriggererComms(supervisor=supervisor)
        return set_supervisor_comms(supervisor.comms)

    def _once(self, task: Any, map_index: int) -> Any:
        assert self._attempt is not None, "there is no attempt to resume: run the task first"
        ti = TaskInstance(
            id=self._attempt,
            task_id=task.task_id,
            dag_id=self.dag_id,
            run_id=self.run_id,
            try_number=self._try_number,
            map_index=map_index,
            dag_version_id=uuid.uuid4(),
        )
        before = signal.getsignal(signal.SIGTERM)
        try:
            # A copy, because a real attempt or resume starts from the DAG file, unrendered and with nothing remembered.
            return run_task_in_process(ti=ti, task=copy.copy(task), client=self._client())
        finally:
            signal.signal(signal.SIGTERM, before)

    def _result(self, task: Any) -> Any:
        stored = self.xcoms.get((task.task_id, "return_value"))
        return None if stored is None else deserialize(stored)

    def _client(self) -> Any:
        client = InProcessTestSupervisor._Client(
            base_url=None, token="", dry_run=True, transport=httpx.MockTransport(self)
        )
        client.base_url = "http://in-process.invalid./"
        return client

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, method = unquote(request.url.path).lstrip("/"), request.method
        body = json.loads(request.content) if request.content else None
        self.calls.append((method, path))
        root, _, rest = path.partition("/")
        if root == "task-instances":
            return self._task_instance(rest, body, request.url.params)
        if root == "connections":
            found = self.connections.get(rest)
            return _missing(rest) if found is None else _ok({**_CONNECTION, "conn_id": rest, **found})
        if root == "variables":
            return _ok({"key": rest, "value": self.variables[rest]}) if rest in self.variables else _missing(rest)
        if root == "xcoms":
            return self._xcom(method, rest, body)
        if path == "dag-runs/count":
            return self._count_runs(request.url.params)
        if root == "dag-runs":
            return self._run_of(method, rest)
        if path == "asset-events/by-asset":
            return self._events_of(request.url.params)
        if root == "task-reschedules":
            return httpx.Response(200, json=self._rescheduled[0].isoformat() if self._rescheduled else None)
        if root == "hitlDetails" and method == "GET":
            return _ok({**self.response, "response_received": self.response["responded_at"] is not None})
        if root == "hitlDetails":
            self.response = _UNANSWERED
            # As Airflow's route has it: the first question of a task stays, through every retry and clear of it.
            if body not in self.questions[-1:]:
                self.questions.append(body)
            self._shown = self._shown or body
            return _ok({**self._shown, "ti_id": rest}, 201)
        if path.startswith("store/asset"):
            query = dict(request.url.params)
            return _entry(self.asset_store, (query.get("name") or query.get("uri"), query.get("key")), method, body)
        if path.startswith("store/"):
            return self._task_state(method, path, body)
        return _ok({})

    def _run_of(self, method: str, rest: str) -> httpx.Response:
        run_id = rest.split("/")[1]
        if method == "GET":
            return _ok({"state": self.other_runs[run_id]}) if run_id in self.other_runs else _missing(run_id)
        if run_id in self.other_runs:
            return _ok({"detail": "there is one"}, 409)
        self.other_runs[run_id] = "queued"
        return httpx.Response(204)

    def _count_runs(self, query: httpx.QueryParams) -> httpx.Response:
        states = {self.run_id: "running", **self.other_runs} if query["dag_id"] == self.dag_id else {}
        runs, wanted = query.get_list("run_ids") or states, query.get_list("states")
        found = [run for run in states if run in runs and (not wanted or states[run] in wanted)]
        return httpx.Response(200, json=len(found))

    def _events_of(self, query: httpx.QueryParams) -> httpx.Response:
        # As Airflow's route has it, both ends of the span count.
        after, before = (datetime.fromisoformat(query[name]) if name in query else None for name in ("after", "before"))
        found = [
            one
            for one in self.asset_events.get(query["name"], [])
            if (after is None or one["timestamp"] >= after) and (before is None or one["timestamp"] <= before)
        ]
        found.sort(key=lambda one: one["timestamp"], reverse=query["ascending"] == "false")
        asset = {"name": query["name"], "uri": query["uri"], "group": "asset"}
        rows = [
            {"id": number, "asset": asset, "created_dagruns": [], **one, "timestamp": one["timestamp"].isoformat()}
            for number, one in enumerate(found[: int(query.get("limit", len(found)))], 1)
        ]
        return _ok({"asset_events": rows})

    def _task_instance(self, rest: str, body: Any, query: httpx.QueryParams) -> httpx.Response:
        if rest.startswith("states"):
            runs = query.get_list("run_ids") or self.task_states
            return _ok({"task_states": {run: tasks for run, tasks in self.task_states.items() if run in runs}})
        if rest.endswith("/rtif"):
            self.rendered = body
        if rest.endswith("validate-inlets-and-outlets"):
            return _ok({"inactive_assets": []})
        if not rest.endswith("/run"):
            return _ok({})
        method, kwargs = self._resume or (None, None)
        return _ok(
            {
                "dag_run": self._dag_run(),
                "max_tries": self.max_tries,
                "should_retry": self._try_number <= self.max_tries,
                "task_reschedule_count": len(self._rescheduled),
                "next_method": method,
                "next_kwargs": kwargs,
            }
        )

    def _dag_run(self) -> dict[str, Any]:
        date = None if self.partition_key else self.logical_date
        return {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "logical_date": date,
            "data_interval_start": date,
            "data_interval_end": date,
            "run_after": self.run_after,
            "start_date": _START,
            "end_date": None,
            "run_type": self.run_type,
            "triggering_user_name": self.triggering_user,
            "state": "running",
            "conf": self.conf,
            "consumed_asset_events": [],
            "partition_key": self.partition_key,
            "partition_date": f"{self.partition_key}T00:00:00Z" if self.partition_key else None,
        }

    def _xcom(self, method: str, rest: str, body: Any) -> httpx.Response:
        _dag, _run, task_id, key = rest.split("/", 3)
        if method == "POST":
            self.xcoms[task_id, key] = body
            return _ok({}, 201)
        if method == "DELETE":
            self.xcoms.pop((task_id, key), None)
            return _ok({})
        found = self.xcoms.get((task_id, key))
        return _missing(key) if found is None else _ok({"key": key, "value": found})

    def _task_state(self, method: str, path: str, body: Any) -> httpx.Response:
        _store, _kind, attempt, *key = path.split("/", 3)
        newest = self.task_store.attempt if isinstance(self.task_store, FileStore) else str(self._attempt)
        if attempt != newest:
            return _missing(attempt)
        if not key:
            self.task_store.clear()
            return _ok({})
        return _entry(self.task_store, key[0], method, body)


def _entry(store: MutableMapping[Any, Any], key: Any, method: str, body: Any) -> httpx.Response:
    if method == "PUT":
        store[key] = body["value"]
        return _ok({})
    if method == "DELETE":
        store.pop(key, None)
        return _ok({})
    return _ok({"value": store[key]}) if key in store else _missing(str(key))


def _ok(body: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def _missing(what: str) -> httpx.Response:
    return httpx.Response(404, json={"detail": {"reason": "not_found", "message": f"{what} not found"}})
