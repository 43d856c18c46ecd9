"""Follow the runs of a night and tell how they go, then what landed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from include.local.rest import Api
from nightshift.config.reports import Source
from nightshift.errors import BeyondHorizon
from nightshift.fields import night_of
from nightshift.local_time import end_of, last_night

RUN_SECONDS = 1800
SCHEDULED_SECONDS = 20
"""For a run of the scheduler's own, where Airflow does not say that one is to be made."""
OVERDUE_SECONDS = 300
"""For one that Airflow says is to be made: a scheduler with much else to do is late."""
DONE = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})
BAD = frozenset({"failed", "upstream_failed"})
FAILED = "FAILED"
GONE = "not fetched"
"""Begins the reason where the vendor has a night no more: nothing failed, and nothing could be brought home."""


@dataclass
class Flow:
    """One flow of the mission.

    :param dag_id: its DAG
    :param vendor: connection type of its source
    :param source: its section of ``reports.yaml``
    :param reports: name of a report → id of its task group
    """

    dag_id: str
    vendor: str
    source: Source
    reports: Mapping[str, str]
    run_id: str = ""
    state: str = ""
    rows: list[list[str]] = field(default_factory=list)

    @property
    def published(self) -> list[str]:
        """The reports that came home, as ``<source>/<report>``."""
        return [f"{row[0]}/{row[1]}" for row in self.rows if not row[-1].startswith((FAILED, GONE))]

    @property
    def sound(self) -> bool:
        """Whether every report came home that its vendor still has."""
        return not any(row[-1].startswith(FAILED) for row in self.rows)

    def last_night(self) -> str:
        """Return the last day that is over at the vendor."""
        return last_night(self.source.zone, datetime.now(UTC)).isoformat()

    def is_settled(self, night: str) -> bool:
        """Return whether a scheduled run for the night would begin now."""
        return datetime.now(UTC) >= end_of(night_of(night), self.source.zone) + timedelta(
            hours=self.source.settle_hours
        )


def start_run(api: Api, flow: Flow, night: str | None) -> str:
    """Start the flow for a night and return the run's id: the scheduler's own run where it is at work on the night, or
    makes one for last night, else one of ours.
    """
    wanted = night or flow.last_night()
    before = api.runs(flow.dag_id)
    # One of a night that has not settled waits for that inside of itself, for hours: nobody follows it.
    is_settled = flow.is_settled(wanted)
    of_night = [run for run in before if run.get("partition_key") == wanted]
    api.unpause(flow.dag_id)
    if not of_night and wanted == flow.last_night() and is_settled:
        began, patience = time.monotonic(), 0 if before else SCHEDULED_SECONDS
        while (waited := time.monotonic() - began) < patience or (
            waited < OVERDUE_SECONDS and _is_overdue(api, flow.dag_id)
        ):
            of_night = [run for run in api.runs(flow.dag_id) if run.get("partition_key") == wanted]
            if of_night:
                return str(of_night[0]["dag_run_id"])
            time.sleep(0.5)
    at_work = [run for run in of_night if run["run_type"] == "scheduled" and run["state"] not in ("success", "failed")]
    if at_work and is_settled:
        return str(at_work[0]["dag_run_id"])
    at = datetime.now(UTC).isoformat()
    return api.trigger(flow.dag_id, partition_key=wanted, run_id=f"{wanted}__manual__{at}")


def _is_overdue(api: Api, dag_id: str) -> bool:
    """Say whether the scheduler has yet to make a run that is to begin now."""
    at = api.call("GET", f"/api/v2/dags/{dag_id}")["next_dagrun_run_after"]
    return at is not None and datetime.fromisoformat(at) <= datetime.now(UTC)


def follow(api: Api, flow: Flow, say: Callable[[str], None]) -> None:
    """Follow a run to its end; every task that ends is told once."""
    told: set[str] = set()
    for run, tasks in api.follow(flow.dag_id, flow.run_id, timeout=RUN_SECONDS):
        flow.state = run["state"]
        for task in tasks:
            if task["state"] in DONE and task["task_id"] not in told:
                told.add(task["task_id"])
                seconds = f" in {task['duration']:.1f} s" if task.get("duration") else ""
                say(f"{flow.dag_id} {len(told)}/{len(tasks)}  {task['task_id']}: {task['state']}{seconds}")


def collect(api: Api, flow: Flow) -> None:
    """Collect a line of the summary for each report."""
    tasks = api.tasks(flow.dag_id, flow.run_id)
    for report, group in flow.reports.items():
        own = [task for task in tasks if task["task_id"].startswith(f"{group}.")]
        published = api.returned(flow.dag_id, flow.run_id, f"{group}.publish")
        if published is None:
            flow.rows.append([flow.vendor, report, *[""] * 6, _why(api, flow, group, tasks)])
            continue
        seconds = sum(float(task.get("duration") or 0) for task in own)
        flow.rows.append(_line(flow, report, published, seconds))


def _why(api: Api, flow: Flow, group: str, tasks: Sequence[Mapping[str, Any]]) -> str:
    """Say why a report is not published: in the words of the task that failed, its own or one that it comes after."""
    own = [task for task in tasks if task["task_id"].startswith(f"{group}.")]
    before = [task for task in tasks if f"{group}.".startswith(task["task_id"].rpartition(".")[0])]
    failed = next((task for task in [*own, *before] if task["state"] == "failed"), None)
    if failed is None:
        states = sorted({str(task["state"]) for task in own}) or ["not there"]
        return f"{FAILED}: its tasks are {', '.join(states)}"
    found = api.failure(flow.dag_id, flow.run_id, failed["task_id"], failed["try_number"])
    if found is None:
        return f"{FAILED}: {failed['task_id']}, whose log has no exception"
    kind, text = found
    if kind == BeyondHorizon.__name__:
        return f"{GONE}: {text.partition('. ')[0]}"
    return f"{FAILED}: {failed['task_id']}: {kind}: {text}"


def _line(flow: Flow, report: str, published: dict[str, Any], seconds: float) -> list[str]:
    checks = published["checks"]
    failed = [check["name"] for check in checks if not check["ok"]]
    verdict = f"{len(checks)} passed" if not failed else f"failed: {', '.join(failed)}"
    counts = [f"{published[name]:,}" for name in ("pages", "rows", "landed_bytes")]
    version = str(published["table_version"])
    return [flow.vendor, report, published["night"], *counts, f"{seconds:.1f}", version, verdict]


HEADINGS = ["source", "report", "night", "pages", "rows", "bytes", "seconds", "version", "checks"]


def summary(flows: Sequence[Flow]) -> str:
    """Return the summary as a table of text."""
    rows = [HEADINGS, *(row for flow in flows for row in flow.rows)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEADINGS))]
    numeric = {3, 4, 5, 6, 7}
    lines = [
        "  ".join(
            cell.rjust(widths[n]) if n in numeric else cell.ljust(widths[n]) for n, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
