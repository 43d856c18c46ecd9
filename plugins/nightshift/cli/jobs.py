"""``nightshift jobs``: what waits at the vendors now, by Airflow's REST API, and a person's word on one in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from nightshift.cli.airflow_api import (
    AirflowApi,
    AirflowRefused,
    AirflowUrl,
    AirflowUser,
    Credentials,
    TokenFile,
    run_path,
)
from nightshift.cli.hold import Reason, Yes, who
from nightshift.cli.project import dags_expected
from nightshift.cli.terminal import (
    AsJson,
    CannotTell,
    Exit,
    confirmed,
    fail,
    out,
    print_json,
    print_rows,
    styled,
    telling,
)
from nightshift.config.document import ConfigError
from nightshift.jobs.record import TASKS_AT_WORK

if TYPE_CHECKING:
    from nightshift.jobs.record import JobRecord

jobs = typer.Typer(help="Jobs at the vendors: exports, builds, deployments.")
CLEARED = "none"
"""A task that was cleared and is not scheduled again yet, or not as long as its DAG is paused: Airflow has no word."""
WAITING = TASKS_AT_WORK | {CLEARED}
ENDED = ("failed", "upstream_failed", "removed")
AT_ONCE = 8
FAILED_DAYS = 7
TAG = "nightshift"


@dataclass(frozen=True)
class TaskJob:
    """A task that has a job at a vendor.

    :param task_state: Airflow's word for the task
    :param unread: why the record of the job cannot be read
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    task_state: str
    record: JobRecord | None
    unread: str = ""

    @property
    def is_in_doubt(self) -> bool:
        """Whether only a person can tell how it stands: the answer to the request was lost, or the task has failed and
        nobody has seen its job end.
        """
        found = self.record
        if found is None:
            return bool(self.unread)
        return found.is_unanswered or (self.task_state not in WAITING and found.is_open)

    @property
    def seconds(self) -> float | None:
        """For how long it has been there."""
        found = self.record
        began = found.intent.at if found is not None and found.intent is not None else None
        return None if began is None else max(datetime.now(UTC).timestamp() - began, 0.0)


@jobs.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    airflow_url: AirflowUrl = "",
    airflow_user: AirflowUser = "",
    token_file: TokenFile = None,
    failed: Annotated[
        bool, typer.Option("--failed", help=f"All jobs of tasks that failed in the last {FAILED_DAYS} days, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what waits at the vendors, and what only a person can tell.

    Exit code: 0 all is known, 1 a job is in doubt, 3 Airflow cannot be asked, or does not show a DAG that the
    configuration has.
    """
    if context.invoked_subcommand is not None:
        return
    with telling():

        async def read() -> tuple[list[TaskJob], list[str], str]:
            async with AirflowApi(airflow_url, Credentials.found(airflow_user, token_file)) as api:
                ours = await dags_seen(api)
                unseen = [one for one in _expected() if one not in ours]
                told = _unseen(api.url, unseen) if unseen else ""
                if unseen and not ours:
                    raise CannotTell(told)
                return await jobs_seen(api, ours, with_failed=failed), unseen, told

        found, unseen, told = asyncio.run(read())
        code = Exit.WRONG if any(one.is_in_doubt for one in found) else Exit.FINE
        if as_json:
            print_json({"version": 1, "jobs": [_shape(one) for one in found], "unseen": unseen})
        elif found:
            print_rows(["task", "run", "task is", "job", "state", "for", "at the vendor"], map(_row, found))
        elif not unseen:
            out().print(styled("Nothing waits at a vendor", "green"))
        if unseen:
            fail(told, code or Exit.NOT_KNOWN)
    raise typer.Exit(code)


@jobs.command()
def resolve(
    dag_id: Annotated[str, typer.Argument(help="DAG of the task.")],
    run_id: Annotated[str, typer.Argument(help="Its run.")],
    task_id: Annotated[str, typer.Argument(help="The task.")],
    reason: Reason,
    adopt: Annotated[
        str | None, typer.Option("--adopt", help="The vendor's id of the job that is this task's.")
    ] = None,
    resubmit: Annotated[bool, typer.Option("--resubmit", help="There is none; ask the vendor again.")] = False,
    over: Annotated[bool, typer.Option("--over", help="Whatever there was is over, and none is wanted.")] = False,
    map_index: Annotated[int, typer.Option(help="Of a mapped task.")] = -1,
    airflow_url: AirflowUrl = "",
    airflow_user: AirflowUser = "",
    token_file: TokenFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Say what becomes of a job in doubt; then the task is cleared, and looks for itself whether that can be.

    It is recorded with your name in Airflow and on this machine. An id is taken only if the vendor's answer bears it
    out.
    """
    from nightshift.jobs.record import RESOLUTION_KEY, Resolution
    from nightshift.jobs.state import to_json

    try:
        word = Resolution(adopt=adopt, resubmit=resubmit, over=over, by=who(), why=reason)
    except ValueError:
        raise typer.BadParameter("give one of --adopt ID, --resubmit and --over") from None
    with telling():
        if not confirmed(f"{word.kind} for {dag_id} {task_id} of {run_id}, and clear the task?", yes=yes):
            raise typer.Exit(Exit.WRONG)

        async def write() -> None:
            async with AirflowApi(airflow_url, Credentials.found(airflow_user, token_file)) as api:
                me = await api.get("/ui/auth/me")
                told = {**to_json(word), "by": f"{me['username']} ({who()})"}
                path = f"{run_path(dag_id, run_id, task_id)}/state-store/{RESOLUTION_KEY}"
                query = None if map_index < 0 else {"map_index": map_index}
                await api.send("PUT", path, body={"value": told}, query=query)
                cleared = {
                    "dry_run": False,
                    "only_failed": False,
                    "include_downstream": True,
                    "dag_run_id": run_id,
                    "task_ids": [task_id if map_index < 0 else [task_id, map_index]],
                    **await api.keeping_state(),
                }
                await api.send("POST", f"/api/v2/dags/{quote(dag_id, safe='')}/clearTaskInstances", body=cleared)

        asyncio.run(write())
    if as_json:
        print_json({"version": 1, "resolved": word.kind, "dag_id": dag_id, "run_id": run_id, "task_id": task_id})
    else:
        text = f"{word.kind}: told to {task_id}, which was cleared and looks at it anew"
        out().print(styled(text, "yellow"), soft_wrap=True)


async def dags_seen(api: AirflowApi) -> frozenset[str]:
    """Return our DAGs that this person may see, those that are no longer there as well: their tasks may have jobs."""
    dags = api.every("/api/v2/dags", "dags", tags=TAG, exclude_stale="false")
    return frozenset([str(one["dag_id"]) async for one in dags])


def _expected() -> list[str]:
    """Return the DAGs that the configuration has; none where this machine has no configuration."""
    from nightshift.config.reports import sources_in_force

    try:
        return dags_expected(sources_in_force().sources)
    except ConfigError:
        return []


def _unseen(url: str, dag_ids: Sequence[str]) -> str:
    return (
        f"Airflow at {url} does not show the DAG{'s' * (len(dag_ids) > 1)} {', '.join(dag_ids)} of the configuration, "
        "so whether jobs of theirs wait cannot be told. Look whether --airflow-url is the right Airflow, whether you "
        "may see these DAGs, and whether their files are in its DAG folder (`nightshift doctor`)."
    )


async def jobs_seen(api: AirflowApi, ours: Collection[str], *, with_failed: bool = False) -> list[TaskJob]:
    """Return the tasks of DAGs that have a job at a vendor, the oldest first.

    :param ours: the DAGs
    :param with_failed: all those of tasks that have ended otherwise than well, not only the ones in doubt
    """
    path, key = "/api/v2/dags/~/dagRuns/~/taskInstances", "task_instances"
    since = (datetime.now(UTC) - timedelta(days=FAILED_DAYS)).isoformat()
    tasks: dict[tuple[Any, ...], dict[str, Any]] = {}
    # In this order: of a task that ends between the two, the end counts.
    for asked in ({"state": sorted(WAITING)}, {"state": list(ENDED), "updated_at_gte": since}):
        async for one in api.every(path, key, **asked):
            if one["dag_id"] in ours and _may_have(one):
                tasks[one["dag_id"], one["dag_run_id"], one["task_id"], one["map_index"]] = one
    gate = asyncio.Semaphore(AT_ONCE)

    async def seen(task: dict[str, Any]) -> TaskJob | None:
        async with gate:
            return await _job_of(api, task)

    found = [one for one in await asyncio.gather(*map(seen, tasks.values())) if one is not None]
    if not with_failed:
        found = [one for one in found if one.task_state in WAITING or one.is_in_doubt]
    return sorted(found, key=lambda one: -(one.seconds or 0))


def _may_have(task: dict[str, Any]) -> bool:
    """Whether a task can have a job: most of those that Airflow has no word for, or never began, have not."""
    return bool(task["try_number"]) or task["state"] not in (None, "upstream_failed", "removed")


async def _job_of(api: AirflowApi, task: dict[str, Any]) -> TaskJob | None:
    """Return the job of a task, ``None`` where it has none."""
    import msgspec

    from nightshift.jobs.record import RECORD_KEY, JobRecord

    where = (task["dag_id"], task["dag_run_id"], task["task_id"], task["map_index"], task["state"] or CLEARED)
    query = {} if task["map_index"] < 0 else {"map_index": task["map_index"]}
    try:
        told = await api.get(f"{run_path(*where[:3])}/state-store/{RECORD_KEY}", **query)
    except AirflowRefused as error:
        if error.status == 404:
            return None
        raise
    try:
        return TaskJob(*where, msgspec.convert(told["value"], JobRecord))
    except msgspec.ValidationError as error:
        return TaskJob(*where, None, f"its record cannot be read: {error}")


def _row(one: TaskJob) -> Sequence[object]:
    from nightshift.promotion.figures import duration_words

    record = one.record
    name = record.id if record is not None and record.id else "?"
    status = record.status if record is not None else None
    last = "" if status is None else status.label()
    state = styled(f"in doubt, last {last}" if last else "in doubt", "red") if one.is_in_doubt else last
    url = (status.url if status is not None else None) or one.unread
    seconds = "" if one.seconds is None else duration_words(one.seconds)
    return [f"{one.dag_id} {one.task_id}", one.run_id, one.task_state, name, state, seconds, url]


def _shape(one: TaskJob) -> dict[str, Any]:
    record, status = one.record, one.record.status if one.record is not None else None
    return {
        "dag_id": one.dag_id,
        "run_id": one.run_id,
        "task_id": one.task_id,
        "map_index": one.map_index,
        "task_state": one.task_state,
        "job": record.id if record is not None else None,
        "state": str(status.state) if status is not None else None,
        "vendor_state": status.vendor_state if status is not None else None,
        "url": status.url if status is not None else None,
        "seconds": one.seconds,
        "in_doubt": one.is_in_doubt,
        "unread": one.unread or None,
    }
