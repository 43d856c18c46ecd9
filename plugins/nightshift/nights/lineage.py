"""What OpenLineage is told of a publish: the landed extract it has read, the table it has written, its columns, rows
and checks. Its provider asks for it where it is installed; without it nothing here is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from nightshift.lake.landing import Landing

if TYPE_CHECKING:
    from nightshift.lake.extract import Manifest
    from nightshift.lake.published import Published
    from nightshift.lake.store import Lake


def dataset_name(url: str) -> tuple[str, str]:
    """Return namespace and name of a dataset, by the naming rules of OpenLineage.

    >>> dataset_name("s3://bucket/lake/tables/flexnet/device")
    ('s3://bucket', 'lake/tables/flexnet/device')
    >>> dataset_name("file:///srv/lake/tables/flexnet/device")
    ('file', '/srv/lake/tables/flexnet/device')
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return "file", unquote(parts.path)
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")


@dataclass(frozen=True)
class PublishLineage:
    """What one publish has read and written."""

    lake: Lake
    manifest: Manifest
    published: Published

    def facets(self) -> Any:
        """Return it in OpenLineage's own classes. Blocks: the table's columns are read from its log."""
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client import facet_v2 as facet
        from openlineage.client.event_v2 import InputDataset, OutputDataset

        manifest, published = self.manifest, self.published
        fields = [
            facet.schema_dataset.SchemaDatasetFacetFields(name=one.name, type=one.type) for one in self._columns()
        ]
        checks = [
            facet.data_quality_assertions_dataset.Assertion(
                assertion=check.name, success=check.ok, description=check.detail
            )
            for check in published.checks
        ]
        landed = InputDataset(
            *dataset_name("/".join((self.lake.url, *Landing.of(self.lake, manifest).path, manifest.extract))),
            inputFacets={
                "inputStatistics": facet.input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                    rowCount=manifest.rows, size=manifest.bytes, fileCount=manifest.pages
                ),
                "dataQualityAssertions": facet.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                    assertions=checks
                ),
            },
        )
        table = OutputDataset(
            *dataset_name(self.lake.table_url(manifest.source, manifest.report)),
            facets={
                "schema": facet.schema_dataset.SchemaDatasetFacet(fields=fields),
                "version": facet.dataset_version_dataset.DatasetVersionDatasetFacet(
                    datasetVersion=str(published.version)
                ),
            },
            outputFacets={
                "outputStatistics": facet.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                    rowCount=published.rows, size=published.bytes
                )
            },
        )
        return OperatorLineage(inputs=[landed], outputs=[table])

    def _columns(self) -> list[Any]:
        from nightshift.lake.delta import table_schema

        return table_schema(self.lake, self.manifest.source, self.manifest.report) or []
