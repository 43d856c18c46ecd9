"""The tasks of one night of Autodesk Token Flex."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup

from nightshift.nights.flow import of_night
from nightshift.nights.night import NightOperator
from nightshift.nights.ready import waiting_for
from nightshift.tokenflex.configuration import TokenFlex, UsageExport
from nightshift.tokenflex.landing_operators import TokenFlexDownloadExportOperator, TokenFlexPublishExportOperator
from nightshift.tokenflex.operators import TokenFlexDeleteExportOperator, TokenFlexRequestExportOperator
from nightshift.tokenflex.sensors import TokenFlexExportSensor
from nightshift.tokenflex.source import TOKENFLEX


def tasks(source: TokenFlex, night: NightOperator) -> None:
    """Declare the tasks of each export."""
    for export in source.exports:
        _export(source, export, night)


def _export(source: TokenFlex, export: UsageExport, night: NightOperator) -> None:
    """Declare the tasks of one export.

    What is further on its way goes first, so that a backfill does not pile up half-done nights.
    """
    at_vendor: dict[str, Any] = {
        "contract": export.contract or source.contract,
        "tokenflex_conn_id": source.connection,
        "pool": source.pool,
        "weight_rule": "absolute",
    }
    asked = export.model_dump(include={"look_back", "fields", "metrics"})
    of_its_night = of_night(night)
    with TaskGroup(export.name, tooltip=f"Export {export.name}"):
        request = TokenFlexRequestExportOperator(
            task_id="request",
            doc_md="Ask for the export, once; wait where the vendor's queue is full.",
            night=of_its_night["night"],
            **asked,
            **export.model_dump(include={"where", "date_field", "other_names", "skip_rules"}),
            categories=export.category,
            conditions=[one.model_dump() for one in export.conditions],
            file_name=export.name,
            queue_timeout=timedelta(hours=source.queue_hours),
            delete_replaced=export.delete_after,
            priority_weight=1,
            **at_vendor,
        )
        wait = TokenFlexExportSensor(
            task_id="wait",
            doc_md="Wait until the file is ready; the vendor tries a failed export again.",
            request_key=request.output["request_key"],
            requested_by=request.task_id,
            vendor_retries=source.vendor_retries,
            timeout=timedelta(hours=source.export_hours).total_seconds(),
            poll_cap=source.poll_seconds,
            priority_weight=2,
            **at_vendor,
        )
        download = TokenFlexDownloadExportOperator(
            task_id="download",
            doc_md="Fetch the file to the landing.",
            report=export.name,
            timezone=source.timezone,
            **of_its_night,
            **asked,
            request_key=request.output["request_key"],
            columns=sorted({*export.key, *export.types, *filter(None, [export.night_column])}),
            where=request.output["where"],
            criteria=export.model_dump(mode="json", include={"category", "where", "conditions", "date_field"}),
            csv=export.csv.model_dump(mode="json"),
            priority_weight=3,
            **at_vendor,
        )
        publish = TokenFlexPublishExportOperator(
            task_id="publish",
            doc_md="Check the nights and replace them in the table, in one atomic commit.",
            extract=download.output,
            spec=export.publish_spec(source.timezone).model_dump(mode="json"),
            report=export.name,
            look_back=export.look_back,
            force=of_its_night["force"],
            waiting=waiting_for(TOKENFLEX.type, export.name),
            # The section's pool is for what is pending at the vendor; this would take its slots.
            pool="default_pool",
        )
        night >> request >> wait >> download >> publish
        if export.delete_after:
            publish >> TokenFlexDeleteExportOperator(
                task_id="delete",
                doc_md="Delete the export and its file at the vendor.",
                request_key=request.output["request_key"],
                **at_vendor,
            )
