"""A worker that publishes nights, in a process of its own: Airflow's task runner, the real operator, a real table."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

LATE = "tokenflex/usage"
"""The report of which each extract brings the nights before it once more."""
LOOK_BACK = 3


@dataclass(frozen=True)
class Publish:
    """One publish.

    :param report: ``<source>/<report>``
    :param night: night of the extract
    """

    report: str
    night: str

    @property
    def nights(self) -> list[str]:
        """All nights that it replaces."""
        back = LOOK_BACK if self.report == LATE else 0
        return [(date.fromisoformat(self.night) - timedelta(days=one)).isoformat() for one in range(back, -1, -1)]


def task_of(one: Publish, waiting: Any, dag: Any = None) -> Any:
    """Return the task that publishes; in a DAG of its own where none is given."""
    from airflow.sdk import DAG

    from nightshift.lake.spec import PublishSpec
    from nightshift.nights.publish import PublishNightOperator

    source, _, report = one.report.partition("/")
    several = {"nights": one.nights, "night_column": "day"} if len(one.nights) > 1 else {}
    with dag or DAG("reports", schedule=None):
        return PublishNightOperator(
            task_id=one.report.replace("/", "."),
            spec=PublishSpec(**several).model_dump(mode="json"),
            source=source,
            report=report,
            extract={"source": source, "report": report, "night": one.night, "extract": "first"},
            waiting=waiting,
        )


async def _land(lake: Any, one: Publish) -> None:
    from nightshift.lake.extract import Manifest
    from nightshift.lake.landing import Landing

    source, _, report = one.report.partition("/")
    folder = Landing(lake, source, report, one.night).extract("first")
    rows = [{"id": f"{day}/{number}", "day": day} for day in one.nights for number in range(3)]
    entry = await folder.write(1, json.dumps({"data": rows, "header": {"nextPageURL": None}}).encode(), len(rows))
    at = f"{date.fromisoformat(one.night) + timedelta(days=1)}T04:00:00+00:00"
    await folder.complete(
        Manifest.of(
            [entry],
            source=source,
            report=report,
            night=one.night,
            extract="first",
            connection="c",
            attempt=1,
            started=at,
            finished=at,
            format="json",
        )
    )


def publish(one: Publish, applications: dict[str, tuple[str, ...]], meeting: Any = None) -> dict[str, Any]:
    """Land and publish a night; return what the task runner sends to Airflow when the task has ended well.

    :param applications: application → the reports that it waits for
    :param meeting: a barrier; where it is given, another process publishes at the same moment
    """
    from nightshift.nights.place import lake_of_this_deployment
    from nightshift.nights.ready import Waiting
    from tests.execution_api import FakeExecutionApi

    asyncio.run(_land(lake_of_this_deployment(), one))
    waiting = Waiting({name: after for name, after in applications.items() if one.report in after})
    if meeting is not None:
        meeting.wait(60)
    run = FakeExecutionApi(partition_key=one.night, dag_id="reports").run(task_of(one, waiting))
    if run.state != "success":
        raise RuntimeError(f"{one}: {run.state}: {run.error}")
    outlets = [outlet.model_dump(mode="json") for outlet in run.message.task_outlets]
    return {"outlets": outlets, "events": list(run.message.outlet_events)}


def main(jobs: Any, answers: Any, applications: dict[str, tuple[str, ...]], meeting: Any) -> None:
    """Publish what comes, until nothing does."""
    while (job := jobs.get()) is not None:
        one, together = job
        try:
            answers.put((one, publish(one, applications, meeting if together else None)))
        except BaseException as error:
            answers.put((one, {"error": repr(error)}))
