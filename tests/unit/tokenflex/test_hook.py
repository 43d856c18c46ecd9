from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from nightshift.errors import Ambiguous, AuthFailed, BadResponse, Forbidden, JobFailed, RateLimited, Rejected
from nightshift.tokenflex.hook import TokenFlexHook
from nightshift.tokenflex.request import UsageRequest
from tests.unit.tokenflex.vendor import CONTRACT, TOKEN, Vendor

pytestmark = pytest.mark.usefixtures("hook_connection")

JSON = "application/json"
KEY = "2018-10-29T03:25:31#4d16aed0-9de2-40c1-9e91-22e3e83c6ce3"
REQUEST = UsageRequest(fields=("usageDate",), metrics=("tokensConsumed",), file_name="f")


async def test_an_export_is_made_with_the_documented_body(vendor: Vendor) -> None:
    async with TokenFlexHook() as hook:
        made = await hook.create_export(CONTRACT, REQUEST)
    assert (made.request_status, made.download_file_name, made.download_url) == ("Requested", "f.csv", None)
    assert vendor.payloads()[0] == {"fields": ["usageDate"], "metrics": ["tokensConsumed"], "downloadFileName": "f"}
    assert vendor.seen[0].headers["content-type"] == "application/json"


async def test_a_create_whose_answer_is_lost_is_not_sent_again(vendor: Vendor) -> None:
    vendor.fault("create", "drop_after")
    async with TokenFlexHook() as hook:
        with pytest.raises(Ambiguous):
            await hook.create_export(CONTRACT, REQUEST)
    assert len(vendor.keys()) == 1
    assert vendor.count("POST") == 1


async def test_a_signed_link_in_an_answer_that_is_cut_is_in_no_error(vendor: Vendor) -> None:
    """Whatever the download host calls its signature, also where the answer is never decoded."""
    link = "https:\\/\\/download.autodesk.com\\/u_17.csv?e=1764400000\\u0026h=5eec4e75ignature"
    body = f'{{"requestKey": "{KEY}", "requestStatus": "Download", "downloadUrl": "{link}", "downloadFileName": "x'
    vendor.faults.add(
        Fault(kind=FaultKind.STATUS, status=200, path="/requests/", times=None, body=body, content_type=JSON)
    )
    async with TokenFlexHook(attempts=1) as hook:
        with pytest.raises(BadResponse, match="is not JSON") as caught:
            await hook.export(CONTRACT, KEY)
    assert "u_17.csv?***" in str(caught.value)
    assert not [word for word in ("1764400000", "5eec4e75") if word in repr(caught.value.serialize())]


async def test_a_full_queue_without_retry_after_is_not_asked_again_at_once(vendor: Vendor) -> None:
    vendor.fault("create", 429)
    async with TokenFlexHook() as hook:
        with pytest.raises(RateLimited) as caught:
            await hook.create_export(CONTRACT, REQUEST)
    assert caught.value.retry_after == 60
    assert vendor.count("POST") == 1


async def test_a_retry_after_is_kept(vendor: Vendor) -> None:
    vendor.fault("contracts", (429, {"Retry-After": "77"}, {"developerMessage": "Quota limit exceeded."}))
    async with TokenFlexHook() as hook:
        with pytest.raises(RateLimited, match="Quota limit exceeded") as caught:
            await hook.contracts()
    assert caught.value.retry_after == 77


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (403, {"errorCode": "AUTH-001", "developerMessage": "no access"}, Forbidden, "not entitled"),
        (403, {"errorCode": "AUTH-010", "more info": "x"}, Forbidden, "lacks a scope"),
        (401, {"errorCode": "AUTH-003"}, AuthFailed, "client secret is wrong"),
        (403, {"Code": "ForbiddenError", "Message": "ForbiddenError: contract"}, Forbidden, "ForbiddenError: contract"),
        (400, {"Code": "BadRequestError", "Message": "BadRequestError: where"}, Rejected, "BadRequestError: where"),
        (403, {"errorCode": "ERR-001"}, RateLimited, "too many requests"),
    ],
)
async def test_both_families_of_error_bodies_are_understood(
    vendor: Vendor, status: int, body: Any, kind: type[Exception], words: str
) -> None:
    vendor.fault("contracts", (status, {}, body))
    async with TokenFlexHook() as hook:
        with pytest.raises(kind, match=words):
            await hook.contracts()


async def test_without_a_limit_of_its_own_a_connection_keeps_to_the_vendors(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"conn_type": "tokenflex", "host": vendor.url, "extra": {"auth": "bearer", "token": TOKEN}}
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps(given))
    async with TokenFlexHook("bare") as hook:
        assert hook.requests_per_minute == 5
        assert [hook._pacer.book() > 1 for _ in range(6)] == [False] * 5 + [True]  # type: ignore[union-attr]


async def test_a_refused_token_that_cannot_be_renewed_is_told(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"conn_type": "tokenflex", "host": vendor.url, "extra": {"auth": "bearer", "token": "another-token-99"}}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(given))
    async with TokenFlexHook("other") as hook:
        with pytest.raises(AuthFailed) as caught:
            await hook.contracts()
    assert "another-token-99" not in str(caught.value)


def test_the_test_button_names_the_contracts_or_says_that_a_role_may_be_missing(vendor: Vendor) -> None:
    assert TokenFlexHook().test_connection() == (
        True,
        "Signed in to Token Flex; this user sees 2 contracts: 110000917988 (Standin Engineering EBA), "
        "110000411502 (Standin Engineering EBA (2013))",
    )
    vendor.fault("contracts", (200, {}, []))
    ok, text = TokenFlexHook().test_connection()
    assert ok
    assert "missing role" in text


def test_every_method_of_the_api_has_a_description() -> None:
    public = {
        name: one for name, one in vars(TokenFlexHook).items() if inspect.isfunction(one) and not name.startswith("_")
    }
    assert [name for name, one in public.items() if not one.__doc__] == []


async def test_an_answer_about_another_export_is_a_broken_one(vendor: Vendor) -> None:
    mine, other = vendor.add(name="mine"), vendor.add(name="somebody else's")
    shown = {"requestKey": other.key, "requestStatus": "Download", "downloadUrl": "https://x.example/other?sig=1"}
    vendor.fault("get", (200, {}, shown))
    vendor.faults.add(
        Fault(kind=FaultKind.STATUS, status=200, path="/refreshUrl$", body=json.dumps(shown), content_type=JSON)
    )
    async with TokenFlexHook() as hook:
        for ask in (hook.export, hook.refresh_url):
            with pytest.raises(BadResponse, match=f"shows another export than was asked for: {other.key}"):
                await ask(CONTRACT, mine.key)
            assert (await ask(CONTRACT, mine.key)).request_key == mine.key


@pytest.mark.parametrize("total", [3, 0])
async def test_a_query_whose_pages_end_before_all_rows_have_come_is_an_error(vendor: Vendor, total: int) -> None:
    first = {"columns": ["userName"], "rows": [["ann"], ["bob"]], "offset": 0, "total": 3}
    for page in (first, {**first, "rows": [], "offset": 2, "total": total}):
        vendor.fault("query", (200, {}, {"id": "q 1", "status": "DONE", "result": page}))
    async with TokenFlexHook() as hook:
        pages = hook.query(CONTRACT, UsageRequest(fields=("userName",)), pause=0)
        assert [len((await anext(pages)).rows) for _ in range(2)] == [2, 0]
        with pytest.raises(JobFailed, match="gave no rows from 2 on, of 3"):
            await anext(pages)


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "EXPIRED"])
async def test_a_query_that_ends_badly_is_an_error(vendor: Vendor, state: str) -> None:
    vendor.fault("query", (200, {}, {"id": "q 1", "status": state}))
    async with TokenFlexHook() as hook:
        with pytest.raises(JobFailed) as caught:
            await anext(hook.query(CONTRACT, UsageRequest(metrics=("useCount",)), pause=0))
    assert caught.value.state == state


async def test_session_level_usage_is_not_queried(vendor: Vendor) -> None:
    request = UsageRequest(fields=("sessionStartDate",), categories=("DESKTOP_PRODUCT",))
    async with TokenFlexHook() as hook:
        with pytest.raises(Rejected, match="session-level-export-only"):
            await hook.start_query(CONTRACT, request)
    assert vendor.seen == []
