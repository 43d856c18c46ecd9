from __future__ import annotations

import inspect
import json
from datetime import date
from typing import Any

import pytest

from nightshift.errors import Ambiguous, AuthFailed, Forbidden, JobFailed, NotFound, RateLimited, Rejected
from nightshift.tokenflex.hook import TokenFlexHook
from nightshift.tokenflex.request import UsageRequest
from tests.unit.tokenflex.usage_server import TOKEN, UsageServer

pytestmark = pytest.mark.usefixtures("hook_connection")

ROOT = "/tokenflex/v1"
KEY = "2018-10-29T03:25:31#4d16aed0-9de2-40c1-9e91-22e3e83c6ce3"
CODED = "2018-10-29T03%3A25%3A31%234d16aed0-9de2-40c1-9e91-22e3e83c6ce3"
REQUEST = UsageRequest(fields=("usageDate",), metrics=("tokensConsumed",), file_name="f")


@pytest.mark.parametrize(
    ("call", "arguments", "method", "path"),
    [
        ("contracts", (), "GET", "/contract"),
        ("contract", ("110",), "GET", "/contract/110"),
        ("enrichment", ("110",), "GET", "/contract/110/enrichment"),
        ("enrichment_values", ("110", "Büro / Ort"), "GET", "/contract/110/enrichment/B%C3%BCro%20%2F%20Ort"),
        ("field_values", ("110", "userName"), "GET", "/contract/110/userName"),
        ("usage_last", ("110",), "GET", "/usage/110/last"),
        (
            "exports",
            ("null", date(2026, 1, 1), date(2026, 1, 3)),
            "GET",
            "/export/null/requests?fromDate=2026-01-01&toDate=2026-01-03",
        ),
    ],
)
async def test_every_endpoint_is_called_as_documented(
    vendor: UsageServer, call: str, arguments: Any, method: str, path: str
) -> None:
    async with TokenFlexHook() as hook:
        await getattr(hook, call)(*arguments)
    assert [(one.method, one.raw_path) for one in vendor.seen] == [(method, ROOT + path)]


@pytest.mark.parametrize(
    ("call", "method", "ending"),
    [
        ("export", "GET", ""),
        ("delete_export", "DELETE", ""),
        ("retry_export", "POST", "/retry"),
        ("refresh_url", "POST", "/refreshUrl"),
    ],
)
async def test_a_request_key_is_encoded_exactly_once(vendor: UsageServer, call: str, method: str, ending: str) -> None:
    vendor.add("Download").key = KEY
    vendor.exports = {KEY: next(iter(vendor.exports.values()))}
    async with TokenFlexHook() as hook:
        await getattr(hook, call)("110", KEY)
    assert [(one.method, one.raw_path, one.status // 100) for one in vendor.seen] == [
        (method, f"{ROOT}/export/110/requests/{CODED}{ending}", 2)
    ]


async def test_an_unknown_key_is_not_found_though_the_vendor_says_400(vendor: UsageServer) -> None:
    async with TokenFlexHook() as hook:
        with pytest.raises(NotFound, match="no such request") as caught:
            await hook.export("110", KEY)
    assert caught.value.status == 400


async def test_an_export_is_made_with_the_documented_body(vendor: UsageServer) -> None:
    async with TokenFlexHook() as hook:
        made = await hook.create_export("110", REQUEST)
    assert (made.request_status, made.download_file_name, made.download_url) == ("Requested", "f.csv", None)
    assert next(iter(vendor.exports.values())).body == {
        "fields": ["usageDate"],
        "metrics": ["tokensConsumed"],
        "downloadFileName": "f",
    }
    assert vendor.seen[0].headers["Content-Type"] == "application/json"


async def test_a_create_whose_answer_is_lost_is_not_sent_again(vendor: UsageServer) -> None:
    vendor.fault("create", "drop_after")
    async with TokenFlexHook() as hook:
        with pytest.raises(Ambiguous):
            await hook.create_export("110", REQUEST)
    assert len(vendor.exports) == 1
    assert vendor.count("POST") == 1


async def test_a_full_queue_without_retry_after_is_not_asked_again_at_once(vendor: UsageServer) -> None:
    vendor.fault("create", 429)
    async with TokenFlexHook() as hook:
        with pytest.raises(RateLimited) as caught:
            await hook.create_export("110", REQUEST)
    assert caught.value.retry_after == 60
    assert vendor.count("POST") == 1


async def test_a_retry_after_is_kept(vendor: UsageServer) -> None:
    vendor.fault("echo", (429, {"Retry-After": "77"}, {"developerMessage": "Quota limit exceeded."}))
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
    vendor: UsageServer, status: int, body: Any, kind: type[Exception], words: str
) -> None:
    vendor.fault("echo", (status, {}, body))
    async with TokenFlexHook() as hook:
        with pytest.raises(kind, match=words):
            await hook.contracts()


async def test_without_a_limit_of_its_own_a_connection_keeps_to_the_vendors(
    vendor: UsageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"conn_type": "tokenflex", "host": vendor.url, "extra": {"auth": "bearer", "token": TOKEN}}
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps(given))
    async with TokenFlexHook("bare") as hook:
        assert hook.requests_per_minute == 5
        assert [hook._pacer.book() > 1 for _ in range(6)] == [False] * 5 + [True]  # type: ignore[union-attr]


async def test_a_refused_token_that_cannot_be_renewed_is_told(
    vendor: UsageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"conn_type": "tokenflex", "host": vendor.url, "extra": {"auth": "bearer", "token": "another-token-99"}}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(given))
    async with TokenFlexHook("other") as hook:
        with pytest.raises(AuthFailed) as caught:
            await hook.contracts()
    assert "another-token-99" not in str(caught.value)


def test_the_test_button_names_the_contracts_or_says_that_a_role_may_be_missing(vendor: UsageServer) -> None:
    assert TokenFlexHook().test_connection() == (True, "Signed in to Token Flex; this user sees 1 contract: 110 (Acme)")
    vendor.fault("echo", (200, {}, []))
    ok, text = TokenFlexHook().test_connection()
    assert ok
    assert "missing role" in text


def test_every_method_of_the_api_has_a_description() -> None:
    public = {
        name: one for name, one in vars(TokenFlexHook).items() if inspect.isfunction(one) and not name.startswith("_")
    }
    assert [name for name, one in public.items() if not one.__doc__] == []


# -- queries ----------------------------------------------------------------------------------------------------------


async def test_a_query_is_polled_and_paged_to_its_last_row(vendor: UsageServer) -> None:
    vendor.query_rows = [[f"user{number}", float(number)] for number in range(5)]
    async with TokenFlexHook() as hook:
        pages = [
            page
            async for page in hook.query(
                "110", UsageRequest(fields=("userName",), metrics=("tokensConsumed",)), limit=2, pause=0
            )
        ]
    assert [row for page in pages for row in page.rows] == [tuple(row) for row in vendor.query_rows]
    assert pages[0].columns == ("userName", "tokensConsumed")
    assert [one.query.get("offset") for one in vendor.seen] == [None, "0", "0", "0", "2", "4"]
    assert {one.raw_path.partition("?")[0] for one in vendor.seen[1:]} == {f"{ROOT}/usage/110/query/q%201"}


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "EXPIRED"])
async def test_a_query_that_ends_badly_is_an_error(vendor: UsageServer, state: str) -> None:
    vendor.query_states.clear()
    vendor.query_states.extend(["QUEUED", state])
    async with TokenFlexHook() as hook:
        with pytest.raises(JobFailed) as caught:
            await anext(hook.query("110", UsageRequest(metrics=("useCount",)), pause=0))
    assert caught.value.state == state


async def test_session_level_usage_is_not_queried(vendor: UsageServer) -> None:
    request = UsageRequest(fields=("sessionStartDate",), categories=("DESKTOP_PRODUCT",))
    async with TokenFlexHook() as hook:
        with pytest.raises(Rejected, match="session-level-export-only"):
            await hook.start_query("110", request)
    assert vendor.seen == []
