"""No secret in anything that Airflow wrote or answers, or that is in the lake: looked for by its value, in pieces and
in every spelling, after all other flows have left their traces. The whole mission, with canaries everywhere: `make
secrets`.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlencode, urljoin

import pytest

from include.local.airflow import LocalAirflow
from include.local.rest import Api
from include.standins import Fault, FaultKind
from include.standins.flexdeploy import PASSWORD as FLEXDEPLOY_PASSWORD
from include.standins.flexnet import PASSWORD as FLEXNET_PASSWORD
from include.standins.tokenflex import BEARER, CLIENTS, vendor_fault
from nightshift.tokenflex.consent import MOUNT
from tests.canaries.places import every, texts_of_database, texts_of_folder
from tests.canaries.search import Search, canary
from tests.contract.standins.client import Answer, ask
from tests.flows.conftest import KnownTokenFlex, await_scheduled_run, connect_tokenflex
from tests.flows.test_tokenflex_flow import DAG, EXPORT, night

WRONG_SECRET, WRONG_PASSWORD = canary(), "not-this-one"
BOARD = ("overview", "nights", "promotions", "figures", "jobs", "connections", "incidents", "holds")
CREDENTIALS = {
    "FlexNet's password": ("nightshift", FLEXNET_PASSWORD),
    "FlexDeploy's password": ("nightshift", FLEXDEPLOY_PASSWORD),
    **{f"client secret of {one.id}": (one.id, one.secret) for one in CLIENTS if one.secret},
}


def search(vendor: KnownTokenFlex) -> Search:
    """Return the search for every secret: each piece of what is random, and the rest whole."""
    given = (("a code, verifier, token or signature", value) for value in vendor.given)
    mistyped = [("a wrong secret", WRONG_SECRET)]
    known = [
        ("the bearer token", BEARER),
        ("a wrong password", WRONG_PASSWORD),
        *((what, secret) for what, (_, secret) in CREDENTIALS.items()),
    ]
    headers = [
        (what, base64.b64encode(f"{login}:{secret}".encode()).decode()) for what, (login, secret) in CREDENTIALS.items()
    ]
    return Search([*given, *mistyped], whole=[*known, *headers])


def leaks(texts: Iterable[tuple[str, bytes]], vendor: KnownTokenFlex) -> list[str]:
    """Return where a secret is, what it is and how it is written, never the secret."""
    return [str(one) for one in search(vendor).look(texts)]


# What leaves traces: a wrong secret, a person's sign-in, a renewal, a night with broken links.


class Browser:
    """A person who is signed in to Airflow, in front of the sign-in page; follows no redirect."""

    def __init__(self, airflow: LocalAirflow, api: Api) -> None:
        self.page = f"{airflow.url}{MOUNT}/"
        self.headers = {"Authorization": f"Bearer {api.token()}"}

    def get(self, url: str) -> Answer:
        return ask(url, headers=self.headers, timeout=30)

    def post(self, url: str, **form: str) -> Answer:
        headers = {**self.headers, "Content-Type": "application/x-www-form-urlencoded"}
        return ask(url, method="POST", headers=headers, body=urlencode(form).encode(), timeout=30)

    def grant(self, connection: str) -> str:
        """Grant access for a connection and return what the page says at the end."""
        shown = self.get(self.page).body.decode()
        [ticket] = re.findall(
            rf'connections/{connection}/grant".*?name="ticket" value="([^"]+)"', shown, flags=re.DOTALL
        )
        begun = self.post(f"{self.page}connections/{connection}/grant", ticket=ticket)
        agreed = ask(begun.headers["Location"], timeout=30)
        ended = self.get(agreed.headers["Location"])
        return self.get(urljoin(f"{self.page}callback", ended.headers["Location"])).body.decode()


@pytest.fixture(scope="module")
def lived(airflow: LocalAirflow, tokenflex: KnownTokenFlex) -> Iterator[Api]:
    """Live through what handles secrets; return the API when all is over."""
    api = airflow.api
    api.unpause(DAG)
    await_scheduled_run(api, DAG, 300)
    try:
        api.put_connection("tokenflex_default", **connect_tokenflex(tokenflex, password=WRONG_SECRET))
        assert api.wait(DAG, api.trigger(DAG, partition_key=night(51)))["state"] == "failed"
        person = {"login": "nightshift", "password": "standin-tokenflex", "auth": "three_legged"}
        api.put_connection("tokenflex_default", **connect_tokenflex(tokenflex, **person))
        assert "Access for tokenflex_default is granted" in Browser(airflow, api).grant("tokenflex_default")
        assert api.wait("tokenflex_token", api.trigger("tokenflex_token"))["state"] == "success"
        tokenflex.faults.add(
            vendor_fault("url_expired"),
            Fault(kind=FaultKind.RESET_BODY, origin="download", at_bytes=2000, after=1),
        )
        assert api.wait(DAG, api.trigger(DAG, partition_key=night(56)))["state"] == "success"
        yield api
    finally:
        tokenflex.faults.clear()
        api.put_connection("tokenflex_default", **connect_tokenflex(tokenflex))


@pytest.mark.airflow
def test_there_was_something_to_leak(lived: Api, tokenflex: KnownTokenFlex) -> None:
    issued = tokenflex.ledger.effects(kind="token_issued")
    assert {effect.detail["grant"] for effect in issued} == {
        "authorization_code",
        "refresh_token",
        "client_credentials",
    }
    assert tokenflex.ledger.effects(kind="url_refreshed")
    assert tokenflex.ledger.requests(origin="download", fault="reset_body")
    assert len(tokenflex.given) >= 2 * len(issued)


@pytest.mark.airflow
def test_no_secret_in_what_airflow_wrote(lived: Api, airflow: LocalAirflow, tokenflex: KnownTokenFlex) -> None:
    written = list(texts_of_folder(airflow.home))
    assert {"airflow.log", "airflow.db"} <= {where for where, _ in written}
    assert any(f"{EXPORT}.download" in where and text for where, text in written)
    assert leaks(written, tokenflex) == []


@pytest.mark.airflow
def test_no_secret_in_any_table_of_airflow(lived: Api, airflow: LocalAirflow, tokenflex: KnownTokenFlex) -> None:
    stored = list(texts_of_database(airflow.database))
    seen = {where.partition(".")[0] for where, _ in stored}
    assert {"xcom", "rendered_task_instance_fields", "log", "task_instance", "variable", "connection"} <= seen
    assert leaks(stored, tokenflex) == []


@pytest.mark.airflow
def test_connections_and_grants_are_encrypted(lived: Api, airflow: LocalAirflow) -> None:
    with closing(sqlite3.connect(f"file:{airflow.database}?mode=ro", uri=True)) as database:
        connections = database.execute("SELECT password, extra, is_encrypted, is_extra_encrypted FROM connection")
        values = [
            value for row in connections for value, on in zip(row[:2], row[2:], strict=True) if value and on is not None
        ]
        grants = database.execute("SELECT val FROM variable WHERE key LIKE 'nightshift_tokenflex_token.%'").fetchall()
    assert len(values) >= 3
    assert len(grants) >= 2
    assert all(value.startswith("gAAAAA") for value in [*values, *(value for (value,) in grants)])


@pytest.mark.airflow
def test_no_secret_in_what_airflow_answers(lived: Api, tokenflex: KnownTokenFlex) -> None:
    listed = [
        (what, one) for what in ("connections", "variables", "eventLogs") for one in every(lived, f"/api/v2/{what}")
    ]
    assert {what for what, _ in listed} == {"connections", "variables", "eventLogs"}
    entries = [
        one
        for dag in (DAG, "tokenflex_token")
        for one in every(lived, f"/api/v2/dags/{dag}/dagRuns/~/taskInstances/~/xcomEntries")
    ]
    paths = [
        f"/api/v2/dags/{one['dag_id']}/dagRuns/{quote(one['run_id'], safe='')}"
        f"/taskInstances/{one['task_id']}/xcomEntries/{one['key']}"
        for one in entries
    ]
    assert any(path.endswith("/xcomEntries/request_key") for path in paths)
    answers = [*listed, *((path, lived.call("GET", path)) for path in paths)]
    assert leaks(((where, repr(answer).encode()) for where, answer in answers), tokenflex) == []


@pytest.mark.airflow
def test_no_secret_in_the_lake(lived: Api, lake_folder: Path, tokenflex: KnownTokenFlex) -> None:
    texts = list(texts_of_folder(lake_folder))
    manifests = [where for where, _ in texts if where.endswith("manifest.json")]
    assert any(f"night={night(56)}" in where for where in manifests)
    assert leaks(texts, tokenflex) == []


@pytest.mark.airflow
def test_no_secret_on_the_board_or_in_a_terminal(lived: Api, airflow: LocalAirflow, tokenflex: KnownTokenFlex) -> None:
    answers = [(f"board {path}", repr(lived.call("GET", f"/nightshift/board/api/{path}")).encode()) for path in BOARD]
    environment = {**airflow.environment(), "NIGHTSHIFT_AIRFLOW_URL": airflow.url}
    environment |= {"NIGHTSHIFT_AIRFLOW_USER": "admin", "NIGHTSHIFT_AIRFLOW_PASSWORD": airflow.password}
    program = str(Path(sys.executable).parent / "nightshift")
    for words in (["doctor", "--json"], ["jobs", "--json"]):
        done = subprocess.run([program, *words], env=environment, capture_output=True, timeout=120, check=False)
        assert json.loads(done.stdout), done.stderr.decode()
        answers.append((" ".join(words), done.stdout + done.stderr))
    assert leaks(answers, tokenflex) == []


def test_what_the_flows_use_is_found_where_it_is_planted() -> None:
    vendor = KnownTokenFlex()
    vendor.given.add("Zm9v-planted_value~/+")
    basic = base64.b64encode(f"nightshift:{FLEXDEPLOY_PASSWORD}".encode()).decode()
    texts = [
        ("a link", b"GET /file?sig=planted_value%7E%2F%2B&other=1"),
        ("a header", f"Authorization: Basic {basic}".encode()),
        ("a log", json.dumps({"text": WRONG_SECRET}).encode()),
    ]
    found = leaks(texts, vendor)
    assert {line.partition(":")[0] for line in found} == {where for where, _ in texts}
    assert not any(secret in line for line in found for secret in (WRONG_SECRET, FLEXDEPLOY_PASSWORD, "planted"))
