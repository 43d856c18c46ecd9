"""Sixty nights through Airflow's own bookkeeping: its asset manager and its scheduler's own code, on a real database.

Run as a program, because it sets up the metadata database of an Airflow of its own; prints what it saw as JSON::

    python -m tests.simulation.sixty_nights <folder> <seed>
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.year.metadata import REPORTS as REPORTS_DAG
from benchmarks.year.metadata import Metadata
from include.standins.flexdeploy import FlexDeployStandIn
from include.standins.flexdeploy.planted import DEV, PORTAL

NIGHTS = 60
REPORTS = ("flexnet/entitlement", "flexnet/usage", "tokenflex/usage")
APPLICATIONS = {"portal": REPORTS, "dashboard": REPORTS[:2]}
FIRST = date(2026, 9, 1)


def settle(folder: Path) -> None:
    """Say where everything is, before Airflow is imported."""
    os.environ.update(
        AIRFLOW_HOME=str(folder / "airflow"),
        AIRFLOW__CORE__UNIT_TEST_MODE="True",
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{folder}/airflow.db",
        NIGHTSHIFT_LAKE=str(folder / "lake"),
    )
    (folder / "airflow").mkdir(parents=True, exist_ok=True)


def publishes(draw: random.Random) -> tuple[list[Any], set[str]]:
    """Return what is published, in a random order, and the nights that stay incomplete for both applications."""
    from tests.simulation.publisher import Publish

    nights = [(FIRST + timedelta(days=one)).isoformat() for one in range(NIGHTS)]
    incomplete = set(draw.sample(nights, NIGHTS // 3))
    found = []
    for night in nights:
        # What is missing is one that no look-back brings later.
        left_out = draw.choice(REPORTS[:2]) if night in incomplete else None
        found += [Publish(report, night) for report in REPORTS if report != left_out]
    draw.shuffle(found)
    return found, incomplete


def metadata() -> Metadata:
    """Return an Airflow that has the DAGs of the promotions, and one that publishes."""
    from airflow.sdk import DAG, PartitionedAtRuntime

    from nightshift.nights.ready import Waiting
    from nightshift.promotion.flow import promotion_dag
    from tests.simulation.publisher import Publish, task_of

    dags = [promotion_dag(name, application(name), doc_md=None) for name in APPLICATIONS]
    reports = DAG(REPORTS_DAG, schedule=PartitionedAtRuntime())
    for report in REPORTS:
        after = Waiting({name: after for name, after in APPLICATIONS.items() if report in after})
        task_of(Publish(report, FIRST.isoformat()), after, reports)
    return Metadata([*dags, reports])


def application(name: str) -> Any:
    from nightshift.config.promotions import Application

    stages = [{"environment_id": DEV, "name": "DEV"}]
    return Application.model_validate(
        {
            "project_id": PORTAL,
            "stream_id": PORTAL + 400,
            "build": {"environment_id": DEV},
            "stages": stages,
            "after": APPLICATIONS[name],
        }
    )


def begin(dag_id: str, night: str, run_id: str) -> str:
    """Run the first task of a promotion that the scheduler started, and let the promotion end; return what became of
    it.
    """
    import asyncio

    from nightshift.lake.store import Lake
    from nightshift.promotion.flow import promotion_dag
    from nightshift.promotion.store import Records
    from nightshift.promotion.vocabulary import PromotionOutcome
    from tests.execution_api import FakeExecutionApi

    name = dag_id.removeprefix("promote_")
    api = FakeExecutionApi(dag_id=dag_id, run_id=run_id, partition_key=night, run_type="asset_triggered")
    run = api.run(promotion_dag(name, application(name), doc_md=None).get_task("begin"))
    if run.state != "success":
        return f"{run.state}: {run.error}"

    async def end() -> str:
        records = Records(Lake.from_url(os.environ["NIGHTSHIFT_LAKE"]), name)
        record = await records.read(run_id)
        if record is not None and record.outcome is None:
            await records.write(record.close(PromotionOutcome.PROMOTED, "simulated"))
            return "promoted"
        return str(record and record.outcome)

    return asyncio.run(end())


def main(folder: Path, seed: int) -> dict[str, Any]:
    settle(folder)
    draw = random.Random(seed)
    from tests.simulation import publisher

    todo, incomplete = publishes(draw)
    processes = multiprocessing.get_context("spawn")
    answers, meeting = processes.Queue(), processes.Barrier(2)
    inboxes = [processes.Queue() for _ in range(2)]
    workers = [processes.Process(target=publisher.main, args=(box, answers, APPLICATIONS, meeting)) for box in inboxes]
    database, together = metadata(), 0
    for one in workers:
        one.daemon = True
        one.start()
    try:
        while todo:
            # Half of the time two publishes of one night, where there are two left, end at the same moment.
            first = todo.pop()
            other = next((one for one in todo if one.night == first.night), None) if draw.random() < 0.5 else None
            pair = [first] if other is None else [first, other]
            if other is not None:
                todo.remove(other)
                together += 1
            for box, one in zip(inboxes, pair, strict=False):
                box.put((one, other is not None))
            found = [answers.get(timeout=120) for _ in pair]
            for one, sent in found:
                if "error" in sent:
                    raise RuntimeError(f"{one}: {sent['error']}")
                database.emit(one.report.replace("/", "."), one.night, sent["outlets"], sent["events"])
                if draw.random() < 0.5:
                    database.schedule()
        database.schedule()
    finally:
        for box in inboxes:
            box.put(None)
        for one in workers:
            one.join(30)
    nights = {(FIRST + timedelta(days=one)).isoformat() for one in range(NIGHTS)}
    with FlexDeployStandIn() as vendor:
        # The first task asks whether what is to be promoted is there.
        os.environ["AIRFLOW_CONN_FLEXDEPLOY_DEFAULT"] = json.dumps(
            {"conn_type": "flexdeploy", "host": vendor.url, "login": "nightshift", "password": "standin-flexdeploy"}
        )
        outcomes = [(dag_id, night, begin(dag_id, night, run_id)) for dag_id, night, run_id in database.started()]
    promoted = Counter((dag_id, night) for dag_id, night, what in outcomes if what == "promoted")
    pending = sum(database.pending().values())
    return {
        "complete": sorted(nights - incomplete),
        "together": together,
        "pending": pending,
        "partitions": database.partitions(),
        "promoted": {
            f"promote_{name}": sorted(n for (d, n) in promoted if d == f"promote_{name}") for name in APPLICATIONS
        },
        "most": max(promoted.values(), default=0),
        "others": dict(Counter(what for _, _, what in outcomes if what != "promoted")),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
