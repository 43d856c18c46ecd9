"""What the release before has left, this release goes on with: its task states, deferred waits, records, claims,
landing, tables and tokens. Judged by the stand-ins' ledgers and the bytes in the lake.

The fixtures were written by that release's own code, see ``make.py``.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk._shared.module_loading import import_string
from deltalake import DeltaTable

from include.standins import Clock
from include.standins.flexdeploy import Changes, FlexDeployStandIn, FlexDeploySwitches
from include.standins.flexdeploy.planted import PORTAL_REPORTS
from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn, FlexNetSwitches
from include.standins.tokenflex import RateLimit, TokenFlexStandIn, TokenFlexSwitches
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.lake.delta import published_night
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from nightshift.nights.publish import PublishNightOperator
from nightshift.promotion.vocabulary import PromotionOutcome
from nightshift.tokenflex import tokens
from nightshift.tokenflex.operators import TokenFlexRequestExportOperator
from nightshift.tokenflex.renewal import RenewalStep, decide
from nightshift.tokenflex.sensors import TokenFlexExportSensor
from tests.execution_api import FakeExecutionApi
from tests.unit.promotion.play import N1, N2, N3, Play, Run, config

VERSIONS = [path.name for path in sorted((Path(__file__).parent / "fixtures").iterdir())]
CONTRACT = "110000917988"
LEFT = 1795904908.0
"""Seconds since the epoch when the last of it was written."""
MOMENT = re.compile(r"\b179[5-7]\d{6}(\.\d+)?\b")
QUICK = {"ready_seconds": 0.01, "build_seconds": 0.02, "deploy_seconds": 0.02}


@pytest.fixture(params=VERSIONS)
def left(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of what a release has left; its lake is the lake of this deployment."""
    found = tmp_path / "left"
    shutil.copytree(Path(__file__).parent / "fixtures" / request.param, found)
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(found / "lake"))
    return found


def of(left: Path, name: str) -> Any:
    """Return what was left, as if that had been a moment ago: waits have an end, and tokens too."""
    ago = time.time() - LEFT

    def moved(found: re.Match[str]) -> str:
        return repr(float(found[0]) + ago)

    return json.loads(MOMENT.sub(moved, (left / f"{name}.json").read_text()))


def deferred(kept: dict[str, Any]) -> Any:
    """Return a deferred task as the triggerer has it."""
    return SimpleNamespace(
        classpath=kept["classpath"], trigger_kwargs=kept["kwargs"], next_method=kept["next_method"], next_kwargs={}
    )


def test_the_fixtures_are_small_and_of_a_release(left: Path) -> None:
    assert sum(path.stat().st_size for path in left.rglob("*") if path.is_file()) < 300_000
    assert VERSIONS == ["0.1.0"]


# Nights.


def _rows(left: Path, night: str, report: str = "flexnet/entitlement") -> list[dict[str, Any]]:
    table = DeltaTable(str(left / "lake" / "tables" / report)).to_pyarrow_table()
    return [row for row in table.to_pylist() if row["night"] == date.fromisoformat(night)]


def _publish(extract: dict[str, Any]) -> Any:
    spec = {"key": ["EntitlementID"], "checks": {"not_empty": True}}
    with DAG("flexnet_reports", schedule=None):
        task = PublishNightOperator(
            task_id="publish", extract=extract, spec=spec, source=extract["source"], report=extract["report"]
        )
    return FakeExecutionApi(partition_key=extract["night"], dag_id="flexnet_reports").run(task)


def test_an_extract_is_published_into_the_old_table(left: Path) -> None:
    before = {night: _rows(left, night) for night in ("2026-11-20", "2026-11-21")}
    assert [len(rows) for rows in before.values()] == [5, 5]
    run = _publish(of(left, "xcom")["extract"]["2026-11-22"])
    assert (run.state, run.error) == ("success", None)
    assert {row["EntitlementID"] for row in _rows(left, "2026-11-22")} == {f"E2-{one}" for one in range(5)}
    assert {night: _rows(left, night) for night in before} == before


def test_a_night_that_was_published_is_known_and_can_be_replayed(left: Path) -> None:
    lake = Lake.from_url(str(left / "lake"))
    known = published_night(lake, "flexnet", "entitlement", "2026-11-21")
    assert known is not None
    assert (known.extract, known.rows, known.sound, known.finished) == ("first", 5, True, None)
    before = _rows(left, "2026-11-21")
    for _ in range(2):
        run = _publish(of(left, "xcom")["extract"]["2026-11-21"])
        assert (run.state, run.error) == ("success", None)
        assert sorted(map(str, _rows(left, "2026-11-21"))) == sorted(map(str, before))
    assert run.result["already"]


def test_a_download_of_several_nights_can_be_replayed(left: Path) -> None:
    from nightshift.lake.spec import PublishSpec
    from nightshift.lake.tables import publish

    lake = Lake.from_url(str(left / "lake"))
    manifest = asyncio.run(Landing(lake, "tokenflex", "desktop_usage", "2026-11-21").latest())
    assert manifest is not None
    nights = ("2026-11-20", "2026-11-21")
    types = {"usageDate": "date", "tokensConsumed": "float64"}
    spec = PublishSpec(types=types, night_column="usageDate", nights=nights)
    assert publish(lake, manifest, spec, again=True).nights == dict.fromkeys(nights, 2)
    consumed = [row["tokensConsumed"] for night in nights for row in _rows(left, night, "tokenflex/desktop_usage")]
    assert sorted(consumed) == [0.5, 0.5, 1.5, 1.5]


def test_pages_without_a_manifest_are_no_extract(left: Path) -> None:
    landing = Landing(Lake.from_url(str(left / "lake")), "flexnet", "entitlement", "2026-11-23")
    assert asyncio.run(landing.latest()) is None
    assert asyncio.run(landing.extract("died").landed()) == [1]


def test_an_extract_that_was_interrupted_is_begun_again(left: Path) -> None:
    """What it had asked for was not kept, and its window may have been a guess."""
    night = "2026-11-23"
    rows = {"entitlement": 30}
    with FlexNetStandIn(
        switches=FlexNetSwitches(rows_a_day=rows), clock=Clock(datetime(2026, 11, 25, 12, tzinfo=UTC))
    ) as vendor:
        fields = {"conn_type": "flexnet", "host": vendor.url, "login": LOGIN, "password": PASSWORD}
        api = FakeExecutionApi(connections={"flexnet_default": fields}, max_tries=2)
        plan = {"date_from": night, "date_to": "2026-11-24", "date_to_is": "exclusive"}
        api.task_store["extract"] = {"extract": "died", "night": night, "started": f"{night}T23:00:00Z", "plan": plan}
        with DAG("flexnet_reports", schedule=None):
            task = FlexNetExtractOperator(task_id="extract", report="entitlement", night=night, page_size=10)
        run = api.run(task, try_number=2)
    assert (run.state, run.error) == ("success", None)
    assert (run.result["rows"], run.result["pages"]) == (30, 3)
    landing = Landing(Lake.from_url(str(left / "lake")), "flexnet", "entitlement", night)
    assert asyncio.run(landing.extract("died").landed()) == []


# Promotions.


@pytest.fixture
def flexdeploy() -> Iterator[FlexDeployStandIn]:
    with FlexDeployStandIn(switches=FlexDeploySwitches(changes=Changes.ALWAYS, **QUICK)) as vendor:
        yield vendor


@pytest.fixture
def play(left: Path, flexdeploy: FlexDeployStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Have FlexDeploy do again what it had been asked for, and return the stage that the release before has left."""
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "again"))
    again = Play(tmp_path / "again", flexdeploy, config())
    first, second = again.start("r1", N1), again.start("r2", N2)
    for task in ("begin", "build", "DEV.deploy", "TEST.deploy", "close"):
        assert first.do(task).state == "success"
    for task in ("begin", "build"):
        assert second.do(task).state == "success"
    flexdeploy.turn(deploy_seconds=1.0)
    assert second.do("DEV.deploy", look=0.0).state == "deferred"
    flexdeploy.turn(deploy_seconds=0.02)
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(left / "lake"))
    play = Play(left / "lake", flexdeploy, config())
    step = play.start("r2", N2).step("DEV.deploy")
    assert step.requests == second.step("DEV.deploy").requests, "the stand-in counts as it did then"
    return play


def _second(play: Play, left: Path) -> Run:
    """Return the run that waits for a deployment, as Airflow has it."""
    kept, run = of(left, "promotion"), play.start("r2", N2)
    run.xcoms[("build", "return_value")] = kept["build"]["returned"]
    run.states |= {"begin": "success", "build": "success", "DEV.deploy": "deferred"}
    run.api("DEV.deploy").task_store.update(kept["deploy"]["store"])
    return run


def test_a_deployment_that_was_waited_for_is_gone_on_with(play: Play, left: Path) -> None:
    run, asked = _second(play, left), play.asked()
    message = deferred(of(left, "promotion")["deploy"]["deferred"])
    run.api("DEV.deploy").take_up()
    event = run.api("DEV.deploy").fire(message)
    done = run._seen("DEV.deploy", run.api("DEV.deploy").run(run.changed("DEV.deploy"), resume=("resume", event)))
    assert (done.state, done.error) == ("success", None)
    assert play.asked() == asked, "nothing is asked for again"
    for task in ("TEST.deploy", "close"):
        done = run.do(task)
        assert (done.state, done.error) == ("success", None)
    assert run.record.outcome is PromotionOutcome.PROMOTED
    assert play.deployments()[-1] == ("TEST", run.record.version.id if run.record.version else None)
    assert len(play.made("deploy_made")) == 4


def test_a_deployment_whose_worker_died_is_adopted(play: Play, left: Path) -> None:
    run = _second(play, left)
    done = run.api("DEV.deploy").run(run.changed("DEV.deploy"), try_number=2, follow=True)
    assert (done.state, done.error) == ("success", None)
    assert len(play.made("deploy_made")) == 3, "it is the one that was made"


def test_who_waited_for_the_turn_gets_it(play: Play, left: Path) -> None:
    second, third = _second(play, left), play.start("r3", N3)
    assert play.waiting() == ["r3"]
    message = deferred(of(left, "promotion")["turn"]["deferred"])
    for task, more in (("DEV.deploy", {"try_number": 2}), ("TEST.deploy", {}), ("close", {})):
        done = second.api(task).run(second.changed(task), follow=True, **more)
        assert (done.state, done.error) == ("success", None)
    third.api("begin").take_up()
    event = third.api("begin").fire(message)
    done = third.api("begin").run(third.task("begin"), resume=("look_again", event))
    assert (done.state, done.error) == ("success", None)
    assert (play.latest_turn(), play.waiting()) == ((3, "r3"), [])


def test_what_ran_before_is_told_as_long_as_the_configuration_is_what_it_was(play: Play) -> None:
    """The records of 0.1.0 do not tell of which project and environment they are."""
    first = play.start("r1", N1).record.version
    for run_id, known in (("r5", True), ("r6", False), ("r7", True)):
        play.edit(config() if known else config(project_id=PORTAL_REPORTS, stream_id=PORTAL_REPORTS + 400))
        run = play.start(run_id, dry_run=True)
        assert run.do("begin").state == "success"
        before = run.record.before["TEST"]
        assert (before and before.version) == (first if known else None)
        assert run.record.elsewhere.keys() == (set() if known else {"DEV", "TEST"})


def test_every_wait_has_a_class_and_a_method(left: Path) -> None:
    from nightshift.nights.night import NightOperator
    from nightshift.promotion.approval_operator import PromotionApprovalOperator
    from nightshift.promotion.begin_operator import PromotionBeginOperator
    from nightshift.promotion.job_operators import PromotionDeployOperator
    from nightshift.promotion.step_operators import PromotionWindowOperator

    kept, promotion = of(left, "waits"), of(left, "promotion")
    for one in (
        *kept,
        promotion["deploy"]["deferred"],
        promotion["turn"]["deferred"],
        of(left, "export")["wait"]["deferred"],
    ):
        trigger = import_string(one["classpath"])(**one["kwargs"])
        path, arguments = trigger.serialize()
        assert json.loads(json.dumps(arguments)) == arguments
        assert import_string(path)(**arguments).serialize() == (path, arguments)
    methods = {
        NightOperator: ("settled", "runs_ended"),
        PromotionBeginOperator: ("look_again",),
        PromotionWindowOperator: ("look_again",),
        PromotionDeployOperator: ("resume", "window_opened"),
        PromotionApprovalOperator: ("execute_complete",),
        TokenFlexRequestExportOperator: ("resume",),
    }
    missing = [
        f"{kind.__name__}.{name}" for kind, names in methods.items() for name in names if not hasattr(kind, name)
    ]
    assert missing == []


# Exports.


@pytest.fixture
def tokenflex() -> Iterator[TokenFlexStandIn]:
    with TokenFlexStandIn(switches=TokenFlexSwitches(processing_seconds=0.2, rate_limit=RateLimit.OFF)) as vendor:
        yield vendor


def _api(vendor: TokenFlexStandIn, run_id: str, store: dict[str, Any]) -> FakeExecutionApi:
    extra = {"auth": "two_legged", "requests_per_minute": 6000}
    fields = {"conn_type": "tokenflex", "host": vendor.url, "login": "nightshift-service"}
    fields |= {"password": "standin-tokenflex-service", "extra": json.dumps(extra)}
    api = FakeExecutionApi(
        connections={"tokenflex_default": fields}, max_tries=3, dag_id="tokenflex_exports", run_id=run_id
    )
    api.task_store.update(store)
    return api


def _request() -> Any:
    with DAG("tokenflex_exports", schedule=None):
        return TokenFlexRequestExportOperator(
            task_id="request",
            contract=CONTRACT,
            night="2026-11-21",
            fields=["usageDate", "userName"],
            metrics=["tokensConsumed"],
            categories=["DESKTOP_PRODUCT"],
            file_name="desktop_usage 2026-11-21",
        )


def _made_before(vendor: TokenFlexStandIn, name: str) -> str:
    """Have the vendor make an export of that name, as the release before did; return its key."""
    made = FakeRequest(vendor).make(name.removesuffix(".csv"))
    assert len(vendor.ledger.effects(kind="export_created")) == 1
    return made


class FakeRequest:
    """Asks the vendor by its own API, without anything of ours."""

    def __init__(self, vendor: TokenFlexStandIn) -> None:
        self.vendor = vendor

    def make(self, name: str) -> str:
        from include.standins.tokenflex import BEARER
        from tests.contract.standins.client import ask

        body = {
            "fields": ["usageDate", "userName"],
            "metrics": ["tokensConsumed"],
            "usageCategory": ["DESKTOP_PRODUCT"],
            "where": "usageDate >= '2026-11-21' and usageDate < '2026-11-22'",
            "downloadFileName": name,
        }
        headers = {"Authorization": f"Bearer {BEARER}", "Content-Type": "application/json"}
        url = f"{self.vendor.url}/tokenflex/v1/export/{CONTRACT}/requests"
        answer = ask(url, method="POST", headers=headers, body=json.dumps(body).encode())
        found = json.loads(answer.body)
        return str(found["requestKey"])


def test_an_export_whose_answer_was_lost_is_found_by_its_old_name(left: Path, tokenflex: TokenFlexStandIn) -> None:
    kept = of(left, "export")
    marker = kept["lost"]["nightshift_job"]["intent"]["marker"]
    [name] = [one for one in kept["names"].values() if marker in one]
    key = _made_before(tokenflex, name)
    run = _api(tokenflex, "lost", kept["lost"]).run(_request(), try_number=2)
    assert (run.state, run.error) == ("success", None)
    assert run.result["request_key"] == key
    assert len(tokenflex.ledger.effects(kind="export_created")) == 1, "it was not asked for again"


def test_an_export_that_was_asked_for_is_not_asked_for_again(left: Path, tokenflex: TokenFlexStandIn) -> None:
    kept = of(left, "export")
    key = _made_before(tokenflex, kept["names"][kept["key"]])
    store = json.loads(json.dumps(kept["request"]).replace(kept["key"], key))
    run = _api(tokenflex, "run", store).run(_request(), try_number=2)
    assert (run.state, run.error) == ("success", None)
    assert run.result["request_key"] == key
    assert len(tokenflex.ledger.effects(kind="export_created")) == 1


def test_the_wait_for_an_export_is_gone_on_with(left: Path, tokenflex: TokenFlexStandIn) -> None:
    kept = of(left, "export")
    key = _made_before(tokenflex, kept["names"][kept["key"]])
    wait = json.loads(json.dumps(kept["wait"]).replace("KEY", key))
    with DAG("tokenflex_exports", schedule=None):
        sensor = TokenFlexExportSensor(task_id="wait", contract=CONTRACT, request_key=key, poll_first=0.1)
    api = _api(tokenflex, "run", wait["store"])
    api.take_up()
    event = api.fire(deferred(wait["deferred"]))
    run = api.run(sensor, resume=(wait["deferred"]["next_method"], event))
    assert (run.state, run.error) == ("success", None)
    assert len(tokenflex.ledger.effects(kind="export_created")) == 1


# Tokens.


def test_a_grant_goes_on_from_its_newest_pair(left: Path) -> None:
    kept = of(left, "variables")

    def read(part: tokens.Part, kind: Any) -> Any:
        key = tokens.key_of("tokenflex_default", part)
        return tokens.decode(kept[key], kind, key)

    chain = tokens.chain_of(
        read(tokens.Part.GRANT, tokens.Grant),
        read(tokens.Part.RENEWED, tokens.Renewed),
        read(tokens.Part.JOURNAL, tokens.Journal),
    )
    assert (chain.number, chain.pair.refresh_token) == (1, "refresh-1")
    assert decide(chain, chain.pair.issued + 600) is RenewalStep.RECOVER, "a renewal was killed, and is recognised"
