"""What OpenLineage is told of a publish, in its own classes where its provider is installed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nightshift.lake.extract import Manifest
from nightshift.lake.spec import Checks, PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from nightshift.nights.lineage import PublishLineage, dataset_name
from tests.published import land

NIGHT = "2026-11-20"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/lake/tables/a/b", ("s3://bucket", "lake/tables/a/b")),
        ("gs://bucket/tables/a/b", ("gs://bucket", "tables/a/b")),
        (
            "abfss://lake@acme.dfs.core.windows.net/tables/a/b",
            ("abfss://lake@acme.dfs.core.windows.net", "tables/a/b"),
        ),
        ("file:///srv/the%20lake/tables/a/b", ("file", "/srv/the lake/tables/a/b")),
    ],
)
def test_a_dataset_is_named_by_the_url_of_the_lake(url: str, name: tuple[str, str]) -> None:
    assert dataset_name(url) == name


@pytest.fixture
def lineage(tmp_path: Path) -> PublishLineage:
    lake = Lake.from_url(str(tmp_path))
    manifest: Manifest = asyncio.run(land(lake, "flexnet/entitlement", NIGHT))
    published = publish(lake, manifest, PublishSpec(key=("id",), checks=Checks(not_empty=True)))
    return PublishLineage(lake, manifest, published)


def test_columns_rows_version_and_checks_are_told(lineage: PublishLineage, tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    told = lineage.facets()
    [landed], [table] = told.inputs, told.outputs
    assert (landed.namespace, landed.name) == ("file", f"{tmp_path}/raw/flexnet/entitlement/night={NIGHT}/first")
    assert (table.namespace, table.name) == ("file", f"{tmp_path}/tables/flexnet/entitlement")
    assert [(one.name, one.type) for one in table.facets["schema"].fields] == [("id", "string")]
    assert table.facets["version"].datasetVersion == "1"
    assert table.outputFacets["outputStatistics"].rowCount == landed.inputFacets["inputStatistics"].rowCount == 12
    checks = {one.assertion: one.success for one in landed.inputFacets["dataQualityAssertions"].assertions}
    assert checks["unique_key"]
    assert checks["not_empty"]


def test_its_provider_asks_the_operator_by_this_name(lineage: PublishLineage) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    from airflow.providers.openlineage.extractors.base import DefaultExtractor
    from airflow.sdk import DAG

    from nightshift.nights.publish import PublishNightOperator

    with DAG("d", schedule=None):
        task = PublishNightOperator(task_id="publish", extract={}, spec={}, source="flexnet", report="entitlement")
    task._lineage = lineage
    told = DefaultExtractor(task).extract_on_complete(None)
    assert told is not None
    assert [one.name for one in told.outputs] == [lineage.facets().outputs[0].name]
