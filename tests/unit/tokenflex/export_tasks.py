"""Tasks that ask the small Token Flex for exports, wait for them and fetch them."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from nightshift.tokenflex.adapter import TokenFlexExportAdapter
from nightshift.tokenflex.landing_operators import TokenFlexDownloadExportOperator
from nightshift.tokenflex.operators import TokenFlexDeleteExportOperator, TokenFlexRequestExportOperator
from nightshift.tokenflex.sensors import TokenFlexExportSensor
from tests.unit.tokenflex.vendor import CONTRACT

NIGHT = "2026-11-21"


class QuickAdapter(TokenFlexExportAdapter):
    """Believes after half a second that an export which is not listed was never made."""

    settle = 0.5
    send_within = 1.0


class QuickRequest(TokenFlexRequestExportOperator):
    adapter_type = QuickAdapter


def request_task(**kwargs: Any) -> TokenFlexRequestExportOperator:
    given = {
        "contract": CONTRACT,
        "night": NIGHT,
        "fields": ["usageDate"],
        "metrics": ["tokensConsumed"],
        "file_name": "desktop",
    }
    with DAG("d", schedule=None):
        return QuickRequest(**{"task_id": "request", **given, **kwargs})


def sensor_task(request_key: str, **kwargs: Any) -> TokenFlexExportSensor:
    quick = {"poll_first": 0.02, "poll_cap": 0.05}
    with DAG("d", schedule=None):
        return TokenFlexExportSensor(
            **{"task_id": "wait", "contract": CONTRACT, "request_key": request_key, **quick, **kwargs}
        )


def download_task(request_key: str, **kwargs: Any) -> TokenFlexDownloadExportOperator:
    given = {
        "contract": CONTRACT,
        "report": "desktop",
        "night": NIGHT,
        "fields": ["usageDate", "userName"],
        "metrics": ["tokensConsumed"],
    }
    with DAG("d", schedule=None):
        return TokenFlexDownloadExportOperator(**{"task_id": "download", "request_key": request_key, **given, **kwargs})


def delete_task(request_key: str) -> TokenFlexDeleteExportOperator:
    with DAG("d", schedule=None):
        return TokenFlexDeleteExportOperator(task_id="delete", contract=CONTRACT, request_key=request_key)
