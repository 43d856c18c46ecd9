from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.errors import Rejected
from nightshift.tokenflex.columns import column_type
from nightshift.tokenflex.request import UsageRequest
from nightshift.tokenflex.responses import Export, ExportState, moment, state_of
from nightshift.tokenflex.vocabulary import DESKTOP_SESSION_FIELDS, Rule
from nightshift.tokenflex.where import Condition, all_of, check_where, days, literal

PAYLOADS = Path(__file__).parent / "payloads"
SESSION = {"fields": ("usageDate", "sessionStartDate"), "metrics": ("tokensConsumed",)}


def read(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


@pytest.mark.parametrize(
    "name", ["export_create_request_desktop_session_level", "export_create_request_desktop_usage_month"]
)
def test_the_documented_requests_are_accepted_and_sent_as_they_are(name: str) -> None:
    body = read(name)
    request = UsageRequest(
        fields=tuple(body["fields"]),
        metrics=tuple(body["metrics"]),
        categories=tuple(body["usageCategory"]),
        where=body["where"],
        file_name=body["downloadFileName"],
    )
    assert request.body() == body


def test_the_documented_answer_is_read() -> None:
    import msgspec

    export = msgspec.convert(read("export_create_response_200"), Export)
    assert (export.state, export.stem, export.download_url) == (ExportState.REQUESTED, "DesktopUsage Oct 2017", None)
    assert export.asked_at() == pytest.approx(1540783531.408219)


def test_the_desktop_list_is_the_27_documented_fields() -> None:
    assert set(read("export_create_request_desktop_session_level")["fields"]) == DESKTOP_SESSION_FIELDS
    assert len(DESKTOP_SESSION_FIELDS) == 27


@pytest.mark.parametrize(
    ("asked", "rule", "named"),
    [
        ({}, Rule.SOMETHING_ASKED, "fields"),
        ({"fields": ("userName", "userName")}, Rule.NO_REPEATS, "userName"),
        ({"fields": ("userNme",)}, Rule.KNOWN_FIELD, "userNme is not known; did you mean userName?"),
        ({"fields": ("Geo",), "categories": ("DESKTOP_PRODUCT",)}, Rule.KNOWN_FIELD, "Geo"),
        ({"fields": ("useCount",)}, Rule.KNOWN_FIELD, "useCount is a metric"),
        ({"metrics": ("userName",)}, Rule.KNOWN_METRIC, "userName is a field"),
        (
            {"metrics": ("quantity",), "categories": ("DESKTOP_PRODUCT",)},
            Rule.KNOWN_METRIC,
            "quantity does not exist in DESKTOP_PRODUCT",
        ),
        ({"fields": ("userName",), "categories": ("DESKTOP",)}, Rule.KNOWN_CATEGORY, "did you mean DESKTOP_PRODUCT?"),
        (
            {"fields": ("userName",), "categories": ("PRODUCT_CONSUMPTION",)},
            Rule.KNOWN_CATEGORY,
            "DESKTOP_PRODUCT is what a request calls it",
        ),
        (SESSION, Rule.SESSION_CATEGORY, "sessionStartDate"),
        ({**SESSION, "where": "usageCategory = 'DESKTOP_PRODUCT'"}, Rule.SESSION_CATEGORY, "no substitute"),
        ({**SESSION, "fields": ("usageCategory", "chargedItemID")}, Rule.SESSION_CATEGORY, "chargedItemID"),
        ({**SESSION, "categories": ("DESKTOP_PRODUCT", "CLOUD_PRODUCT")}, Rule.SESSION_SINGLE, "sessionStartDate"),
        ({**SESSION, "metrics": ("useCount",), "categories": ("DESKTOP_PRODUCT",)}, Rule.SESSION_DESKTOP, "useCount"),
        (
            {**SESSION, "fields": ("chargedItemID", "hubId"), "categories": ("DESKTOP_PRODUCT",)},
            Rule.SESSION_DESKTOP,
            "hubId",
        ),
        ({"metrics": ("useCount",), "file_name": "usage.csv"}, Rule.FILE_NAME, "leave the extension out"),
        ({"metrics": ("useCount",), "file_name": "a/b"}, Rule.FILE_NAME, "'a/b'"),
        ({"metrics": ("useCount",), "where": "userName = 'o'brien'"}, Rule.WHERE_QUOTES, "quote"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused_by_rule_and_field_unless_the_rule_is_off(
    asked: dict[str, Any], rule: Rule, named: str
) -> None:
    with pytest.raises(Rejected) as caught:
        UsageRequest(**asked)
    assert f"[rule {rule}]" in str(caught.value)
    assert named in str(caught.value)
    UsageRequest(**asked, skip_rules=frozenset({rule, Rule.KNOWN_FIELD, Rule.KNOWN_METRIC}))


@pytest.mark.parametrize(
    "asked",
    [
        {"fields": ("userName", "usageDate"), "metrics": ("uniqueProducts",), "categories": ("DESKTOP_PRODUCT",)},
        {"fields": ("Geo",)},
        {"fields": ("Geo",), "categories": ("DESKTOP_PRODUCT",), "other_names": frozenset({"Geo"})},
        {"fields": ("hubId",), "metrics": ("useCount",), "categories": ("CLOUD_PRODUCT",)},
        {
            "fields": ("reasonType",),
            "metrics": ("quantity",),
            "categories": ("MANUAL_ADJUSTMENT", "MANUAL_CONSUMPTION"),
        },
        {"metrics": ("useCount",), "file_name": "DesktopUsage Oct 2017"},
        {"metrics": ("useCount",), "file_name": "usage 2026.11"},
    ],
)
def test_what_the_vendor_may_accept_is_accepted(asked: dict[str, Any]) -> None:
    assert UsageRequest(**asked).body()


# -- where ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "rule", "field"),
    [
        ("not userName = 'ann'", Rule.WHERE_NOT, "where"),
        ("userName NOT LIKE 'admin%'", Rule.WHERE_NOT, "userName"),
        ("userName LIKE 'b%'", Rule.WHERE_PATTERN, "userName"),
        ("usageDate >= '2026-01-01' and userName like '%ab%'", Rule.WHERE_PATTERN, "userName"),
        ("usageCategory LIKE 'DESK%'", Rule.WHERE_ENUM, "usageCategory"),
        ("chargeCategory = 'CHAR%'", Rule.WHERE_ENUM, "chargeCategory"),
        ("userName = 'ann", Rule.WHERE_QUOTES, "userName"),
        ('userName = "ann"', Rule.WHERE_QUOTES, "userName"),
        ("(userName = 'ann'", Rule.WHERE_QUOTES, "where"),
    ],
)
def test_a_where_that_breaks_a_rule_is_refused(where: str, rule: Rule, field: str) -> None:
    with pytest.raises(Rejected, match=rf"{field} .*\[rule {rule}\]"):
        check_where(where)
    check_where(where, frozenset({rule}))


@pytest.mark.parametrize(
    "where",
    [
        "contractYear >= 2 and userName LIKE 'admin%'",
        "usageMonth = '2017-10-01'",
        "usageDate >= '2018-01-01' and usageDate < '2018-02-01'",
        "productName IN ('AutoCAD', 'not a product') or userName LIKE 'bob%'",
        "productName = '(not) 100%' AND (contractYear != 1)",
        "",
    ],
)
def test_a_where_within_the_rules_passes(where: str) -> None:
    check_where(where)


def test_conditions_are_built_half_open_and_joined() -> None:
    built = all_of(
        "contractYear = 1 or contractYear = 2",
        Condition("userName", "like", "bob%"),
        *days("usageDate", "2026-02-28", date(2026, 2, 28)),
    )
    assert (
        built == "(contractYear = 1 or contractYear = 2) and userName LIKE 'bob%' and "
        "usageDate >= '2026-02-28' and usageDate < '2026-03-01'"
    )
    assert Condition("productLineCode", "in", ["ACD", "RVT"]).text() == "productLineCode IN ('ACD', 'RVT')"
    assert all_of(None, "") is None


@pytest.mark.parametrize("value", ["o'brien", "x' or '1'='1", "a\\", 'a"b', "a\nb", None, True, {"a": 1}])
def test_a_value_that_could_end_its_quotes_is_refused(value: Any) -> None:
    with pytest.raises(Rejected):
        Condition("userName", "=", value)


@given(st.text())
def test_a_value_is_either_refused_or_stands_whole_between_its_quotes(value: str) -> None:
    try:
        text = literal("userName", value)
    except Rejected:
        return
    assert text[0] == text[-1] == "'"
    assert text[1:-1] == value
    assert "'" not in value


@pytest.mark.parametrize("operator", ["BETWEEN", "<>", "IS", ">"])
def test_operators_that_are_not_documented_are_not_built(operator: str) -> None:
    with pytest.raises(Rejected, match="where-operator"):
        Condition("userName", operator, "ann")


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2018-10-29T03:25:31.408219Z",
        "2018-10-29T03:25:31.40821Z",
        "2018-10-29T03:25:31.408Z",
        "2018-10-29T03:25:31.408",
        "2018-10-29 03:25:31.408+00:00",
    ],
)
def test_irregular_time_stamps_are_read_as_utc(text: str) -> None:
    assert moment(text) == pytest.approx(1540783531.408, abs=0.001)


def test_what_is_no_time_stamp_is_none() -> None:
    assert [moment(text) for text in ("soon", "", None)] == [None, None, None]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Download", ExportState.READY),
        ("download", ExportState.READY),
        ("Error", ExportState.ERROR),
        ("Completed", ExportState.UNKNOWN),
    ],
)
def test_only_documented_states_are_read(word: str, state: ExportState) -> None:
    assert state_of(word, ExportState) is state


def test_a_signed_link_is_in_no_repr() -> None:
    export = Export(request_key="k", request_status="Download", download_url="https://h/f?X-Amz-Signature=abc")
    assert "Signature" not in f"{export!r} {export} {[export]}"


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("usageDate", "date"),
        ("Usage Date", "date"),
        ("TOKENS_CONSUMED", "float64"),
        ("contractYear", "int64"),
        ("sessionStartDate", "string"),
        ("userName", "string"),
        ("Geo", "string"),
    ],
)
def test_columns_are_typed_by_name_in_any_spelling(column: str, kind: str) -> None:
    assert column_type(column) == kind
