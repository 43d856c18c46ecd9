"""The first task of a night begins whatever pool the configuration names; the others keep to it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_no_night_waits_for_the_pool_of_its_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "reports.yaml").write_text(
        "flexnet: {pool: vendors, reports: [{name: a}]}\nexago: {pool: vendors}\n"
        "camunda_optimize: {pool: vendors, reports: [{name: b, report_id: c}]}\n"
        "tokenflex:\n  pool: vendors\n  contract: 1\n"
        "  exports: [{name: d, category: DESKTOP_PRODUCT, fields: [usageDate], metrics: [tokensConsumed]}]\n"
    )
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    for dag_id in ("flexnet_reports", "tokenflex_exports", "camunda_reports", "exago_catalog"):
        night = bag.dags[dag_id].get_task("night")
        assert (night.pool, night.pool_of_reports) == ("default_pool", "vendors")
        assert "vendors" in {task.pool for task in bag.dags[dag_id].tasks}
