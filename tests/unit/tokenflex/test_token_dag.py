from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from tests.unit.tokenflex.records import GRANT, granted, renew_task, renewing_api
from tests.unit.tokenflex.sign_in import SignInVendor

FILE = Path(__file__).resolve().parents[3] / "dags" / "tokenflex_token.py"


@pytest.fixture(scope="module")
def dag() -> Any:
    bag = DagBag(FILE)
    assert bag.import_errors == {}
    return bag.dags["tokenflex_token"]


def test_one_writer_that_is_never_paused_by_default(dag: Any) -> None:
    assert (dag.dag_id, dag.max_active_runs, dag.catchup, dag.is_paused_upon_creation) == (
        "tokenflex_token",
        1,
        False,
        False,
    )
    (task,) = dag.tasks
    assert (task.max_active_tis_per_dag, task.retries, task.owner) == (1, 3, "nightshift")
    assert task.execution_timeout < dag.dagrun_timeout
    assert task.doc_md
    assert dag.doc_md


def test_it_survives_serialization(dag: Any) -> None:
    again = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    assert again.timetable.serialize()["expression"] == "*/10 * * * *"
    assert [asset.name for asset in again.get_task("renew").outlets] == ["tokenflex_token"]


def test_two_runs_may_fail_before_a_token_ends() -> None:
    from nightshift.tokenflex.renewal import DUE_SECONDS, SCHEDULE_MINUTES

    assert timedelta(seconds=DUE_SECONDS) > 2 * timedelta(minutes=SCHEDULE_MINUTES)


@pytest.mark.parametrize(("run_type", "state"), [("scheduled", "skipped"), ("manual", "success")])
def test_a_person_who_triggers_it_renews_at_once(server: SignInVendor, run_type: str, state: str) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=1800)}, run_type=run_type)
    assert api.run(renew_task()).state == state
