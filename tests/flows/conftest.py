"""A real Airflow for all flow tests of a session, with a lake and a configuration of its own, and the stand-in vendors
beside it.

``tests/conftest.py`` keeps what shares it on one worker of pytest-xdist: so it is started once, whatever runs beside
it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from include.local.airflow import LocalAirflow, connection_fields, free_port
from include.local.rest import Api
from include.local.vendors import standin_connections
from include.standins.camunda_optimize import CamundaOptimizeStandIn
from include.standins.exago import ExagoStandIn
from include.standins.flexdeploy import PASSWORD as FLEXDEPLOY_PASSWORD
from include.standins.flexdeploy import Changes, FlexDeployStandIn, FlexDeploySwitches
from include.standins.flexnet import FlexNetStandIn, FlexNetSwitches
from include.standins.tokenflex import RateLimit, TokenFlexStandIn, TokenFlexSwitches
from include.standins.tokenflex.exports import Exports
from include.standins.tokenflex.grants import Client, Grants, Pair
from include.standins.tokenflex.signing import Signer

T = TypeVar("T")
ROWS_A_DAY = {"entitlement": 320, "account": 150, "usage": 1200}
REPORTS = """
flexnet:
  settle_hours: 0
  horizon_days: 30
  retries: 2
  reports:
    - {name: entitlement, key: [EntitlementID], page_size: 100, checks: {not_empty: true}}
    - {name: account, key: [AccountID], page_size: 100}
    - {name: usage, page_size: 500, mode: batch}
tokenflex:
  contract: "110000917988"
  settle_hours: 0
  exports:
    - name: desktop_usage
      category: DESKTOP_PRODUCT
      fields: [usageDate, productName, userName]
      metrics: [tokensConsumed]
      look_back: 2
camunda_optimize:
  reports:
    - {name: invoice_instances, report_id: e6c5abb1-6a18-44e7-8480-d562d511ba62, key: [processInstanceId]}
exago:
  settle_hours: 0
  due: "00:01"
"""
PROMOTIONS = """
freezes:
  - {name: audit, reason: the auditors are here, timezone: UTC, from: 2026-01-01, to: 2035-12-31, applications: [bank], stages: [TEST], override: [cid]}
bank:
  project_id: 10107
  stream_id: 10507
  build: {environment: DEV}
  on_failure: roll_back
  stages:
    - environment: DEV
      verify: {probes: [{connection: toolbox, path: /apps/DEV/10107/health, expect: {$.versionId: "${version_id}"}, tries: 2, every: 1s}]}
      soak: 8s
    - environment: TEST
      approval: {users: [ann, ben, cid], at_least: 2, not_requester: true, hours: 1}
      verify: {probes: [{connection: toolbox, path: /apps/TEST/10107/health, expect: {$.status: up}, tries: 2, every: 1s}]}
portal:
  project: Licensing/Portal/LicensePortal
  stream: main
  after: [flexnet/entitlement, flexnet/account, tokenflex/desktop_usage, camunda_optimize/invoice_instances, exago/tree]
  build: {environment: DEV}
  stages:
    - environment: DEV
    - environment: TEST
      approval: {users: [admin], hours: 1}
      after:
        - {name: restart, project: Operations/Tools/RestartServices, inputs: {SERVICE: portal}}
dashboard:
  project: Licensing/Usage/UsageDashboard
  stream: main
  roll_back: null
  after: [flexnet/entitlement, flexnet/account]
  build: {environment: DEV}
  stages:
    - environment: DEV
hurry:
  project: Licensing/Portal/LicensePortalReports
  stream: main
  newer: supersede
  after: [flexnet/account]
  build: {environment: DEV}
  stages:
    - environment: DEV
    - environment: TEST
      approval: {hours: 1}
"""
PEOPLE = {"ann": "ann-signs-in", "ben": "ben-signs-in", "cid": "cid-signs-in"}
"""People beside ``admin``, with their passwords."""
LAST_OF_ALL = "test_no_secrets.py"
WORKER_SILENCE = "60"
"""Seconds without a heartbeat after which Airflow takes a worker for dead (its default is 300)."""


class KnownGrants(Grants):
    """Keeps the codes and tokens that it gives, which the stand-in itself forgets, so that a test can look for them."""

    def __init__(self, given: set[str]) -> None:
        super().__init__()
        self._given = given

    def code(self, client: Client, person: str, scopes: frozenset[str], **more: Any) -> str:
        value = super().code(client, person, scopes, **more)
        self._given.add(value)
        return value

    def redeem(self, value: str, client: Client, *, verifier: str, **more: Any) -> Pair:
        self._given.add(verifier)
        return self._kept(super().redeem(value, client, verifier=verifier, **more))

    def refresh(self, value: str, client: Client, scopes: frozenset[str], **more: Any) -> Pair:
        return self._kept(super().refresh(value, client, scopes, **more))

    def two_legged(self, client: Client, scopes: frozenset[str], **more: Any) -> Pair:
        return self._kept(super().two_legged(client, scopes, **more))

    def _kept(self, pair: Pair) -> Pair:
        self._given |= {value for value in (pair.access, pair.refresh) if value}
        return pair


class KnownSigner(Signer):
    """Keeps the signatures and session tokens of the links that it signs."""

    def __init__(self, seed: int, given: set[str]) -> None:
        super().__init__(seed)
        self._given = given

    def signed(self, path: str, at: datetime, seconds: float) -> str:
        url = super().signed(path, at, seconds)
        query = parse_qs(urlsplit(url).query)
        self._given |= {query[name][0] for name in ("X-Amz-Signature", "X-Amz-Security-Token")}
        return url


class KnownTokenFlex(TokenFlexStandIn):
    """The stand-in, with all that it ever gave away and that nobody else may read.

    ``given`` holds codes, PKCE verifiers, access and refresh tokens, signatures of links.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.given: set[str] = set()
        self.grants = KnownGrants(self.given)
        self.signer = KnownSigner(self.seed, self.given)
        self.exports = Exports(self.seed, self.signer)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look for secrets when everything else has left its traces."""
    items.sort(key=lambda item: item.path.name == LAST_OF_ALL)


@pytest.fixture(scope="session")
def flexnet() -> Iterator[FlexNetStandIn]:
    with FlexNetStandIn(switches=FlexNetSwitches(rows_a_day=ROWS_A_DAY)) as vendor:
        yield vendor


@pytest.fixture(scope="session")
def tokenflex() -> Iterator[KnownTokenFlex]:
    switches = TokenFlexSwitches(processing_seconds=0.2, rate_limit=RateLimit.OFF, auto_allow=True)
    with KnownTokenFlex(switches=switches) as vendor:
        yield vendor


@pytest.fixture(scope="session")
def flexdeploy() -> Iterator[FlexDeployStandIn]:
    switches = FlexDeploySwitches(changes=Changes.ALWAYS, build_seconds=0.2, deploy_seconds=0.2, utility_seconds=0.2)
    with FlexDeployStandIn(switches=switches) as vendor:
        yield vendor


@pytest.fixture(scope="session")
def snapshot_vendors() -> Iterator[dict[str, dict[str, Any]]]:
    """Camunda and Exago: connection id → fields."""
    with CamundaOptimizeStandIn() as camunda, ExagoStandIn() as exago:
        ports = {"camunda_optimize": urlsplit(camunda.url).port or 0, "exago": urlsplit(exago.url).port or 0}
        yield standin_connections(ports)


@pytest.fixture(autouse=True)
def healthy_vendor(flexnet: FlexNetStandIn) -> Iterator[None]:
    flexnet.ledger.clear()
    yield
    flexnet.faults.clear()


@pytest.fixture(scope="session")
def lake_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory,
    lake_folder: Path,
    flexnet: FlexNetStandIn,
    tokenflex: KnownTokenFlex,
    flexdeploy: FlexDeployStandIn,
    snapshot_vendors: dict[str, dict[str, Any]],
) -> Iterator[LocalAirflow]:
    config = tmp_path_factory.mktemp("config")
    (config / "reports.yaml").write_text(REPORTS)
    (config / "promotions.yaml").write_text(PROMOTIONS)
    environment = {
        "NIGHTSHIFT_LAKE": str(lake_folder),
        "NIGHTSHIFT_CONFIG": str(config),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(["admin:admin", *(f"{name}:op" for name in PEOPLE)]),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": WORKER_SILENCE,
        # Nothing changes in these files, and to parse all of them takes a core for seconds.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    }
    local = LocalAirflow(tmp_path_factory.mktemp("airflow"), free_port(), environment, parallelism=8)
    passwords = local.home / "simple_auth_manager_passwords.json.generated"
    passwords.write_text(json.dumps({"admin": local.password, **PEOPLE}))
    with local as running:
        running.api.put_connection("toolbox", **connection_fields(conn_type="http", host=flexdeploy.url))
        running.api.put_connection("flexnet_default", **connect(flexnet))
        running.api.put_connection("tokenflex_default", **connect_tokenflex(tokenflex))
        running.api.put_connection("flexdeploy_default", **connect_flexdeploy(flexdeploy))
        for connection_id, fields in snapshot_vendors.items():
            running.api.put_connection(connection_id, **fields)
        running.api.unpause("flexnet_reports")
        await_scheduled_run(running.api, "flexnet_reports")
        yield running


def await_scheduled_run(api: Api, dag_id: str, seconds: float = 300) -> list[dict[str, Any]]:
    """Wait until the scheduler's own run for last night, which it starts as soon as the DAG is not paused, has
    ended.
    """

    def ended() -> list[dict[str, Any]]:
        runs = api.runs(dag_id, run_type="scheduled")
        return runs if all(run["state"] in ("success", "failed") for run in runs) else []

    return until(ended, f"a scheduled run of {dag_id} has ended", seconds)


def until(look: Callable[[], T], what: str, seconds: float = 120, pause: float = 0.5) -> T:
    """Look again and again until there is something to see, and return it.

    :param what: what is waited for, for the message
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


@pytest.fixture
def api(airflow: LocalAirflow) -> Api:
    return airflow.api


@pytest.fixture
def api_of(airflow: LocalAirflow) -> Callable[[str], Api]:
    """Return the API as one of :data:`PEOPLE` uses it."""
    return lambda name: Api(airflow.url, name, PEOPLE[name])


def connect(vendor: FlexNetStandIn, password: str = "standin-flexnet") -> dict[str, object]:
    return connection_fields(conn_type="flexnet", host=vendor.url, login="nightshift", password=password)


def connect_tokenflex(vendor: TokenFlexStandIn, **changes: Any) -> dict[str, object]:
    """Return the two-legged connection; the stand-in takes more than the vendor's 5 requests a minute."""
    fields: dict[str, Any] = {
        "login": "nightshift-service",
        "password": "standin-tokenflex-service",
        "auth": "two_legged",
        **changes,
    }
    extra = {"auth": fields.pop("auth"), "requests_per_minute": 6000}
    return connection_fields(conn_type="tokenflex", host=vendor.url, extra=extra, **fields)


def connect_flexdeploy(vendor: FlexDeployStandIn) -> dict[str, object]:
    return connection_fields(conn_type="flexdeploy", host=vendor.url, login="nightshift", password=FLEXDEPLOY_PASSWORD)
