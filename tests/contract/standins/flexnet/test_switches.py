"""Each switch visibly does what it says."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from include.standins import Clock
from include.standins.flexnet import PASSWORD, FlexNetStandIn, FlexNetSwitches
from include.standins.flexnet.pages import Links
from include.standins.flexnet.switches import LinkForm
from tests.contract.standins.client import Answer, Site, basic

SITES = Callable[..., Site]
DAY: dict[str, Any] = {"dateFrom": "2026-11-20", "dateTo": "2026-11-21"}


def days(site: Site, **parameters: Any) -> list[str]:
    rows = [row for page in site.walk("account", limitRecords=2500, **parameters) for row in page]
    return sorted({row["LastModified"][8:10] for row in rows})


# Windows.


@pytest.mark.parametrize(("date_to", "expected"), [("exclusive", ["20"]), ("inclusive", ["20", "21"])])
def test_date_to(site_with: SITES, date_to: str, expected: list[str]) -> None:
    assert days(site_with(date_to=date_to), **DAY) == expected


def test_one_day_from_and_to(site_with: SITES) -> None:
    same: dict[str, Any] = {"dateFrom": "2026-11-20", "dateTo": "2026-11-20"}
    assert days(site_with(), **same) == []
    assert days(site_with(date_to="inclusive"), **same) == ["20"]


def test_the_day_is_one_of_server_time(site_with: SITES) -> None:
    site = site_with(server_timezone="Pacific/Kiritimati", refresh_hours=1)
    assert days(site, pastDays=1) == ["22", "23"], "noon UTC of the 22nd is two o'clock of the 23rd there"
    west = site_with(server_timezone="America/Los_Angeles", refresh_hours=1)
    assert len(west.rows("account", dateFrom="2026-11-22", dateTo="2026-11-23")) == 300 * 4 // 24


# Pages and headers.


def header(site: Site, page: int = 1, **more: Any) -> dict[str, Any]:
    found = site.get("account", limitRecords=100, pageNumber=page, **{"mode": "interactive", **DAY, **more}).json[
        "header"
    ]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("last_link", "shown"), [("null", {"nextPageURL": None}), ("empty", {"nextPageURL": ""}), ("absent", {})]
)
def test_the_link_of_the_last_page(site_with: SITES, last_link: str, shown: dict[str, Any]) -> None:
    site = site_with(last_link=last_link)
    assert {k: v for k, v in header(site, 3).items() if k == "nextPageURL"} == shown
    assert ("previousPageURL" in header(site, 1)) == (last_link != "absent")
    assert header(site, 2)["nextPageURL"].endswith("pageNumber=3")


def test_the_form_of_links(site_with: SITES) -> None:
    path = "/data/api/v1/report/account?"
    starts = {}
    for form in ("absolute", "relative", "http", "other_host"):
        site = site_with(link_form=form)
        starts[form] = (header(site)["nextPageURL"].partition(path)[0], site.vendor)
    assert starts["absolute"][0] == starts["absolute"][1].url
    assert starts["relative"][0] == ""
    assert starts["http"][0] == starts["http"][1].url
    assert starts["other_host"][0] == starts["other_host"][1].origin("elsewhere") != starts["other_host"][1].url
    links = Links("https://acme.example:8443", "", "/x", [])
    assert links.to(2, FlexNetSwitches(link_form=LinkForm.HTTP)) == "http://acme.example:8443/x?pageNumber=2"


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ("kept", ["limitRecords", "mode", "dateFrom", "dateTo", "pageNumber"]),
        ("without_limit", ["mode", "dateFrom", "dateTo", "pageNumber"]),
        ("only_page", ["mode", "pageNumber"]),
    ],
)
def test_the_parameters_of_links(site_with: SITES, parameters: str, names: list[str]) -> None:
    link = header(site_with(link_parameters=parameters))["nextPageURL"]
    assert sorted(part.partition("=")[0] for part in link.partition("?")[2].split("&")) == sorted(names)


def test_the_header_in_batch_mode(site_with: SITES) -> None:
    found = {}
    for batch in ("links", "links_and_counts", "empty", "absent"):
        body = site_with(batch_header=batch).get("account", limitRecords=100, **DAY).json
        assert len(body["data"]) == 100
        found[batch] = sorted(body["header"]) if "header" in body else None
    counts = ["nextPageURL", "pageNumber", "previousPageURL", "recordCount", "totalPages"]
    assert found == {
        "links": ["nextPageURL", "previousPageURL"],
        "links_and_counts": counts,
        "empty": [],
        "absent": None,
    }


def test_the_names_of_counts(site_with: SITES) -> None:
    shown = header(site_with(record_count_key="total", page_count_key=""))
    assert set(shown) == {"previousPageURL", "nextPageURL", "pageNumber", "total"}
    assert shown["total"] == 300
    assert header(site_with(record_count_of="this_page"))["recordCount"] == 100


def test_where_the_rows_are(site_with: SITES) -> None:
    assert set(site_with(data_key="rows").get("account").json) == {"header", "rows"}
    assert isinstance(site_with(data_key="").get("account").json, list)
    assert list(site_with().get("account").json) == ["header", "data"]
    assert list(site_with(header_last=True).get("account").json) == ["data", "header"]


def test_a_cap_below_the_limit(site_with: SITES) -> None:
    site = site_with(page_cap=120)
    assert [len(page) for page in site.walk("account", limitRecords=2500, **DAY)] == [120, 120, 60]
    assert header(site_with(page_cap=50))["totalPages"] == 6


def test_a_page_after_the_last(site_with: SITES) -> None:
    def answer(beyond: str) -> Answer:
        return site_with(beyond_last=beyond).get("account", limitRecords=200, pageNumber=3, **DAY)

    assert answer("empty").json["data"] == []
    assert answer("not_found").status == 404
    assert answer("rejected").status == 400
    assert len(answer("last_again").json["data"]) == 100


def test_the_order_of_rows(site_with: SITES) -> None:
    oldest = site_with().rows("account", limitRecords=2500, **DAY)
    assert site_with(order="newest_first").rows("account", limitRecords=2500, **DAY) == oldest[::-1]
    assert [
        row for page in site_with(order="newest_first").walk("account", limitRecords=70, **DAY) for row in page
    ] == oldest[::-1]


def test_an_order_that_changes_from_answer_to_answer(site_with: SITES) -> None:
    oldest = site_with().rows("account", limitRecords=2500, **DAY)
    site = site_with(ties=2)
    pages = [site.rows("account", limitRecords=50, pageNumber=1, **DAY) for _ in range(3)]
    assert pages[0] == pages[2] != pages[1] == oldest[:50]
    assert [sorted(map(str, page)) for page in pages] == [sorted(map(str, oldest[:50]))] * 3
    first, second = ([row["AccountID"] for row in page] for page in site.walk("account", limitRecords=51, **DAY)[:2])
    assert (first[-1] == second[0], len({*first, *second})) == (True, 101), "one row twice, another one not at all"


# Spelling.


# Metadata and errors.


def test_the_shapes_of_metadata(site_with: SITES) -> None:
    def data(shape: str, what: str) -> Any:
        return site_with(metadata=shape).get(what).json["data"]

    key = {"name": "AccountID", "type": "string"}
    assert data("nested", "report-types")["account"]["AccountID"] == {"type": "string", "filters": ["accountID"]}
    assert data("sections", "report-types")["account"]["fields"]["AccountID"] == "string"
    assert data("pairs", "report-types")["account"][0] == key
    assert data("list", "report-types")[0]["fields"][0] == key
    assert data("list", "report-types/account")[0] == key
    assert data("sections", "report-types/account")["AccountID"] == "string"
    assert data("pairs", "report-types/account")["account"][0] == key
    assert data("list", "report-names")[0] == "account"
    assert data("pairs", "report-names")["names"][0] == "account"
    assert data("list", "report-filters/account")[0] == {"name": "accountID", "type": "string"}
    assert data("list", "global-filters")[3]["name"] == "limitRecords"
    assert data("nested", "global-filters")["limitRecords"]["maximum"] == 2500


@pytest.mark.parametrize(
    ("shape", "content_type", "start"),
    [
        ("json", "application/json", b'{"status":404'),
        ("text", "text/plain; charset=utf-8", b"Report"),
        ("html", "text/html; charset=utf-8", b"<!DOCTYPE"),
        ("empty", None, b""),
    ],
)
def test_the_shapes_of_errors(site_with: SITES, shape: str, content_type: str | None, start: bytes) -> None:
    answer = site_with(error_body=shape).get("nope")
    assert (answer.status, answer.headers["Content-Type"]) == (404, content_type)
    assert answer.body.startswith(start)
    assert bool(answer.body) == bool(start)


# CSV, 3.5.


def page(site: Site, number: int = 1, group: str = "account", **parameters: Any) -> Answer:
    return site.get(group, format="csv", limitRecords=200, pageNumber=number, **{**DAY, **parameters})


def table(body: bytes, charset: str = "utf-8", **options: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(charset), newline=""), **options))


def test_csv_has_the_rows_of_json(site: Site) -> None:
    answer = page(site)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    head, *lines = table(answer.body)
    rows = site.rows("account", limitRecords=200, **DAY)
    assert head == list(rows[0])
    shown = [
        [
            "" if v is None else json.dumps(v, separators=(",", ":")) if isinstance(v, list) else str(v)
            for v in row.values()
        ]
        for row in rows
    ]
    assert lines == shown
    assert b"\r\n" in answer.body


def test_csv_header_on_each_page_or_the_first(site_with: SITES) -> None:
    every, first = site_with(), site_with(csv_header="first_page")
    assert [table(page(every, n).body)[0][0] for n in (1, 2)] == ["AccountID", "AccountID"]
    assert table(page(first, 2).body)[0][0].startswith("ACC-")
    assert len(table(page(first, 2).body)) == 100


def test_csv_bytes(site_with: SITES) -> None:
    assert page(site_with(csv_bom=True)).body.startswith(b"\xef\xbb\xbfAccountID,")
    assert b"\r" not in page(site_with(csv_line_end="\n", groups=["account"])).body
    assert page(site_with(csv_quoting="all")).body.startswith(b'"AccountID","AccountName"')
    wide = page(site_with(csv_charset="utf-16"))
    assert wide.headers["Content-Type"] == "text/csv; charset=utf-16"
    assert table(wide.body, "utf-16")[0][0] == "AccountID"
    assert table(page(site_with(csv_delimiter=";")).body, delimiter=";")[0][1] == "AccountName"


def test_csv_without_rows(site_with: SITES) -> None:
    assert table(page(site_with(), 9).body)[0][0] == "AccountID"
    empty = page(site_with(csv_empty="nothing"), 9)
    assert (empty.status, empty.body) == (200, b"")


# Drift.


def test_schema_drift_from_a_day_on(site_with: SITES) -> None:
    changes = [
        {"group": "account", "change": "added", "field": "Segment", "type": "integer", "since": "2026-11-21"},
        {"group": "account", "change": "lost", "field": "City", "since": "2026-11-21"},
        {"group": "account", "change": "retyped", "field": "PostalCode", "type": "integer", "since": "2026-11-21"},
    ]
    site = site_with()
    site.vendor.turn(drift=changes)
    before, after = (site.rows("account", dateFrom=f"2026-11-{d}", dateTo=f"2026-11-{d + 1}")[0] for d in (20, 21))
    assert ("Segment" in before, "City" in before, type(before["PostalCode"])) == (False, True, str)
    assert (type(after["Segment"]), "City" in after, type(after["PostalCode"])) == (int, False, int)
    assert site.get("report-types/account").json["data"]["account"]["Segment"]["type"] == "integer"
    site.vendor.clock.fix(datetime(2026, 11, 20, 1, tzinfo=UTC))
    assert "Segment" not in site.get("report-types/account").json["data"]["account"]


# How it is served.


def test_gzip_for_clients_that_take_it(site_with: SITES) -> None:
    site = site_with(compress=True)
    plain = site.get("account", **DAY)
    packed = site.get(
        "account", headers={"Authorization": basic("nightshift", PASSWORD), "Accept-Encoding": "gzip"}, **DAY
    )
    assert (plain.headers["Content-Encoding"], packed.headers["Content-Encoding"]) == (None, "gzip")
    assert gzip.decompress(packed.body) == plain.body


def test_links_of_a_site_that_knows_itself_by_another_name() -> None:
    with FlexNetStandIn(clock=Clock(datetime(2026, 11, 22, tzinfo=UTC)), public_url="https://acme.example") as vendor:
        assert header(Site(vendor))["nextPageURL"].startswith("https://acme.example/data/api/v1/report/account?")
