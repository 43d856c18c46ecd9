"""What may be pressed at a night: each a call to Airflow's own REST API, with the person's own permission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.datamodels.task_instances import ClearTaskInstancesBody

from nightshift.board.models import ApiCall, CellState, Press, PressKind
from nightshift.board.people import Person
from nightshift.nights.cells import GOOD

RUNS = "permission to trigger runs of this DAG"
TASKS = "permission to edit task instances of this DAG"


@dataclass(frozen=True)
class CellPlace:
    """Where a cell is.

    :param publish: task that publishes the report
    :param run_id: the newest run of the night whose publish can be cleared; ``None``: there is none
    :param gap: first and last night of the gap that the night is in
    :param runs: ids of the runs of the night
    """

    source: str
    report: str
    dag_id: str
    branch: str
    night: str
    publish: str
    run_id: str | None
    gap: tuple[str, str]
    runs: frozenset[str]

    @property
    def name(self) -> str:
        """The night of the report, for people."""
        return f"night {self.night} of {self.source}/{self.report}"


async def cell_presses(who: Person, place: CellPlace, state: CellState) -> tuple[Press, ...]:
    """Return what may be pressed at a night."""
    may_run = await who.may(place.dag_id, "POST", DagAccessEntity.RUN)
    may_clear = await who.may(place.dag_id, "PUT", DagAccessEntity.TASK_INSTANCE)
    found = [_run(place, may_run)]
    if place.gap[0] != place.gap[1]:
        found.append(_backfill(place, may_run))
    if place.run_id is not None:
        found.append(_clear_publish(place, place.run_id, may_clear))
    found.append(_force(place, state, may_run))
    return tuple(found)


def gap_of(states: Mapping[str, CellState], night: str) -> tuple[str, str]:
    """Return the first and the last of the nights around one that are not there; the night itself where it is.

    :param states: night → state, in order, without a day left out
    """
    nights = list(states)
    first = last = nights.index(night)
    if states[night] in GOOD:
        return night, night
    while first > 0 and states[nights[first - 1]] not in GOOD:
        first -= 1
    while last + 1 < len(nights) and states[nights[last + 1]] not in GOOD:
        last += 1
    return nights[first], nights[last]


def dag_path(dag_id: str, *parts: str) -> str:
    """Return a path of Airflow's REST API under a DAG."""
    return "/".join(("api/v2/dags", *(quote(part, safe="") for part in (dag_id, *parts))))


def clear_call(dag_id: str, run_id: str, task: object, **more: object) -> ApiCall:
    """Return the call that clears a task of a run. Its task state stays: from 3.4 on, Airflow empties it otherwise.

    :param task: its id, or id and map index
    """
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task], "only_failed": False, **more}
    if "keep_task_state" in ClearTaskInstancesBody.model_fields:
        body["keep_task_state"] = True
    return ApiCall(method="POST", path=dag_path(dag_id, "clearTaskInstances"), body=body)


def run_path(dag_id: str, run_id: str, task_id: str | None = None) -> str:
    """Return a page of Airflow's UI: a run, or a task of it with its log."""
    run = f"dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"
    return run if task_id is None else f"{run}/tasks/{quote(task_id, safe='')}"


def _run(place: CellPlace, allowed: bool) -> Press:
    return Press(
        kind=PressKind.RUN,
        label="Run this night",
        says=f"A run of {place.dag_id} brings home {place.name} from the vendor and publishes it. What is published "
        "unchanged stays as it is; nothing older replaces what the table has.",
        calls=(_trigger(place, {"reports": [place.branch]}),),
        allowed=allowed,
        needs=RUNS,
    )


def _backfill(place: CellPlace, allowed: bool) -> Press:
    first, last = place.gap
    form = {"night": first, "until": last, "reports": [place.branch]}
    note = f"The gap {first} to {last} of {place.source}/{place.report}, asked for on the board"
    call = ApiCall(
        method="POST",
        path=dag_path(place.dag_id, "dagRuns"),
        body={"logical_date": None, "conf": form, "note": note},
    )
    return Press(
        kind=PressKind.BACKFILL,
        label=f"Backfill {first} to {last}",
        says=f"One run of {place.dag_id} starts a run of its own for each night from {first} to {last}, of "
        f"{place.source}/{place.report} alone, and ends when they have ended.",
        calls=(call,),
        allowed=allowed,
        needs=RUNS,
    )


def _clear_publish(place: CellPlace, run_id: str, allowed: bool) -> Press:
    call = clear_call(place.dag_id, run_id, place.publish, include_downstream=True, note="Cleared on the board")
    return Press(
        kind=PressKind.CLEAR_PUBLISH,
        label="Publish again from the landing",
        says=f"Clears {place.publish} of the run {run_id}, and what follows it: {place.name} is read from the landing, "
        "checked and published again. The vendor is not asked.",
        calls=(call,),
        allowed=allowed,
        needs=TASKS,
    )


def _force(place: CellPlace, state: CellState, allowed: bool) -> Press:
    is_there = state in GOOD or state is CellState.EARLY
    there = " and replaces what the table has of it, also by an older extract" if is_there else ""
    return Press(
        kind=PressKind.FORCE,
        label="Force this night",
        says=f"A run of {place.dag_id} asks the vendor for {place.name} even beyond its horizon or before the night is "
        f"over, publishes it even if nothing has changed{there}.",
        calls=(_trigger(place, {"reports": [place.branch], "force": True}),),
        allowed=allowed,
        needs=RUNS,
        danger=True,
    )


def _trigger(place: CellPlace, form: Mapping[str, object]) -> ApiCall:
    # Airflow names a run that a person makes without its partition key. So the name, which says the night, is sent, and
    # it is the same for whoever presses at this moment: the second is told that there is such a run.
    number = next(one for one in count(len(place.runs) + 1) if f"{place.night}__manual__{one}" not in place.runs)
    run_id = f"{place.night}__manual__{number}"
    note = f"{place.report}, asked for on the board"
    body = {
        "logical_date": None,
        "dag_run_id": run_id,
        "partition_key": place.night,
        "conf": dict(form),
        "note": note,
    }
    return ApiCall(method="POST", path=dag_path(place.dag_id, "dagRuns"), body=body)
