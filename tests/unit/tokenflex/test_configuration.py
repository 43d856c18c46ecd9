from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightshift.config.reports import source_in_force
from nightshift.configuration import all_mistakes
from nightshift.settings import ConfigError, read_section
from nightshift.tokenflex.configuration import TokenFlex
from tests.execution_api import FakeExecutionApi  # noqa: F401 - sets Airflow up

ROOT = Path(__file__).resolve().parents[3]
EXPORTS = """
tokenflex:
  contract: 110000917988
  exports:
    - name: desktop_usage
      category: DESKTOP_PRODUCT
      fields: [usageDate, productName, userName]
      metrics: [tokensConsumed]
      look_back: 3
      delete_after: true
    - name: sessions
      category: DESKTOP_PRODUCT
      fields: [usageDate, sessionStartDate, chargedItemID]
      metrics: [tokensConsumed, usageHours]
      where: "contractYear >= 2"
      conditions: [{field: productLineCode, operator: in, value: [ACD, RVT]}]
"""


def read(folder: Path, text: str) -> TokenFlex | None:
    (folder / "reports.yaml").write_text(text)
    return read_section("tokenflex", TokenFlex, folder=folder)


def bag(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    (folder / "reports.yaml").write_text(text)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(folder))
    return DagBag(ROOT / "dags" / "tokenflex_exports.py")


def test_a_section_is_read(tmp_path: Path) -> None:
    section = read(tmp_path, EXPORTS)
    assert section is not None
    first, second = section.exports
    assert (section.contract, first.category, first.nights_by, second.look_back) == (
        "110000917988",
        ("DESKTOP_PRODUCT",),
        "usageDate",
        0,
    )
    assert second.conditions[0].value == ("ACD", "RVT")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            EXPORTS.replace("look_back: 3", "lookback: 3"),
            "reports.yaml:9: tokenflex.exports[0].lookback: unknown field; did you mean 'look_back'?",
        ),
        (
            EXPORTS.replace("[usageDate, productName", "[productName"),
            "look_back needs a column that says to which night a row belongs",
        ),
        (
            EXPORTS.replace(
                "look_back: 3", "look_back: 30\n      date_field: usageMonth\n      night_column: usageDate"
            ),
            "the nights are asked for by date_field (usageMonth) and replaced by night_column (usageDate)",
        ),
        (
            EXPORTS.replace("[usageDate, productName", "[Geo").replace("look_back: 3", "night_column: geo"),
            "Set both to the same field, or date_field to null and say in where what is wanted",
        ),
        (EXPORTS.replace("name: sessions", "name: desktop_usage"), "'desktop_usage' is listed twice"),
        (EXPORTS.replace("  contract: 110000917988\n", ""), "'desktop_usage' has no contract"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(tmp_path: Path, given: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "given",
    ["night_column: Usage Date", "night_column: Date", "date_field: null\n      night_column: transactionDate"],
    ids=["its spelling in the file", "its name in the file", "asked for without bounds"],
)
def test_the_night_column_may_be_called_as_in_the_file_or_be_all_that_says_a_night(tmp_path: Path, given: str) -> None:
    section = read(tmp_path, EXPORTS.replace("look_back: 3", f"look_back: 3\n      {given}"))
    assert section is not None
    assert section.exports[0].nights_by == given.rpartition(": ")[2]


def test_each_export_is_a_group_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = "sessions\n      key: [Konto]\n      types: {Day: date}\n"
    found = bag(tmp_path, EXPORTS.replace("sessions\n", own), monkeypatch)
    assert found.import_errors == {}
    dag = found.dags["tokenflex_exports"]
    assert set(dag.task_ids) == {
        "night",
        *(
            f"{name}.{step}"
            for name in ("desktop_usage", "sessions")
            for step in ("request", "wait", "download", "publish")
        ),
        "desktop_usage.delete",
    }
    assert dag.get_task("desktop_usage.publish").downstream_task_ids == {"desktop_usage.delete"}
    assert dag.get_task("sessions.download").columns == ("Day", "Konto")
    weights = [dag.get_task(f"sessions.{step}").priority_weight for step in ("request", "wait", "download")]
    assert weights == sorted(weights)
    assert [outlet.name for outlet in dag.get_task("sessions.publish").outlets] == ["tokenflex/sessions"]


def test_the_pool_of_the_configuration_holds_what_talks_to_the_vendor_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dag = bag(
        tmp_path, EXPORTS.replace("tokenflex:\n", "tokenflex:\n  pool: tokenflex_exports\n", 1), monkeypatch
    ).dags["tokenflex_exports"]
    held = {task.task_id.partition(".")[2] for task in dag.tasks if task.pool == "tokenflex_exports"}
    assert held == {"request", "wait", "download", "delete"}
    plain = bag(tmp_path, EXPORTS, monkeypatch).dags["tokenflex_exports"]
    assert {task.pool for task in plain.tasks} == {"default_pool"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            ("usageHours", "useCount"),
            ":14: tokenflex.exports[1].metrics: useCount is not allowed in a desktop session-level export",
        ),
        (
            ("[tokensConsumed]", "[tokensConsumd]"),
            ":8: tokenflex.exports[0].metrics: tokensConsumd is not known; did you mean tokensConsumed?",
        ),
        (("userName]", "userNam]"), ":7: tokenflex.exports[0].fields: userNam is not known; did you mean userName?"),
        (
            ("DESKTOP_PRODUCT\n      fields: [usageDate, prod", "DESKTOP\n      fields: [usageDate, prod"),
            ":6: tokenflex.exports[0].category: DESKTOP is not known; did you mean DESKTOP_PRODUCT?",
        ),
        (
            ('"contractYear >= 2"', '"contractYear >= {{ x }}"'),
            ":15: tokenflex.exports[1].where: has a template, but is sent as it is",
        ),
        (
            ("look_back: 3", "date_field: usageMonth"),
            ":9: tokenflex.exports[0].date_field: is usageMonth, which is always the first day of a month: most nights "
            "would ask for nothing [rule night-field]. Compare usageDate; or set look_back to 30 or more",
        ),
        (
            ("look_back: 3", "skip_rules: [known-metrik]"),
            ":9: tokenflex.exports[0].skip_rules: 'known-metrik' is not a rule; did you mean 'known-metric'?",
        ),
    ],
)
def test_what_the_vendor_would_refuse_is_told_with_file_line_and_field(
    tmp_path: Path, given: tuple[str, str], told: str
) -> None:
    assert EXPORTS.count(given[0]) >= 1
    (tmp_path / "reports.yaml").write_text(EXPORTS.replace(*given, 1))
    (found,) = all_mistakes(tmp_path)
    assert found.startswith(f"{tmp_path}/reports.yaml{told}")
    assert source_in_force("tokenflex", folder=tmp_path) is None


def test_without_the_section_there_is_no_dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bag(tmp_path, "flexnet: {reports: [{name: a}]}\n", monkeypatch).dags == {}


def test_the_dag_keeps_to_the_policy_and_is_the_same_each_time_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = bag(tmp_path, EXPORTS, monkeypatch).dags["tokenflex_exports"]
    again = bag(tmp_path, EXPORTS, monkeypatch).dags["tokenflex_exports"]
    assert DagSerialization.to_dict(again) == DagSerialization.to_dict(dag)
    assert (dag.owner, dag.catchup, bool(dag.doc_md), bool(dag.dagrun_timeout)) == ("nightshift", False, True, True)
    for task in dag.tasks:
        assert task.retries >= 1
        assert task.retry_policy is not None
        assert task.execution_timeout is not None
        assert task.doc_md
