"""Exports at the Token Flex stand-in: documented payloads, rules, life, queue, rate and faults."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from include.standins import Clock, Fault
from include.standins.tokenflex import BEARER, RateLimit, TokenFlexStandIn, TokenFlexSwitches, vendor_fault
from tests.contract.standins.client import ask
from tests.contract.standins.tokenflex.client import CONTRACT, DAILY, Caller, example

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
START = "2026-11-22"


@pytest.fixture
def caller_with() -> Iterator[Callable[..., Caller]]:
    """Start stand-ins whose clock stands at noon of 2026-11-22 and that have no rate limit unless asked for."""
    started: list[TokenFlexStandIn] = []

    def start(**switches: Any) -> Caller:
        turned = TokenFlexSwitches(**{"rate_limit": RateLimit.OFF, **switches})
        started.append(TokenFlexStandIn(clock=Clock(NOON), switches=turned).__enter__())
        return Caller(started[-1])

    yield start
    for vendor in started:
        vendor.__exit__(None, None, None)


@pytest.fixture
def caller(caller_with: Callable[..., Caller]) -> Caller:
    return caller_with()


class TestDocumentedPayloads:
    def test_the_documented_answer_has_these_keys_in_this_order(self, caller: Caller) -> None:
        answer = caller.export(example("export_create_request_desktop_usage_month"))
        documented = example("export_create_response_200")
        assert answer.status == 200
        assert list(answer.json) == list(documented)
        assert answer.json["downloadFileName"] == documented["downloadFileName"]
        assert answer.json["requestStatus"] == documented["requestStatus"]
        stamp, _, uuid = answer.json["requestKey"].partition("#")
        assert (stamp, len(uuid)) == ("2026-11-22T12:00:00", 36)

    def test_the_documented_session_level_export_is_taken_and_has_a_row_a_session(self, caller: Caller) -> None:
        body = example("export_create_request_desktop_session_level")
        _, url = caller.ready(body)
        header, *rows = ask(url).body.decode().splitlines()
        assert header.split(",") == body["fields"] + body["metrics"]
        assert len(rows) == len({row.split(",")[12] for row in rows}) > 100
        assert all(row.startswith("2018-01-01,2018-01-") for row in rows)


class TestRules:
    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"fields": [], "metrics": []}, "at least one"),
            ({"fields": "usageDate"}, "array of strings"),
            ({"fields": ["usageDate", "usageDate"]}, "twice"),
            ({"where": 1}, "'where'"),
            ({"downloadFileName": ["x"]}, "downloadFileName"),
            ({"usageCategory": ["PRODUCT_CONSUMPTION"]}, "usageCategory"),
            ({"fields": ["chargedItemID"], "usageCategory": None}, "'usageCategory'"),
            (
                {
                    "fields": ["chargedItemID", "usageCategory"],
                    "usageCategory": [],
                    "where": "usageCategory = 'DESKTOP_PRODUCT'",
                },
                "'usageCategory'",
            ),
            ({"fields": ["chargedItemID"], "usageCategory": ["DESKTOP_PRODUCT", "CLOUD_PRODUCT"]}, "mixed"),
            ({"fields": ["chargedItemID", "hubId"]}, "hubId"),
            ({"fields": ["chargedItemID"], "metrics": ["uniqueUsers"]}, "uniqueUsers"),
            ({"where": "not userName = 'x'"}, "'not'"),
            ({"where": "userName not like 'admin%'"}, "'not'"),
            ({"where": "userName LIKE 'b%'"}, "3 other"),
            ({"where": "usageCategory LIKE 'DESKTOP%'"}, "wildcard"),
            ({"where": 'userName = "admin"'}, "cannot read"),
            ({"where": "usageDate >= 2018-01-01"}, "cannot read"),
            ({"where": "usageDate >= '2018-01-01' and"}, "too early"),
            ({"where": "= 'x'"}, "field is expected"),
        ],
    )
    def test_a_broken_rule_is_a_400_that_names_it(self, caller: Caller, changes: dict[str, Any], says: str) -> None:
        answer = caller.export({**DAILY, **changes})
        assert answer.status == 400
        assert answer.json["Code"] == "BadRequestError"
        assert answer.json["Message"].startswith("BadRequestError: ")
        assert says in answer.json["Message"]
        assert caller.vendor.ledger.effects(kind="export_created") == []

    @pytest.mark.parametrize(
        "where",
        [
            "contractYear >= 2 and userName LIKE 'admin%'",
            "productName IN ('Revit', 'AutoCAD') AND usageType != 'Borrowed'",
            "usageMonth = '2026-11-01'",
            "Geo = 'EMEA'",
            "customField1 = 'EMEA'",
            "1=1",
            "(productName = 'Revit' or productName = 'AutoCAD') and usageDate between '2026-11-01' and '2026-11-03'",
        ],
    )
    def test_what_pages_and_samples_send_is_taken(self, caller: Caller, where: str) -> None:
        assert caller.export({**DAILY, "where": where}).status == 200

    @pytest.mark.parametrize(
        "changes",
        [
            {"where": "productName = 'O''Neil'"},
            {"where": "1=1"},
            {"fields": ["usageDate", "serverRegion"]},
            {"metrics": ["tokensBurnt"]},
            {"where": "serverRegion = 'x'"},
            {"priority": 1},
        ],
    )
    def test_what_no_page_describes_is_taken(self, caller: Caller, changes: dict[str, Any]) -> None:
        assert caller.export({**DAILY, **changes}).status == 200

    def test_a_name_that_ends_in_csv_gets_another_end(self, caller: Caller) -> None:
        assert caller.export({**DAILY, "downloadFileName": "a.csv"}).json["downloadFileName"] == "a.csv.csv"

    def test_no_name_gets_the_default_one(self, caller: Caller) -> None:
        body = {name: value for name, value in DAILY.items() if name != "downloadFileName"}
        assert caller.export(body).json["downloadFileName"] == "API_Custom_Export.csv"

    def test_the_body_has_to_be_said_to_be_json(self, caller: Caller) -> None:
        url = f"{caller.vendor.url}/tokenflex/v1/export/{CONTRACT}/requests"
        answer = ask(url, method="POST", headers={"Authorization": f"Bearer {BEARER}"}, body=b"{}")
        assert answer.status == 400
        assert caller.export(b"{").status == 400

    def test_contracts_that_are_not_there(self, caller: Caller) -> None:
        assert caller.export(contract="1").json["Code"] == "ForbiddenError"
        caller.vendor.turn(unknown_contract_status=400)
        assert caller.export(contract="1").status == 400


class TestLife:
    def test_requested_then_download_with_a_url(self, caller: Caller) -> None:
        key = caller.exported()
        assert set(caller.look(key).json) == {"requestKey", "requestStatus", "downloadFileName", "exportRequestDate"}
        caller.vendor.clock.advance(1.9)
        assert caller.look(key).json["requestStatus"] == "Requested"
        caller.vendor.clock.advance(0.1)
        ready = caller.look(key).json
        assert ready["requestStatus"] == "Download"
        assert ready["downloadUrl"].startswith(caller.vendor.download_host())
        assert ready["readFlag"] == "N"
        assert caller.look(key).json["downloadUrl"] == ready["downloadUrl"]

    def test_error_is_retried_and_only_error(self, caller: Caller) -> None:
        caller.vendor.faults.add(vendor_fault("export_error", detail={"runs": 2}))
        key = caller.exported()
        assert caller.look(key, "/retry", "POST").json["requestStatus"] == "Requested"
        assert caller.vendor.ledger.effects(kind="export_retried") == []
        for again in (True, True, False):
            caller.vendor.clock.advance(2)
            shown = caller.look(key).json
            assert (shown["requestStatus"] == "Error") is again
            assert ("downloadUrl" in shown) is not again
            assert caller.look(key, "/retry", "POST").json["requestStatus"] == ("Requested" if again else "Download")
        assert len(caller.vendor.ledger.effects(kind="export_retried")) == 2

    def test_a_raw_key_ends_at_the_fragment_and_a_key_encoded_twice_is_unknown(self, caller: Caller) -> None:
        key = caller.exported()
        assert caller.look(key.partition("#")[0]).status == 400
        assert caller.look(key.replace(":", "%3A").replace("#", "%23")).status == 400
        caller.vendor.turn(unknown_key_status=404)
        assert caller.look("nothing").status == 404

    def test_delete_removes_request_and_file(self, caller: Caller) -> None:
        key, url = caller.ready()
        deleted = caller.look(key, method="DELETE")
        assert (deleted.status, deleted.body) == (204, b"")
        assert caller.look(key).status == 400
        assert ask(url).status == 404
        assert caller.listed().json == []
        assert caller.look(key, method="DELETE").status == 400
        assert [effect.key for effect in caller.vendor.ledger.effects(kind="export_deleted")] == [key]

    def test_the_list_needs_a_window_and_keeps_to_it(self, caller: Caller) -> None:
        keys = [caller.exported(downloadFileName=f"n{index}") for index in range(2)]
        caller.vendor.clock.advance(3600)
        keys.append(caller.exported(downloadFileName="later"))
        assert caller.call("GET", f"/export/{CONTRACT}/requests", fromDate=START).status == 400
        assert caller.call("GET", f"/export/{CONTRACT}/requests", fromDate=START, toDate="tomorrow").status == 400
        assert [one["requestKey"] for one in caller.listed().json] == keys[::-1]
        assert [one["requestKey"] for one in caller.listed("2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z").json] == [
            keys[1],
            keys[0],
        ]
        assert caller.listed("2026-11-22T12:00:00.000001Z", "2026-11-22T13:00:00").json == []

    @pytest.mark.parametrize(
        ("style", "fits"),
        [
            ("irregular", r"\.\d{3,6}Z$"),
            ("regular", r"\.\d{6}Z$"),
            ("no_zone", r"\.\d{6}$"),
            ("offset", r"\.\d{3}\+00:00$"),
            ("seconds", r":00Z$"),
        ],
    )
    def test_time_stamps(self, caller_with: Callable[..., Caller], style: str, fits: str) -> None:
        assert re.search(fits, caller_with(stamps=style).export().json["exportRequestDate"])

    def test_irregular_stamps_really_differ(self, caller: Caller) -> None:
        shown = []
        for _ in range(6):
            caller.vendor.clock.advance(1.000013)
            shown.append(caller.export().json["exportRequestDate"])
        assert len({len(text) for text in shown}) > 1

    def test_a_skewed_clock_shows_in_every_stamp(self, caller_with: Callable[..., Caller]) -> None:
        made = caller_with(clock_skew=-600).export().json
        assert made["requestKey"].startswith("2026-11-22T11:50:00#")
        assert made["exportRequestDate"].startswith("2026-11-22T11:50:00")


class TestQueueAndRate:
    def test_the_fifty_first_pending_export_is_refused(self, caller: Caller) -> None:
        keys = [caller.exported(downloadFileName=f"n{index}") for index in range(50)]
        refused = caller.export()
        assert refused.status == 429
        assert refused.headers["Retry-After"] is None
        assert refused.json["Code"] == "TooManyRequestsError"
        assert len(caller.vendor.ledger.effects(kind="export_created")) == 50
        caller.look(keys[0], method="DELETE")
        assert caller.export().status == 200
        caller.vendor.clock.advance(2)
        assert caller.export().status == 200

    @pytest.mark.parametrize(("scope", "status"), [("both", 200), ("user", 429), ("contract", 200)])
    def test_the_queue_of_another_contract(self, caller_with: Callable[..., Caller], scope: str, status: int) -> None:
        caller = caller_with(queue_limit=1, queue_scope=scope, queue_retry_after=30)
        caller.exported()
        assert caller.export().headers["Retry-After"] == "30"
        assert caller.export(contract="110000411502").status == status

    def test_the_documented_rate_is_a_burst_and_then_five_a_minute(self, caller_with: Callable[..., Caller]) -> None:
        caller = caller_with(rate_limit="documented")
        assert [caller.listed().status for _ in range(51)] == [200] * 50 + [429]
        refused = caller.listed()
        assert refused.headers["Retry-After"] == "12"
        assert refused.json["developerMessage"] == "Quota limit exceeded."
        caller.vendor.clock.advance(12)
        assert [caller.listed().status for _ in range(2)] == [200, 429]
        caller.vendor.clock.advance(60)
        assert [caller.listed().status for _ in range(6)] == [200] * 5 + [429]

    def test_the_plain_rate_counts_any_sixty_seconds_and_each_user_by_himself(
        self, caller_with: Callable[..., Caller]
    ) -> None:
        caller = caller_with(rate_limit="plain")
        assert [caller.listed().status for _ in range(6)] == [200] * 5 + [429]
        assert 0 < int(caller.listed().headers["Retry-After"]) <= 60
        caller.vendor.turn(signed_in="lead@standin.example")
        assert caller.listed().status == 200
        caller.vendor.turn(signed_in="admin@standin.example")
        caller.vendor.clock.advance(60)
        assert caller.listed().status == 200


class TestFaults:
    def test_a_lost_answer_leaves_an_export_and_a_lost_post_none(self, caller: Caller) -> None:
        for kind, made in (("accept_then_drop", 1), ("drop_before", 0), ("reset", 0)):
            caller.vendor.ledger.clear()
            caller.vendor.faults.add(Fault(kind=kind, method="POST", path="/requests$"))
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                caller.export()
            assert len(caller.vendor.ledger.effects(kind="export_created")) == made
        assert len(caller.listed().json) == 1

    def test_500_after_the_export_was_made(self, caller: Caller) -> None:
        caller.vendor.faults.add(vendor_fault("error_after", method="POST"))
        assert caller.export().status == 500
        assert [one["downloadFileName"] for one in caller.listed().json] == ["nightly 2026-11-20.csv"]

    def test_a_new_export_shows_late_in_the_list(self, caller: Caller) -> None:
        caller.vendor.faults.add(vendor_fault("list_late", seconds=10))
        key = caller.exported()
        assert caller.listed().json == []
        assert caller.look(key).status == 200
        caller.vendor.clock.advance(10)
        assert len(caller.listed().json) == 1

    def test_the_list_is_late_for_all_by_switch(self, caller_with: Callable[..., Caller]) -> None:
        caller = caller_with(list_late_seconds=5)
        caller.exported()
        assert caller.listed().json == []
        caller.vendor.clock.advance(5)
        assert len(caller.listed().json) == 1

    def test_slow_and_unknown_states(self, caller: Caller) -> None:
        caller.vendor.faults.add(
            vendor_fault("export_takes", seconds=100), vendor_fault("export_status", detail={"status": "Archived"})
        )
        key = caller.exported()
        caller.vendor.clock.advance(99)
        assert [caller.look(key).json["requestStatus"] for _ in range(2)] == ["Archived", "Requested"]
        caller.vendor.clock.advance(1)
        assert caller.look(key).json["requestStatus"] == "Download"
        caller.vendor.faults.add(vendor_fault("export_word"))
        odd = caller.exported()
        caller.vendor.clock.advance(50)
        assert caller.look(odd).json["requestStatus"] == "Processing"
        assert "downloadUrl" not in caller.look(odd).json

    def test_both_kinds_of_429_on_order(self, caller: Caller) -> None:
        caller.vendor.faults.add(vendor_fault("queue_full"), vendor_fault("rate_limited", retry_after="7", after=1))
        assert caller.export().json["Code"] == "TooManyRequestsError"
        limited = caller.export()
        assert (limited.status, limited.headers["Retry-After"]) == (429, "7")
        assert limited.json["errorCode"] == "ERR-001"
        assert caller.export().status == 200
        assert len(caller.vendor.ledger.effects(kind="export_created")) == 1

    def test_a_storm_of_401(self, caller: Caller) -> None:
        caller.vendor.faults.add(Fault(kind="status", status=401, path="^/tokenflex/", times=3))
        assert [caller.listed().status for _ in range(4)] == [401, 401, 401, 200]

    def test_the_ledger_tells_who_made_what_when(self, caller: Caller) -> None:
        key = caller.exported()
        (made,) = caller.vendor.ledger.effects(kind="export_created")
        assert made.key == key
        assert made.detail == {
            "contract": CONTRACT,
            "payload": DAILY,
            "downloadFileName": "nightly 2026-11-20.csv",
            "user": "admin@standin.example",
            "made": NOON.isoformat(),
        }
        assert BEARER not in repr(caller.vendor.ledger.requests())
