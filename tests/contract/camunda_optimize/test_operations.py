"""The public API: its payloads, its codes, the forms of the token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.camunda_optimize import (
    COLLECTION,
    INVOICES,
    TOKEN,
    CamundaOptimizeStandIn,
    CamundaOptimizeSwitches,
)
from nightshift.camunda_optimize.hook import CamundaOptimizeHook
from nightshift.camunda_optimize.page import read_page
from nightshift.errors import AuthFailed, NotFound, Rejected, Unreachable

PAYLOADS = Path(__file__).parents[3] / "include" / "standins" / "camunda_optimize" / "examples"


@pytest.fixture
def vendor_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., CamundaOptimizeStandIn]]:
    with ExitStack() as stack:

        def start(
            *, password: str = TOKEN, extra: dict[str, Any] | None = None, **switches: Any
        ) -> CamundaOptimizeStandIn:
            vendor = stack.enter_context(CamundaOptimizeStandIn(switches=CamundaOptimizeSwitches(**switches)))
            fields = {"conn_type": "camunda_optimize", "host": vendor.url, "password": password, "extra": extra or {}}
            monkeypatch.setenv("AIRFLOW_CONN_CAMUNDA_OPTIMIZE_DEFAULT", json.dumps(fields))
            return vendor

        yield start


@pytest.mark.parametrize("name", ["first", "next"])
def test_the_documented_answers_are_read(name: str) -> None:
    page = read_page(1, (PAYLOADS / f"report_result_{name}_page_response_200.json").read_bytes(), path="/x")
    assert (page.rows, page.total, page.search_request_id) == (2, 11, "FGluY2x1ZGVfY29udGV4dF91dWlkDXF1ZXJ")


@pytest.mark.parametrize(
    ("form", "version"),
    [("bearer", "3.7"), ("bearer", "3.9"), ("header", "3.7"), ("query", "3.7")],
)
async def test_the_token_goes_as_the_version_wants_it(vendor_with, form: str, version: str) -> None:
    vendor = vendor_with(extra={"auth_form": form}, version=version)
    async with CamundaOptimizeHook() as hook:
        assert (await hook.result_page(INVOICES, limit=10)).rows == 10
    assert vendor.ledger.requests()[0].status == 200


async def test_the_reports_of_a_collection(vendor_with) -> None:
    vendor_with()
    async with CamundaOptimizeHook() as hook:
        assert INVOICES in await hook.report_ids(COLLECTION)


@pytest.mark.parametrize(("status", "error"), [(400, Rejected), (401, AuthFailed), (404, NotFound), (500, Unreachable)])
async def test_every_documented_code_is_a_typed_error(vendor_with, status: int, error: type) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=status, times=None))
    async with CamundaOptimizeHook(attempts=1) as hook:
        with pytest.raises(error) as caught:
            await hook.result_page(INVOICES)
    assert caught.value.status == status


@pytest.mark.parametrize(("given", "told"), [({"limit": 0}, "1 to 10000"), ({"limit": 10_001}, "1 to 10000")])
async def test_what_the_server_would_refuse_is_not_sent(vendor_with, given: dict[str, int], told: str) -> None:
    vendor = vendor_with()
    async with CamundaOptimizeHook() as hook:
        with pytest.raises(Rejected, match=told):
            await hook.result_page(INVOICES, **given)
    assert not vendor.ledger.requests()


async def test_a_time_out_under_a_minute_is_not_sent(vendor_with) -> None:
    vendor_with(extra={"pagination_timeout": 59})
    async with CamundaOptimizeHook() as hook:
        with pytest.raises(Rejected, match="at least 60"):
            await hook.result_page(INVOICES)


@pytest.mark.parametrize(
    ("options", "fine", "told"),
    [
        ({}, True, "takes the access token"),
        ({"password": "wrong-token-here"}, False, "access token is wrong"),
        ({"ready": False}, False, "not ready"),
        ({"secret": None}, False, "api.accessToken"),
    ],
)
def test_the_test_button_asks_for_readiness_then_for_the_token(
    vendor_with, options: dict[str, Any], fine: bool, told: str
) -> None:
    vendor = vendor_with(**options)
    found, message = CamundaOptimizeHook().test_connection()
    assert found is fine, message
    assert told in message
    assert "wrong-token-here" not in message
    assert not vendor.ledger.requests(path="readyz")[0].credential
