"""Tasks that have the vendor Acme do jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from airflow.sdk import DAG

from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.operators import VendorJobOperator
from nightshift.jobs.sensors import VendorJobSensor
from tests.unit.jobs.acme import AcmeAdapter


class AcmeOperator(VendorJobOperator):
    template_fields = ("conn_id", "what")

    def __init__(self, *, what: Any = "report", kind: type[AcmeAdapter] = AcmeAdapter, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.what = what
        self.kind = kind

    def adapter(self) -> AdapterSpec:
        return AdapterSpec.of(self.kind, self.conn_id)

    def payload(self, context: Any) -> Any:
        return self.what


class AcmeSensor(VendorJobSensor):
    def adapter(self) -> AdapterSpec:
        return AdapterSpec.of(AcmeAdapter, self.conn_id)


_QUICK = {"conn_id": "acme", "poll_first": 0.02, "poll_cap": 0.05, "look": 0.0}


def job_task(**kwargs: Any) -> AcmeOperator:
    """A task whose polls are quick and which defers at once, unless told otherwise."""
    with DAG("d", schedule=None):
        return AcmeOperator(**{"task_id": "t", **_QUICK, **kwargs})


def job_sensor(**kwargs: Any) -> AcmeSensor:
    with DAG("d", schedule=None):
        return AcmeSensor(**{"task_id": "s", **_QUICK, **kwargs})


def wait_until(true: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.005)
