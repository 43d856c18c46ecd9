"""Who may read a DAG and none of its runs sees what the lake tells, and nothing that is Airflow's."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nightshift.http.health import FOLDER, CallSeen
from nightshift.lake import objects
from nightshift.lake.store import Lake
from nightshift.tokenflex.oauth import TokenPair
from nightshift.tokenflex.tokens import Grant, Part, encode, key_of
from tests.unit.board.conftest import Runs
from tests.unit.board.test_nights import night
from tests.unit.nights.publishing import published

RUNS = "permission to read runs and task instances of this DAG"


async def told(client: Any, route: str) -> Any:
    answer = await client.get(f"api/{route}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_runs_that_a_person_may_not_read_are_not_told_in_the_grid(
    eve: Any, lin: Any, lake: Lake, runs: Runs
) -> None:
    await published(lake, night(1), 3)
    runs.add("flexnet_reports", night(), {"usage.extract": "failed"}, state="failed", triggering_user_name="ada")
    for client, state, attempts in ((eve, "failed", 1), (lin, "never", 0)):
        grid = await told(client, "nights?count=2")
        rows = {one["report"]: one["states"] for one in grid["reports"]}
        assert rows["entitlement"][0] == "published"
        cell = await told(client, f"nights/flexnet/usage/{night()}")
        assert (rows["usage"][1] == "failed", cell["state"] == "failed") == (state == "failed",) * 2
        assert len(cell["attempts"]) == attempts
        for answer in (grid, cell, await told(client, "overview")):
            hidden = [one["of"] for one in answer["troubles"] if RUNS in one["text"]]
            assert hidden == ["flexnet_reports"] * (client is lin)
            assert ("ada" in json.dumps(answer)) is (answer is cell and client is eve)


async def saw(lake: Lake, dag_id: str) -> None:
    at = datetime.now(UTC).isoformat()
    one = CallSeen("flexdeploy_default", at, dag_id, "r", "DEV.deploy", "AuthFailed", "project Lunar: refused")
    folder = hashlib.sha256(b"flexdeploy_default").hexdigest()[:24]
    await objects.awrite(lake.objects(FOLDER), f"{folder}/error.json", msgspec.json.encode(one))


async def test_what_a_task_saw_of_a_connection_is_told_to_who_may_read_the_task(
    ada: Any, eve: Any, lin: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection is used by DAGs of several teams; whether it works is told to all of them."""
    monkeypatch.setenv("AIRFLOW_CONN_FLEXDEPLOY_DEFAULT", json.dumps({"conn_type": "flexdeploy", "host": "http://x"}))
    for dag_id, readers in (("promote_portal", (ada, eve)), ("promote_secret_one", (ada,))):
        await saw(lake, dag_id)
        for client in (ada, eve, lin):
            lines = {one["connection"]: one for one in (await told(client, "connections"))["connections"]}
            line = lines["flexdeploy_default"]
            assert (line["state"], line["last_error"]["kind"]) == ("failing", "AuthFailed")
            is_told = {
                "Lunar" in json.dumps(line),
                "DEV.deploy" in json.dumps(line),
                dag_id == line["last_error"]["dag_id"],
            }
            assert is_told == {client in readers}


async def test_who_has_signed_in_is_told_to_who_may_read_the_connection(
    ada: Any, eve: Any, lake: Lake, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config / "reports.yaml").write_text(
        'tokenflex: {contract: "1", exports: [{name: usage, category: DESKTOP_PRODUCT, metrics: [tokensConsumed]}]}\n'
    )
    monkeypatch.setenv("AIRFLOW_CONN_TOKENFLEX_DEFAULT", json.dumps({"conn_type": "tokenflex", "host": "http://x"}))
    now = time.time()
    pair = TokenPair(access_token="a", refresh_token="r", issued=now, ends=now + 3600, lapses=now + 1e6)
    grant = Grant(grant_id="g", granted_by="grace", granted_at=now, scope="s", pair=pair)
    monkeypatch.setenv(f"AIRFLOW_VAR_{key_of('tokenflex_default', Part.GRANT).upper()}", encode(grant))
    for client, name in ((ada, "grace"), (eve, "")):
        lines = {one["connection"]: one for one in (await told(client, "connections"))["connections"]}
        sign_in = lines["tokenflex_default"]["sign_in"]
        assert (sign_in["state"], sign_in["granted_by"]) == ("granted", name)
