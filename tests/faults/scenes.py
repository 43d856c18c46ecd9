"""Each operator and sensor that a DAG can have, in a scene of its own: a vendor, one task, and what is there in the
end.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from inspect import isabstract
from pathlib import Path
from typing import Any

import zstandard
from airflow.sdk import DAG, BaseOperator

from include.standins.camunda_optimize import INVOICES, TOKEN, CamundaOptimizeStandIn, CamundaOptimizeSwitches
from include.standins.exago import REST_KEY, USER_ID, ExagoStandIn, ExagoSwitches
from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn, FlexDeploySwitches, Kind
from include.standins.flexdeploy.planted import DEV, PORTAL, RESTART
from include.standins.flexnet import LOGIN as FLEXNET_LOGIN
from include.standins.flexnet import PASSWORD as FLEXNET_PASSWORD
from include.standins.flexnet import FlexNetStandIn, FlexNetSwitches
from include.standins.server import StandIn
from include.standins.tokenflex import BEARER, RateLimit, TokenFlexStandIn, TokenFlexSwitches
from nightshift.camunda_optimize.operators import CamundaOptimizeExtractOperator
from nightshift.exago.folder_operators import ExagoEnsureFoldersOperator
from nightshift.exago.operators import ExagoCompareTreesOperator, ExagoReportExtractOperator, ExagoTreeExtractOperator
from nightshift.exago.promote_operator import ExagoPromoteFolderOperator
from nightshift.flexdeploy.operators import (
    FlexDeployBuildOperator,
    FlexDeployDeployOperator,
    FlexDeployExecuteUtilityOperator,
)
from nightshift.flexdeploy.sensors import FlexDeployWorkflowRequestSensor
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.lake.errors import LakeError
from nightshift.lake.spec import Checks, PublishSpec
from nightshift.nights.publish import PublishNightOperator
from nightshift.retries import VendorRetryPolicy
from nightshift.sources import VENDORS
from nightshift.tokenflex.adapter import TokenFlexExportAdapter
from nightshift.tokenflex.landing_operators import TokenFlexDownloadExportOperator, TokenFlexPublishExportOperator
from nightshift.tokenflex.operators import (
    RenewTokensOperator,
    TokenFlexDeleteExportOperator,
    TokenFlexRequestExportOperator,
)
from nightshift.tokenflex.sensors import TokenFlexExportSensor
from tests.execution_api import FakeExecutionApi
from tests.unit.tokenflex import records
from tests.unit.tokenflex.sign_in import SECRET, SignInVendor

NIGHT = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()
LAST = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
CONTRACT = "110000917988"
EXTRA = {"timeout": 30, "read_timeout": 15, "connect_timeout": 5, "requests_per_minute": 100_000}
POLLS = {"poll_first": 1.0, "poll_cap": 3.0, "look": 0.0}
LIMIT = 10.0
"""Real seconds that a job may take: how long it has taken is told by the wall clock, which does not hurry."""
QUICK = {**POLLS, "job_timeout": LIMIT, "waiting_timeout": LIMIT}
CHANGES = frozenset(
    [
        "export_created",
        "export_retried",
        "export_deleted",
        "build_made",
        "deploy_made",
        "utility_run",
        "version_live",
        "folder_created",
        "folder_renamed",
        "folder_deleted",
    ]
)
"""Effects that change something at a vendor: each is there once, whatever broke."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One task and its vendor.

    :param operator: its class
    :param vendor: connection type
    :param start: makes the stand-in
    :param task: makes the task, once the stand-in listens
    :param fields: of the connection besides its host
    :param table: key of the table that the extract is published to; empty: no table
    :param silent: why it asks its vendor for nothing
    """

    operator: type[BaseOperator]
    vendor: str
    start: Callable[[], StandIn[Any]] = FlexNetStandIn
    task: Callable[[Any], BaseOperator] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    table: str = ""
    silent: str = ""
    api: Callable[[Any, Mapping[str, Any]], FakeExecutionApi] | None = None

    @property
    def name(self) -> str:
        return self.operator.__name__

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may say."""
        extra = self.fields.get("extra", {})
        return tuple(text for text in (self.fields.get("password"), extra.get("token")) if text)

    def airflow(self, vendor: Any) -> FakeExecutionApi:
        """Return an Airflow with the connection to this vendor."""
        extra = {**EXTRA, **self.fields.get("extra", {})}
        connection = {"conn_type": self.vendor, "host": vendor.url, **self.fields, "extra": json.dumps(extra)}
        if self.api is not None:
            return self.api(vendor, connection)
        return FakeExecutionApi(connections={f"{self.vendor}_default": connection}, max_tries=2)


def effects(vendor: StandIn[Any]) -> Counter[str]:
    """Return what was changed at the vendor, and how often."""
    return Counter(one.kind for one in vendor.ledger.effects() if one.kind in CHANGES)


def landed(lake: Path) -> str | None:
    """Return the digest of what the newest complete extract has landed, ``None`` where none is complete."""
    found = hashlib.sha256()
    manifests = sorted(lake.glob("raw/*/*/*/*/manifest.json"))
    if not manifests:
        return None
    for entry in json.loads(manifests[-1].read_bytes())["entries"]:
        with (manifests[-1].parent / entry["name"]).open("rb") as packed:
            found.update(zstandard.ZstdDecompressor().stream_reader(packed).read())
    return found.hexdigest()


def table_of(lake: Path, key: str) -> tuple[list[str] | None, list[str] | None]:
    """Return the rows of the table and their keys, ``None`` where there is none."""
    from deltalake import DeltaTable

    places = [path.parent for path in lake.glob("tables/*/*/_delta_log")]
    if not places:
        return None, None
    rows = DeltaTable(str(places[0])).to_pyarrow_table().to_pylist()
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows), sorted(str(row[key]) for row in rows)


def publish(scene: Scene, api: FakeExecutionApi, extract: Mapping[str, Any]) -> BaseException | None:
    """Publish what an extract has landed; return what refused it."""
    spec = PublishSpec(key=(scene.table,), checks=Checks(not_empty=True)).model_dump(mode="json")
    with DAG("p", schedule=None):
        task = PublishNightOperator(
            task_id="publish", extract=extract, spec=spec, source=scene.vendor, report=extract["report"]
        )
    other = FakeExecutionApi(connections=api.connections)
    run = other.run(task)
    if run.state == "success":
        return None
    assert isinstance(run.error, LakeError), repr(run.error)
    return run.error


def _task(kind: type[BaseOperator], **given: Any) -> BaseOperator:
    with DAG("d", schedule=None):
        return kind(**{"task_id": "t", "retries": 2, "retry_policy": VendorRetryPolicy(), **given})


class _QuickAdapter(TokenFlexExportAdapter):
    """Believes after a short while that an export which is not listed was never made."""

    settle = 0.3
    send_within = 1.0


class _QuickRequest(TokenFlexRequestExportOperator):
    adapter_type = _QuickAdapter


USAGE = {"fields": ["usageDate", "userName"], "metrics": ["tokensConsumed"]}


def _token_flex(**switches: Any) -> TokenFlexStandIn:
    given = {"processing_seconds": 0.05, "rate_limit": RateLimit.OFF, "rows_per_day": 40, **switches}
    return TokenFlexStandIn(switches=TokenFlexSwitches(**given))


def _export(vendor: TokenFlexStandIn) -> str:
    where = f"usageDate>='{NIGHT}' AND usageDate<='{NIGHT}'"
    made = vendor.add_from_elsewhere({**USAGE, "where": where, "downloadFileName": "x"})
    vendor.clock.advance(5)
    return str(made.key)


def _exago(*tree: str) -> Callable[[], ExagoStandIn]:
    return lambda: ExagoStandIn(switches=ExagoSwitches(tree=list(tree), parents_made=True))


def _flexdeploy() -> FlexDeployStandIn:
    quick = {"ready_seconds": 0.02, "build_seconds": 0.05, "deploy_seconds": 0.05, "utility_seconds": 0.05}
    return FlexDeployStandIn(switches=FlexDeploySwitches(**quick))


def _renewing(vendor: SignInVendor, connection: Mapping[str, Any]) -> FakeExecutionApi:
    api = records.renewing_api(vendor.url, {records.GRANT: records.granted(vendor)}, max_tries=2)
    api.connections = {records.CONN: connection}
    return api


_FLEXNET = {"login": FLEXNET_LOGIN, "password": FLEXNET_PASSWORD}
_CAMUNDA = {"password": TOKEN}
_TOKENFLEX = {"extra": {"auth": "bearer", "token": BEARER}}
_EXAGO = {"login": USER_ID, "password": REST_KEY}
_FLEXDEPLOY = {"login": LOGIN, "password": PASSWORD}
_TREE = ("App/live/r1", "App/next/r1", "App/next/r2", "Sales/Daily")

SCENES: tuple[Scene, ...] = (
    Scene(
        FlexNetExtractOperator,
        "flexnet",
        lambda: FlexNetStandIn(switches=FlexNetSwitches(rows_a_day={"usage": 110})),
        lambda vendor: _task(FlexNetExtractOperator, report="usage", night=NIGHT, page_size=40, key=["usageId"]),
        _FLEXNET,
        "usageId",
    ),
    Scene(
        CamundaOptimizeExtractOperator,
        "camunda_optimize",
        lambda: CamundaOptimizeStandIn(switches=CamundaOptimizeSwitches(rows={INVOICES: 110})),
        lambda vendor: _task(
            CamundaOptimizeExtractOperator, report="invoices", report_id=INVOICES, night=LAST, limit=40
        ),
        _CAMUNDA,
        "processInstanceId",
    ),
    Scene(
        TokenFlexRequestExportOperator,
        "tokenflex",
        _token_flex,
        # Its patience with a full queue is counted by the clock of this machine, which does not hurry.
        lambda vendor: _task(
            _QuickRequest, contract=CONTRACT, night=NIGHT, file_name="desktop", queue_timeout=2.0, **USAGE
        ),
        _TOKENFLEX,
    ),
    Scene(
        TokenFlexExportSensor,
        "tokenflex",
        _token_flex,
        lambda vendor: _task(
            TokenFlexExportSensor, contract=CONTRACT, request_key=_export(vendor), timeout=LIMIT, **POLLS
        ),
        _TOKENFLEX,
    ),
    Scene(
        TokenFlexDownloadExportOperator,
        "tokenflex",
        _token_flex,
        lambda vendor: _task(
            TokenFlexDownloadExportOperator,
            contract=CONTRACT,
            report="desktop",
            night=NIGHT,
            request_key=_export(vendor),
            **USAGE,
        ),
        _TOKENFLEX,
    ),
    Scene(
        TokenFlexDeleteExportOperator,
        "tokenflex",
        _token_flex,
        lambda vendor: _task(TokenFlexDeleteExportOperator, contract=CONTRACT, request_key=_export(vendor)),
        _TOKENFLEX,
    ),
    Scene(
        RenewTokensOperator,
        "tokenflex",
        SignInVendor,
        lambda vendor: _task(RenewTokensOperator),
        {"login": records.CLIENT, "password": SECRET},
        api=_renewing,
    ),
    Scene(TokenFlexPublishExportOperator, "tokenflex", silent="it reads the landing, and asks nobody"),
    Scene(
        ExagoTreeExtractOperator,
        "exago",
        _exago(*_TREE),
        lambda vendor: _task(ExagoTreeExtractOperator, night=LAST),
        _EXAGO,
        "path",
    ),
    Scene(ExagoCompareTreesOperator, "exago", silent="it compares two landed trees, and asks nobody"),
    Scene(
        ExagoReportExtractOperator,
        "exago",
        _exago(*_TREE),
        lambda vendor: _task(ExagoReportExtractOperator, report="orders", path="Sales/Daily", night=LAST),
        _EXAGO,
    ),
    Scene(
        ExagoEnsureFoldersOperator,
        "exago",
        _exago(*_TREE),
        lambda vendor: _task(ExagoEnsureFoldersOperator, folders=["Ops/Daily", "Sales"], list_lag=0.3),
        _EXAGO,
    ),
    Scene(
        ExagoPromoteFolderOperator,
        "exago",
        _exago(*_TREE),
        lambda vendor: _task(
            ExagoPromoteFolderOperator,
            live="App/live",
            candidate="App/next",
            archive="Archive",
            night=NIGHT,
            list_lag=0.3,
        ),
        _EXAGO,
    ),
    Scene(
        FlexDeployBuildOperator,
        "flexdeploy",
        _flexdeploy,
        lambda vendor: _task(
            FlexDeployBuildOperator, project_id=PORTAL, environment_id=DEV, stream_id=PORTAL + 400, **QUICK
        ),
        _FLEXDEPLOY,
    ),
    Scene(
        FlexDeployDeployOperator,
        "flexdeploy",
        _flexdeploy,
        lambda vendor: _task(
            FlexDeployDeployOperator,
            project_id=PORTAL,
            environment_id=DEV,
            project_version_id=20000 + PORTAL,
            force_deploy=True,
            **QUICK,
        ),
        _FLEXDEPLOY,
    ),
    Scene(
        FlexDeployExecuteUtilityOperator,
        "flexdeploy",
        _flexdeploy,
        lambda vendor: _task(
            FlexDeployExecuteUtilityOperator,
            project_id=RESTART,
            environment_id=DEV,
            inputs={"SERVICE": "portal"},
            **QUICK,
        ),
        _FLEXDEPLOY,
    ),
    Scene(
        FlexDeployWorkflowRequestSensor,
        "flexdeploy",
        _flexdeploy,
        lambda vendor: _task(
            FlexDeployWorkflowRequestSensor,
            workflow_request_id=vendor.start_as_user(
                Kind.BUILD, PORTAL, environmentId=DEV, streamId=PORTAL + 400, forceBuild=True
            )[0],
            timeout=LIMIT,
            **POLLS,
        ),
        _FLEXDEPLOY,
    ),
)


def public_operators() -> set[type[BaseOperator]]:
    """Return every operator and sensor that the vendors' rooms offer, as Airflow is told of them."""
    found: set[type[BaseOperator]] = set()
    for vendor in VENDORS.values():
        for name in (*vendor.operators, *vendor.sensors):
            module = import_module(vendor.named(name))
            found |= {
                one
                for one in vars(module).values()
                if isinstance(one, type)
                and issubclass(one, BaseOperator)
                and one.__module__ == module.__name__
                and not isabstract(one)
                and not one.__subclasses__()
            }
    return found | {TokenFlexRequestExportOperator}
