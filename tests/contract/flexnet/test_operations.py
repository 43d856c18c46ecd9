"""All six documented operations, their payloads and their codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet import GROUPS, PASSWORD, TOKEN
from include.standins.flexnet.switches import Metadata
from nightshift.errors import AuthFailed, Forbidden, NotFound, Rejected, Unreachable
from nightshift.flexnet import model
from nightshift.flexnet.hook import FlexNetHook
from tests.contract.flexnet.conftest import connect

PAYLOADS = Path(__file__).parents[1] / "payloads" / "flexnet"


def test_the_documented_metadata_samples_name_nothing_and_break_nothing() -> None:
    samples = sorted(PAYLOADS.glob("*_response_200.json"))
    assert len(samples) == 5
    for sample in samples:
        body = json.loads(sample.read_text())
        assert body == {"data": {}}
        assert model.names(body) == []
        assert model.columns(body, "account") is None


async def test_the_documented_filter_is_sent_as_one_encoded_value(vendor_with) -> None:
    vendor = vendor_with()
    query = json.loads((PAYLOADS / "report_query_filter_account.json").read_text())
    async with FlexNetHook() as hook:
        await hook.report_page(hook.request_of("account", query=query, past_days=2))
    assert json.loads(dict(vendor.ledger.requests(path="/report/account")[0].query)["query"]) == query


@pytest.mark.parametrize("shape", list(Metadata))
async def test_metadata_of_every_shape(vendor_with, shape: Metadata) -> None:
    vendor_with(metadata=shape)
    async with FlexNetHook() as hook:
        names = await hook.report_names()
        columns = await hook.report_columns("entitlement")
        everything = await hook.report_types()
        assert await hook.report_filters("account") is not None
        assert await hook.global_filters() is not None
    if shape == Metadata.SAMPLE:
        assert (names, columns) == ([], None)
        return
    assert sorted(names) == sorted(GROUPS)
    assert {"EntitlementID"} <= {column.name for column in columns}
    assert {column.type for column in columns} >= {"string", "json"}
    assert model.columns(everything, "entitlement") == columns


@pytest.mark.parametrize(
    ("status", "error", "advice"),
    [
        (400, Rejected, "parameter"),
        (401, AuthFailed, "login or password is wrong"),
        (403, Forbidden, '"Data Api"'),
        (404, NotFound, "report-names"),
        (500, Unreachable, ""),
    ],
)
async def test_every_documented_code_is_a_typed_error_with_advice(
    vendor_with, status: int, error: type, advice: str
) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=status, times=None))
    async with FlexNetHook(attempts=1) as hook:
        for call in (
            hook.report_names(),
            hook.report_types(),
            hook.report_types("account"),
            hook.report_filters("account"),
            hook.global_filters(),
            hook.report_page(hook.request_of("account")),
        ):
            with pytest.raises(error) as caught:
                await call
            assert caught.value.status == status
            assert advice in str(caught.value)
            assert "FlexNet Operations" in str(caught.value)


async def test_reserved_words_are_no_reports(vendor_with) -> None:
    vendor = vendor_with()
    async with FlexNetHook() as hook:
        for word in ("report-names", "global-filters"):
            with pytest.raises(Rejected):
                await hook.report_types(word)
    assert not vendor.ledger.requests()


async def test_a_bearer_token_takes_the_place_of_the_password(vendor_with) -> None:
    vendor = vendor_with(basic_enabled=False, connection={"login": None, "password": None, "extra": {"token": TOKEN}})
    async with FlexNetHook() as hook:
        assert len(await hook.report_names()) == 14
    assert vendor.ledger.requests()[0].status == 200


@pytest.mark.parametrize(
    ("fields", "fine", "told"),
    [
        ({}, True, "sees 14 reports"),
        ({"password": "wrong-password-here"}, False, "login or password is wrong"),
        ({"login": "clerk", "password": PASSWORD}, False, '"Data Api"'),
        ({"host": "http://127.0.0.1:9"}, False, "127.0.0.1"),
        ({"host": "http://no-such-host.invalid"}, False, "no-such-host.invalid"),
    ],
)
def test_the_test_button_tells_what_is_wrong(
    vendor_with, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], fine: bool, told: str
) -> None:
    vendor = vendor_with()
    connect(monkeypatch, vendor, **fields)
    found, message = FlexNetHook().test_connection()
    assert found is fine, message
    assert told in message
    assert "wrong-password-here" not in message


@pytest.mark.parametrize(
    ("host", "root"),
    [
        ("acme", "https://acme.flexnetoperations.com"),
        ("https://acme.flexnetoperations.com/", "https://acme.flexnetoperations.com"),
        ("https://acme.flexnetoperations.com/data", "https://acme.flexnetoperations.com"),
        ("acme-uat.flexnetoperations.com", "https://acme-uat.flexnetoperations.com"),
    ],
)
async def test_the_host_is_what_a_person_would_paste(monkeypatch: pytest.MonkeyPatch, host: str, root: str) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_FLEXNET_DEFAULT",
        json.dumps({"conn_type": "flexnet", "host": host, "login": "x", "password": "long-enough"}),
    )
    async with FlexNetHook() as hook:
        assert hook.base_url == root
