"""No secret in anything that Airflow wrote or answers, or that is in the lake: looked for by its value, after all other
flows have left their traces.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urljoin

import pytest

from include.local.airflow import LocalAirflow
from include.local.rest import Api
from include.standins import Fault, FaultKind
from include.standins.flexdeploy import PASSWORD as FLEXDEPLOY_PASSWORD
from include.standins.flexnet import PASSWORD as FLEXNET_PASSWORD
from include.standins.tokenflex import BEARER, CLIENTS, vendor_fault
from nightshift.tokenflex.consent import MOUNT
from tests.contract.standins.client import Answer, ask
from tests.flows.conftest import KnownTokenFlex, await_scheduled_run, connect_tokenflex
from tests.flows.test_tokenflex_flow import DAG, EXPORT, night

WRONG_SECRET = "mistyped-tokenflex-secret"
WRONG_PASSWORD = "not-this-one"
CREDENTIALS = {
    "FlexNet's password": ("nightshift", FLEXNET_PASSWORD),
    "FlexDeploy's password": ("nightshift", FLEXDEPLOY_PASSWORD),
    "FlexNet's wrong password": ("nightshift", WRONG_PASSWORD),
    "Token Flex's wrong client secret": ("nightshift-service", WRONG_SECRET),
    **{f"client secret of {one.id}": (one.id, one.secret) for one in CLIENTS if one.secret},
}


# How a value is looked for.


def shapes(value: str) -> set[bytes]:
    """Return a value as it may stand in a text: plain, and as a part of a URL or form."""
    return {text.encode() for text in (value, quote(value, safe=""), quote_plus(value))}


def wanted(vendor: KnownTokenFlex) -> dict[bytes, str]:
    """Return every secret, in every shape, with what it is."""
    found = {shape: "a code, token or signature" for value in vendor.given for shape in shapes(value)}
    found |= dict.fromkeys(shapes(BEARER), "the bearer token")
    for what, (login, secret) in CREDENTIALS.items():
        found |= dict.fromkeys([*shapes(secret), base64.b64encode(f"{login}:{secret}".encode())], what)
    return found


def texts_of_database(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give each value of each table, put together again: in the file a long one lies in pieces."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            cursor = database.execute(f'SELECT * FROM "{name}"')
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, str | bytes):
                        yield f"{name}.{column}", value.encode() if isinstance(value, str) else value


def texts_of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def every(api: Api, path: str) -> Iterator[dict[str, Any]]:
    """Give each entry of a list, page by page: Airflow answers with 100 at most."""
    seen = 0
    while True:
        answer = api.call("GET", f"{path}?limit=100&offset={seen}")
        [entries] = [part for part in answer.values() if isinstance(part, list)]
        yield from entries
        seen += len(entries)
        if not entries or seen >= answer["total_entries"]:
            return


def leaks(texts: Iterable[tuple[str, bytes]], secrets: Mapping[bytes, str]) -> list[str]:
    """Return where a secret is and what it is, never the secret."""
    return [f"{where}: {what}" for where, text in texts for secret, what in secrets.items() if secret in text]


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
    assert leaks(written, wanted(tokenflex)) == []


@pytest.mark.airflow
def test_no_secret_in_any_table_of_airflow(lived: Api, airflow: LocalAirflow, tokenflex: KnownTokenFlex) -> None:
    stored = list(texts_of_database(airflow.database))
    seen = {where.partition(".")[0] for where, _ in stored}
    assert {"xcom", "rendered_task_instance_fields", "log", "task_instance", "variable", "connection"} <= seen
    assert leaks(stored, wanted(tokenflex)) == []


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
    assert leaks(((where, repr(answer).encode()) for where, answer in answers), wanted(tokenflex)) == []


@pytest.mark.airflow
def test_no_secret_in_the_lake(lived: Api, lake_folder: Path, tokenflex: KnownTokenFlex) -> None:
    texts = list(texts_of_folder(lake_folder))
    manifests = [where for where, _ in texts if where.endswith("manifest.json")]
    assert any(f"night={night(56)}" in where for where in manifests)
    assert leaks(texts, wanted(tokenflex)) == []


@pytest.mark.parametrize("secret", ["Zm9v-planted_value~/+", "standin-tokenflex-service"])
def test_the_search_finds_what_is_planted(tmp_path: Path, secret: str) -> None:
    vendor = KnownTokenFlex()
    vendor.given.add("Zm9v-planted_value~/+")
    home, padding = tmp_path / "home", "x" * 9000
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "attempt=1.log").write_text(f"GET /file?sig={quote(secret, safe='')}&other=1")
    basic = base64.b64encode(f"nightshift-service:{secret}".encode()).decode()
    (home / "airflow.log").write_text(f"Authorization: Basic {basic}")
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute("CREATE TABLE xcom (value TEXT)")
        database.execute("INSERT INTO xcom VALUES (?)", [f"{padding}{secret}{padding}"])
        database.commit()
    files = leaks(texts_of_folder(home), wanted(vendor))
    assert any(line.startswith("logs/attempt=1.log: ") for line in files)
    assert any(line.startswith("airflow.log: ") for line in files) == (secret == "standin-tokenflex-service")
    assert any(
        line.startswith("xcom.value: ") for line in leaks(texts_of_database(home / "airflow.db"), wanted(vendor))
    )
    assert not any(secret in line for line in files)
