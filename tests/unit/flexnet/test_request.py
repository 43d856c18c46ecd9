from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nightshift.errors import Rejected
from nightshift.flexnet.configuration import FlexNetReport
from nightshift.flexnet.query import check_query
from nightshift.flexnet.request import ReportRequest


def test_parameters_are_the_vendors_names_and_nothing_that_was_not_given() -> None:
    request = ReportRequest(
        group="account",
        mode="interactive",
        page_size=500,
        date_from="2026-11-20",
        date_to="2026-11-21",
        query={"accountId": {"$eq": "test"}},
    )
    assert request.params(3) == {
        "mode": "interactive",
        "limitRecords": "500",
        "dateFrom": "2026-11-20",
        "dateTo": "2026-11-21",
        "query": '{"accountId":{"$eq":"test"}}',
        "pageNumber": "3",
    }
    assert ReportRequest(group="account").params(1) == {"limitRecords": "2500", "pageNumber": "1"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"group": "report-names"}, "vendor's own paths"),
        ({"group": "../x"}, "not a report name"),
        ({"group": ""}, "not a report name"),
        ({"mode": "fast"}, "batch, interactive"),
        ({"format": "xml"}, "csv, json"),
        ({"past_days": 0}, "from 1 to 30"),
        ({"past_days": 31}, "from 1 to 30"),
        ({"past_days": True}, "from 1 to 30"),
        ({"page_size": 2501}, "from 1 to 2500"),
        ({"page_size": 0}, "from 1 to 2500"),
        ({"date_from": "2026-11-20"}, "go together"),
        ({"date_from": "2026-11-20", "date_to": "20.11.2026"}, "yyyy-MM-dd"),
        ({"date_from": "2026-02-30", "date_to": "2026-03-01"}, "yyyy-MM-dd"),
        ({"date_from": "2026-11-20", "date_to": "2026-11-19"}, "before dateFrom"),
        ({"date_from": "2026-10-01", "date_to": "2026-11-01"}, "31 days"),
        ({"date_from": "2026-11-20", "date_to": "2026-11-21", "past_days": 2}, "ignored by the vendor"),
        ({"query": []}, "an object"),
        ({"query": {"a": "x"}}, "needs an operator"),
        ({"query": {"a": {"like": "x"}}}, "query.a.like is not an operator; they begin with $"),
        ({"query": {"a": {"$neq": "x"}}}, "query.a.$neq is not an operator; did you mean $ne?"),
        ({"query": {"$or": {"a": {"$EQ": "x"}}}}, "query.$or.a.$EQ is not an operator; did you mean $eq?"),
        ({"query": {"$or": [{"a": {"$eq": 1}}]}}, "not a list"),
        ({"query": {"$adn": {"a": {"$eq": 1}}}}, "did you mean $and?"),
        ({"query": {"$eq": "x"}}, "has no field"),
        ({"query": {"a": {"$or": {}}}}, "joins fields"),
        ({"query": {"a": {"$in": "x"}}}, "takes a list"),
        ({"query": {"a": {"$btw": [1]}}}, "two values"),
        ({"query": {"a": {"$sw": 1}}}, "takes a text"),
        ({"query": {"a": {"$eq": ["x"]}}}, "$in or $nin"),
    ],
)
def test_what_the_vendor_would_refuse_is_refused_here_by_name(given: dict[str, Any], told: str) -> None:
    with pytest.raises(Rejected) as caught:
        ReportRequest(**{"group": "account", **given})
    assert told in str(caught.value)
    assert "Nothing was sent" in str(caught.value)


def test_all_documented_operators_pass() -> None:
    query = {
        "a": {"$eq": 1},
        "b": {"$ne": None},
        "c": {"$sw": "x"},
        "d": {"$ew": "x"},
        "e": {"$con": "x"},
        "f": {"$in": [1]},
        "g": {"$nin": ["x"]},
        "h": {"$gt": 1, "$lt": 5},
        "i": {"$gte": 1},
        "j": {"$lte": 2.5},
        "k": {"$btw": ["2026-11-01 00:00:00.000", "2026-11-02 00:00:00.000"]},
        "$or": {"l": {"$eq": "x"}, "$and": {"m": {"$eq": "y"}}},
    }
    assert json.loads(ReportRequest(group="usage", query=query).params(1)["query"]) == query


@pytest.mark.parametrize("near", ["eq", "$eqq", "$Eq", "$ge", "$bwt", "$conn", "$notin", "$in ", "$nine"])
def test_a_slip_in_an_operator_is_a_mistake_of_the_configuration(near: str) -> None:
    with pytest.raises(ValidationError, match=r"query\n.*is not an operator; did you mean \$"):
        FlexNetReport.model_validate({"name": "usage", "query": {"a": {near: "x"}}})


@pytest.mark.parametrize("own", ["$exists", "$like", "$regex", "$ncon", "$new", "$eqi", "$coni", "$between", "$size"])
def test_an_operator_that_is_not_documented_is_the_vendors_to_judge(own: str) -> None:
    query = {"a": {own: ["x", 1]}, "$not": {"b": {"$eq": 1}}}
    FlexNetReport.model_validate({"name": "usage", "query": query})
    assert json.loads(ReportRequest(group="usage", query=query).params(1)["query"]) == query
    assert check_query(query) == [own, "$not"]


def test_thirty_days_are_the_longest_span() -> None:
    assert ReportRequest(group="usage", date_from="2026-10-01", date_to="2026-10-31").date_to == "2026-10-31"


def test_a_page_number_below_one_is_refused() -> None:
    with pytest.raises(Rejected, match="pageNumber"):
        ReportRequest(group="usage").params(0)
