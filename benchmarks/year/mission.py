"""What happens in the nights of a year: reports come home, late ones later, some never; applications are promoted, the
watch looks, the board is asked, maintenance runs. All by the provider's own code, on one lake.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.year.costs import Costs
from benchmarks.year.metadata import REPORTS, Bare, Metadata

LOOK_BACK = 3
"""Nights before its own that an extract of Token Flex brings once more."""
ROWS = 3
LATE, NEVER, AGAIN = 0.05, 0.01, 0.03
"""How likely it is that a night of a report comes after it was due, that it never comes, and that it is fetched
again some nights later."""
KEPT = "90d"
"""How long the landing and the incidents are kept."""
SCOUTED = 30
"""Nights after which a night may be fetched again, at most."""
VIEWS = ("nights?count=90", "promotions", "promotions/app_00", "figures", "incidents", "overview")


@dataclass(frozen=True)
class Plan:
    """How large the year is.

    :param reports: of which every fifth is one with a look-back
    """

    nights: int = 400
    reports: int = 20
    applications: int = 10
    seed: int = 7

    @property
    def names(self) -> tuple[str, ...]:
        """The reports."""
        return tuple(
            f"{'tokenflex' if number % 5 == 4 else 'flexnet'}/report_{number:02d}" for number in range(self.reports)
        )

    @property
    def after(self) -> dict[str, tuple[str, ...]]:
        """Application → the reports that it waits for: four, or as many as there are."""
        names, wide = self.names, min(4, self.reports)
        return {
            f"app_{number:02d}": tuple(names[(2 * number + one) % self.reports] for one in range(wide))
            for number in range(self.applications)
        }


@dataclass(frozen=True)
class Publish:
    """One publish.

    :param number: how often the night was fetched before
    """

    report: str
    night: str
    number: int = 0


@dataclass
class Year:
    """A lake, an Airflow and a configuration, for which nights are let pass one by one.

    :param first: the first night
    """

    plan: Plan
    first: date
    metadata: Metadata | Bare
    costs: Costs
    later: dict[int, list[Publish]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.plan.seed)
        self.promoted: dict[tuple[str, str], int] = {}
        self.missing: set[tuple[str, str]] = set()
        self.tasks = {report: publish_task(report, self.plan.after) for report in self.plan.names}

    def night(self, number: int) -> None:
        """Let one night pass: what comes in time, a look of the watch, what comes late, a look, promotions."""
        night = (self.first + timedelta(days=number)).isoformat()
        in_time, late = [*self.later.pop(number, ())], list[Publish]()
        for report in self.plan.names:
            drawn = self._draw.random()
            if drawn < NEVER:
                self.missing.add((report, night))
                continue
            (late if drawn < NEVER + LATE else in_time).append(Publish(report, night))
            if self._draw.random() < AGAIN:
                on = number + self._draw.randint(1, SCOUTED)
                self.later.setdefault(on, []).append(Publish(report, night, 1))
        for lot in (in_time, late):
            for one in lot:
                self._publish(one, number)
            self.metadata.schedule()
            with self.costs.of("watch", number):
                self._look()
        for dag_id, of, run_id in self.metadata.started():
            self._promote(dag_id.removeprefix("promote_"), of, run_id, number)
        self.metadata.end_runs()

    def _publish(self, one: Publish, number: int) -> None:
        from airflow.sdk.execution_time.context import OutletEventAccessors
        from airflow.sdk.execution_time.task_runner import _build_asset_profiles, _serialize_outlet_events

        extract = asyncio.run(land(one))
        task = self.tasks[one.report]
        events = OutletEventAccessors()
        context = {"ti": SimpleNamespace(try_number=1), "outlet_events": events}
        operator = task.operator(extract)
        with self.costs.of("publish", number):
            operator.execute(context)
        outlets = [outlet.model_dump(mode="json") for outlet in _build_asset_profiles(operator.outlets)]
        self.metadata.emit(task.task_id, one.night, outlets, list(_serialize_outlet_events(events)))

    def _look(self) -> None:
        from nightshift.nights.place import lake_of_this_deployment
        from nightshift.watch.once import watch_once

        watch_once(lake_of_this_deployment(), by="dag", channels={})

    def _promote(self, name: str, night: str, run_id: str, number: int) -> None:
        from nightshift.nights.place import lake_of_this_deployment
        from nightshift.promotion.begin_operator import PromotionBeginOperator
        from nightshift.promotion.index import keep_index
        from nightshift.promotion.store import Records

        operator = PromotionBeginOperator(task_id="begin", application=name, config=application(self.plan.after[name]))
        ti = SimpleNamespace(
            run_id=run_id, dag_id=f"promote_{name}", try_number=1, id=run_id, get_dr_count=lambda **_: 0
        )
        run = SimpleNamespace(
            run_id=run_id, conf={}, partition_key=night, run_type="asset_triggered", triggering_user_name=None
        )
        with self.costs.of("begin", number):
            # Its second look: the first one also asks FlexDeploy for names, which costs the same on every night.
            returned = operator.look_again({"ti": ti, "dag_run": run, "params": {}})
        if returned["outcome"] is not None:
            return
        self.promoted[name, night] = self.promoted.get((name, night), 0) + 1
        records = Records(lake_of_this_deployment(), name)
        with self.costs.of("close", number):
            asyncio.run(_ended(records, run_id, number))
            asyncio.run(keep_index(records))


async def _ended(records: Any, run_id: str, number: int) -> None:
    """Write what a promotion through one stage writes."""
    from nightshift.promotion.record import PromotionStep, Version
    from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState

    record, now = await records.read(run_id), datetime.now(UTC)
    version = Version(id=number + 1, name=f"1.{number}")
    steps = tuple(
        PromotionStep(
            task=task,
            kind=kind,
            stage=stage,
            state=StepState.DONE,
            started=now,
            ended=now,
            version=version,
            requests=(2 * number + place,),
            outcome=outcome,
        )
        for place, (task, kind, stage, outcome) in enumerate(
            (("build", StepKind.BUILD, None, "built"), ("DEV.deploy", StepKind.DEPLOY, "DEV", "deployed"))
        )
    )
    await records.write(record.changed(version=version, steps=steps).close(PromotionOutcome.PROMOTED, "promoted"))


@dataclass(frozen=True)
class PublishTask:
    """The task that publishes a report."""

    task_id: str
    report: str
    waiting: Any

    def operator(self, extract: Mapping[str, Any], dag: Any = None) -> Any:
        """Return the operator for an extract."""
        from nightshift.lake.spec import PublishSpec
        from nightshift.nights.publish import PublishNightOperator

        source, _, report = self.report.partition("/")
        nights = extract.get("nights", ())
        several = {"nights": nights, "night_column": "day"} if len(nights) > 1 else {}
        return PublishNightOperator(
            task_id=self.task_id,
            spec=PublishSpec(key=("id",), **several).model_dump(mode="json"),
            source=source,
            report=report,
            extract=extract,
            waiting=self.waiting,
            **({"dag": dag} if dag else {}),
        )


def publish_task(report: str, after: Mapping[str, Sequence[str]]) -> PublishTask:
    """Return the task that publishes a report, with the applications that wait for it."""
    from nightshift.nights.ready import Waiting

    waiting = Waiting({name: reports for name, reports in after.items() if report in reports})
    return PublishTask(report.replace("/", "."), report, waiting)


async def land(one: Publish) -> dict[str, Any]:
    """Land what an extract of a night brings; return what the extracting task returns."""
    from nightshift.lake.extract import Manifest
    from nightshift.lake.landing import Landing
    from nightshift.nights.place import lake_of_this_deployment

    source, _, report = one.report.partition("/")
    night = date.fromisoformat(one.night)
    back = LOOK_BACK if source == "tokenflex" else 0
    days = [(night - timedelta(days=ago)).isoformat() for ago in range(back, -1, -1)]
    name = f"extract-{one.number}"
    folder = Landing(lake_of_this_deployment(), source, report, one.night).extract(name)
    rows = [
        {"id": f"{day}/{row}", "day": day, "product": "P", "quantity": row + one.number}
        for day in days
        for row in range(ROWS + one.number)
    ]
    entry = await folder.write(1, json.dumps({"data": rows, "header": {"nextPageURL": None}}).encode(), len(rows))
    now = datetime.now(UTC).isoformat()
    await folder.complete(
        Manifest.of(
            [entry],
            source=source,
            report=report,
            night=one.night,
            extract=name,
            connection="c",
            attempt=1,
            started=now,
            finished=now,
            format="json",
        )
    )
    return {"source": source, "report": report, "night": one.night, "extract": name, "nights": days}


def application(after: Sequence[str]) -> Any:
    """Return the configuration of an application."""
    from nightshift.config.promotions import Application

    stages = [{"environment_id": 1, "name": "DEV"}]
    return Application.model_validate(
        {"project_id": 1, "stream_id": 1, "build": {"environment_id": 1}, "stages": stages, "after": after}
    )


def configure(folder: Path, plan: Plan, port: int) -> None:
    """Say where everything is and what there is, before Airflow is imported."""
    config = folder / "config"
    config.mkdir(parents=True)
    sources: dict[str, list[str]] = {"flexnet": [], "tokenflex": []}
    for name in plan.names:
        source, _, report = name.partition("/")
        sources[source].append(report)
    lines = ["flexnet:", "  due: '06:00'", "  reports:"]
    lines += [f"    - {{name: {report}}}" for report in sources["flexnet"]]
    if sources["tokenflex"]:
        lines += ["tokenflex:", "  due: '06:00'", "  contract: '110000917988'", "  exports:"]
        lines += [
            f"    - {{name: {report}, category: DESKTOP_PRODUCT, fields: [usageDate], metrics: [tokensConsumed]}}"
            for report in sources["tokenflex"]
        ]
    (config / "reports.yaml").write_text("\n".join(lines) + "\n")
    (config / "promotions.yaml").write_text(
        "".join(
            f"{name}: {{project_id: 1, stream_id: 1, build: {{environment: DEV}}, stages: [{{environment: DEV}}], "
            f"after: [{', '.join(after)}]}}\n"
            for name, after in plan.after.items()
        )
    )
    os.environ.update(
        AIRFLOW_CONN_FLEXDEPLOY_DEFAULT='{"conn_type": "flexdeploy", "host": "http://127.0.0.1:9"}',
        AIRFLOW_HOME=str(folder / "airflow"),
        AIRFLOW__CORE__UNIT_TEST_MODE="True",
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="ada:admin",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{folder}/airflow.db",
        AIRFLOW__API_AUTH__JWT_SECRET="x" * 64,
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        AWS_ACCESS_KEY_ID="year",
        AWS_SECRET_ACCESS_KEY="year",
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ENDPOINT=f"http://127.0.0.1:{port}",
        AWS_ALLOW_HTTP="true",
        NIGHTSHIFT_CONFIG=str(config),
        NIGHTSHIFT_KEPT=str(folder / "kept"),
        NIGHTSHIFT_LAKE="s3://year/lake",
        _AIRFLOW_PROCESS_CONTEXT="server",
    )
    (folder / "airflow").mkdir()


def metadata_of(plan: Plan) -> Metadata:
    """Return an Airflow that has the DAGs of the promotions, and one that publishes."""
    from airflow.sdk import DAG, PartitionedAtRuntime

    from nightshift.promotion.flow import promotion_dag

    dags = [promotion_dag(name, application(after), doc_md=None) for name, after in plan.after.items()]
    with DAG(REPORTS, schedule=PartitionedAtRuntime()) as reports:
        for report in plan.names:
            publish_task(report, plan.after).operator({"night": "2026-01-01"}, reports)
    return Metadata([*dags, reports])


def take_care_of_all(plan: Plan) -> None:
    """Do what the weekly maintenance does for each source, with a retention of a quarter of a year."""
    from nightshift.config.reports import Maintenance
    from nightshift.lake.maintenance import delete_old_incidents
    from nightshift.nights.maintenance import take_care
    from nightshift.nights.place import lake_of_this_deployment

    lake, rules = lake_of_this_deployment(), Maintenance.model_validate({"keep_landing": KEPT, "keep_incidents": KEPT})
    for name in plan.names:
        source, _, report = name.partition("/")
        take_care(lake, source, report, rules, dry_run=False, say=lambda text: None)
    for source in sorted({name.partition("/")[0] for name in plan.names}):
        if rules.keep_incidents is not None:
            delete_old_incidents(lake, source, rules.keep_incidents, at=datetime.now(UTC))


class Board:
    """The board, asked as a browser does."""

    def __init__(self, costs: Costs) -> None:
        from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        create_auth_manager()
        self._cookie = lambda: get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ada", role="ADMIN"))
        self._costs = costs

    def ask(self, number: int) -> None:
        """Ask for each view twice: as the first request of a process, and after it."""
        asyncio.run(self._ask(number))

    async def _ask(self, number: int) -> None:
        import httpx

        from nightshift.board.app import create_app

        cookies = {"_token": self._cookie()}
        for view in VIEWS:
            transport = httpx.ASGITransport(app=create_app())
            async with httpx.AsyncClient(transport=transport, base_url="http://board/", cookies=cookies) as client:
                await client.get("api/holds")
                for how in ("first", "then"):
                    with self._costs.of(f"board {view.partition('?')[0]}, {how}", number):
                        answer = await client.get(f"api/{view}")
                    answer.raise_for_status()


@contextmanager
def quiet() -> Iterator[None]:
    """Let nobody log: a year says a lot."""
    import logging

    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
