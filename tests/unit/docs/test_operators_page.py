"""What ``docs/operators.md`` says of a DAG of one's own is so: its examples run, and its table is that of the classes."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from include.standins.camunda_optimize import CamundaOptimizeStandIn
from include.standins.exago import ExagoStandIn
from include.standins.flexdeploy import FlexDeployStandIn, FlexDeploySwitches
from include.standins.flexnet import FlexNetStandIn
from include.standins.process import vendor_type
from include.standins.server import StandIn
from include.standins.tokenflex import RateLimit, TokenFlexStandIn, TokenFlexSwitches
from nightshift.exago.operators import ExagoExtractOperator
from nightshift.flexdeploy.operators import ProjectJobOperator
from nightshift.nights.publish import PublishNightOperator, WatchSchemaOperator
from nightshift.sources import VENDORS
from nightshift.tokenflex.operators import RenewTokensOperator
from tests.execution_api import FakeExecutionApi

PAGE = (Path(__file__).resolve().parents[3] / "docs/operators.md").read_text()
EXAMPLES = dict(re.findall(r'^```python title="dags/(\w+)\.py"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL))
NOW = datetime.now(UTC)
NIGHT = (NOW.date() - timedelta(days=1)).isoformat()
QUICK = {"poll_first": 0.02, "poll_cap": 0.05, "look": 0.0, "list_lag": 0.3}
NOT_FOR_OTHERS = {ExagoExtractOperator, ProjectJobOperator, RenewTokensOperator}
"""What others are made of, and what a deployment has one task of."""


def token_flex() -> StandIn[Any]:
    switches = {"processing_seconds": 0.05, "rate_limit": RateLimit.OFF, "rows_per_day": 40}
    return TokenFlexStandIn(switches=TokenFlexSwitches(**switches))


def flex_deploy() -> StandIn[Any]:
    return FlexDeployStandIn(switches=FlexDeploySwitches(ready_seconds=0.02, build_seconds=0.05, deploy_seconds=0.05))


def ran(name: str, start: Callable[[], StandIn[Any]], room: str) -> tuple[dict[str, Any], StandIn[Any]]:
    """Run the tasks of an example as Airflow does, one after the other; return what each returned, and the vendor."""
    namespace: dict[str, Any] = {}
    exec(compile(EXAMPLES[name], f"{name}.py", "exec"), namespace)
    dag = next(one.dag for one in namespace.values() if isinstance(one, BaseOperator))
    assert dag.dag_id == name
    returned: dict[str, Any] = {}
    xcoms: dict[tuple[str, str], Any] = {}
    with start() as vendor:
        connection = {"conn_type": room, "host": vendor.url, **vendor_type(room).signs_in}
        connection["extra"] = json.dumps(connection.get("extra", {}))
        for task in dag.topological_sort():
            for option, value in QUICK.items():
                if hasattr(task, option):
                    setattr(task, option, value)
            api = FakeExecutionApi(
                connections={f"{room}_default": connection},
                dag_id=name,
                logical_date=NOW.isoformat(),
                xcoms=xcoms,
                max_tries=2,
            )
            run = api.run(task, follow=True)
            assert run.state == "success", (task.task_id, run.error)
            returned[task.task_id], xcoms = run.result, api.xcoms
    return returned, vendor


def rows(lake: Path, table: str) -> list[dict[str, Any]]:
    from deltalake import DeltaTable

    return DeltaTable(str(lake / "tables" / table)).to_pyarrow_table().to_pylist()


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.mark.parametrize(
    ("name", "room", "start", "table"),
    [
        ("entitlements", "flexnet", FlexNetStandIn, "flexnet/entitlement"),
        ("usage_of_a_team", "tokenflex", token_flex, "tokenflex/usage_of_a_team"),
        ("invoices", "camunda_optimize", CamundaOptimizeStandIn, "camunda_optimize/invoices"),
        ("bi_tree", "exago", ExagoStandIn, "exago/tree"),
    ],
)
def test_an_example_brings_a_night_home(
    lake: Path, name: str, room: str, start: Callable[[], StandIn[Any]], table: str
) -> None:
    returned, vendor = ran(name, start, room)
    found = rows(lake, table)
    assert {one["night"].isoformat() for one in found} == {NIGHT}
    assert len(found) == returned["publish"]["rows"] > 0
    if room == "tokenflex":
        (made,) = vendor.ledger.effects(kind="export_created")
        assert made.detail["payload"]["where"].startswith("productLineCode IN ('ACD', 'RVT') and usageDate >= ")


def test_the_example_of_a_release_deploys_the_version_that_it_built(lake: Path) -> None:
    returned, vendor = ran("release", flex_deploy, "flexdeploy")
    (built,), (deployed,) = (vendor.ledger.effects(kind=kind) for kind in ("build_made", "deploy_made"))
    assert returned["build"]["project_version_id"] == built.detail["version"] == deployed.detail["version"]
    assert returned["deploy"]["outcome"] == "deployed"


def test_every_example_is_run() -> None:
    assert set(EXAMPLES) == {"entitlements", "usage_of_a_team", "invoices", "bi_tree", "release"}


def operators() -> Mapping[str, type[BaseOperator]]:
    found: dict[str, type[BaseOperator]] = {one.__name__: one for one in (PublishNightOperator, WatchSchemaOperator)}
    for vendor in VENDORS.values():
        for name in (*vendor.operators, *vendor.sensors):
            module = import_module(vendor.named(name))
            for _, one in inspect.getmembers(module, inspect.isclass):
                if issubclass(one, BaseOperator) and one.__module__ == module.__name__ and one not in NOT_FOR_OTHERS:
                    found[one.__name__] = one
    return found


def test_the_table_names_every_operator_with_what_is_templated() -> None:
    told = {
        name: set(re.findall(r"`(\w+)`", templated))
        for names, templated in re.findall(r"^\| (`.*?`) \| (.*?) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    found = {}
    for name, one in operators().items():
        room = one.__module__.split(".")[1]
        parameters = inspect.signature(one).parameters
        # As its parameter is called, where a class keeps it under the name that all vendors' jobs have.
        named = {"conn_id": f"{room}_conn_id", "job_id": "request_key"}
        found[name] = {field if field in parameters else named.get(field, field) for field in one.template_fields}
    assert told == found


def test_what_an_operator_returns_is_told(lake: Path) -> None:
    returned, _ = ran("entitlements", FlexNetStandIn, "flexnet")
    row = next(line for line in PAGE.splitlines() if line.startswith("| `FlexNetExtractOperator`"))
    assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == set(returned["extract"])
    row = next(line for line in PAGE.splitlines() if line.startswith("| `PublishNightOperator`"))
    assert set(re.findall(r"`(\w+)`", row.split("|")[3])) <= set(returned["publish"])
