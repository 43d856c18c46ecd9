from __future__ import annotations

from typing import Any

import pytest

from nightshift.lake.bands import in_band
from nightshift.lake.checks import (
    Counts,
    KeyFindings,
    failed,
    judge,
    other_nights,
    rows_published,
    rows_read,
    unique_key,
    vendor_totals,
)
from nightshift.lake.extract import CLAIMED_ROWS, ON_TWO_PAGES, Manifest, PageEntry, VendorTotals
from nightshift.lake.spec import Band, Checks, PublishSpec

ENTRY = PageEntry(number=1, name="page-00001.json.zst", rows=10, bytes=1, sha256="0" * 64)


def manifest(**more: Any) -> Manifest:
    words = {
        "source": "s",
        "report": "r",
        "night": "2026-11-21",
        "extract": "x",
        "connection": "c",
        "attempt": 1,
        "started": "",
        "finished": "",
        "format": "json",
    }
    return Manifest.of([ENTRY], **{**words, **more})


@pytest.mark.parametrize(
    ("rows", "pages", "ok"), [(None, None, True), (10, None, True), (10, 1, True), (11, 1, False), (None, 2, False)]
)
def test_the_vendors_totals(rows: int | None, pages: int | None, ok: bool) -> None:
    assert vendor_totals(manifest(vendor_totals=VendorTotals(rows=rows, pages=pages))).ok is ok


OWN = {ON_TWO_PAGES: 1}


@pytest.mark.parametrize(
    ("told", "identical", "on_two_pages", "notes", "ok", "says"),
    [
        # Four rows came, of which one twice on one page: the report's own, and the vendor counts it.
        (10, 1, 0, {}, True, "10 rows, 10 are landed in 1 pages, 1 of them identical to one before, 0 on another page"),
        (9, 1, 0, {}, True, "9 rows, 10 are landed"),
        # One came on two pages: the vendor's total is what is published, or a row is missing.
        (9, 1, 1, {}, True, "9 rows, 10 are landed in 1 pages, 1 of them identical to one before, 1 on another page"),
        (10, 1, 1, {}, False, "1 others are probably missing: the report moved"),
        (10, 1, 1, OWN, True, "10 rows, 10 are landed"),
        (10, 2, 2, OWN, False, "2 others are probably missing"),
        # Both kinds at once.
        (9, 2, 1, {}, True, "9 rows"),
        (8, 2, 1, {}, True, "8 rows"),
        (10, 2, 1, {}, False, "probably missing"),
        (11, 0, 0, {}, False, "11 rows, 10 are landed in 1 pages, none twice: rows are missing"),
        (11, 2, 1, OWN, False, "rows are missing"),
        (7, 2, 1, {}, False, "the count is wrong"),
        (None, 1, 1, {CLAIMED_ROWS: 4}, True, "the vendor speaks of 4 rows, fewer than came"),
        (None, 1, 1, {}, True, "the vendor gives none"),
    ],
)
def test_the_vendors_rows_are_those_that_are_published_and_the_reports_own_duplicates(
    told: int | None, identical: int, on_two_pages: int, notes: dict[str, int], ok: bool, says: str
) -> None:
    found = KeyFindings(identical=identical, on_two_pages=on_two_pages)
    result = vendor_totals(manifest(vendor_totals=VendorTotals(rows=told), notes=notes), found)
    assert result.ok is ok
    assert says in result.detail


def test_without_a_key_the_check_says_that_nobody_looks_for_rows_that_came_twice() -> None:
    result = vendor_totals(manifest(vendor_totals=VendorTotals(rows=10)))
    assert result.ok
    assert "without a key nobody looks for rows that came twice" in result.detail


def test_the_pages_are_judged_where_no_rows_are_counted() -> None:
    assert vendor_totals(manifest(vendor_totals=VendorTotals(rows=10, pages=9))).ok


@pytest.mark.parametrize(("counts", "ok"), [((10, 1, 2, 7), True), ((10, 0, 0, 9), False), ((0, 0, 0, 0), True)])
def test_every_row_is_accounted_for(counts: tuple[int, int, int, int], ok: bool) -> None:
    read, duplicates, outside, published = counts
    assert rows_published(Counts(read, duplicates, outside, {"2026-11-21": published})).ok is ok
    assert rows_read(10, 9).ok is False


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (KeyFindings(nulls={"a": 2}), "2 rows have no value in the key column 'a'"),
        (KeyFindings(absent=("a",)), "no row has the key column 'a'"),
        (KeyFindings(conflicts=1, examples=("17",)), "for instance 17"),
    ],
)
def test_what_is_wrong_with_a_key(found: KeyFindings, says: str) -> None:
    result = unique_key(("a",), found)
    assert not result.ok
    assert says in result.detail


@pytest.mark.parametrize(
    ("rows", "before", "ok"),
    [
        (0, 4, True),
        (50, 5, True),
        (49, 5, False),
        (200, 5, True),
        (201, 5, False),
        (0, 30, False),
    ],
)
def test_the_band_is_judged_on_a_long_enough_history(rows: int, before: int, ok: bool) -> None:
    history = {f"2026-10-{day:02d}": 100 for day in range(1, before + 1)}
    later = {"2026-11-22": 1, "2026-11-21": 1}
    assert in_band(Band(), "2026-11-21", rows, {**history, **later})[0] is ok


def test_the_band_looks_at_the_newest_nights_only() -> None:
    history = {"2026-10-01": 1_000_000, **{f"2026-11-{day:02d}": 10 for day in range(1, 6)}}
    ok, detail = in_band(Band(nights=5), "2026-11-21", 10, history)
    assert ok
    assert "median of 10" in detail


def test_only_what_is_wanted_is_judged() -> None:
    counts = Counts(10, 0, 0, {"2026-11-21": 10})
    names = [result.name for result in judge(manifest(), PublishSpec(key=("a",)), counts, KeyFindings(), {})]
    assert names == ["vendor_totals", "rows_read", "rows_published", "unique_key"]
    every = Checks(vendor_totals=False, unique_key=False, not_empty=True, band=Band())
    results = judge(
        manifest(), PublishSpec(key=("a",), checks=every), Counts(10, 0, 10, {"2026-11-21": 0}), KeyFindings(), {}
    )
    assert [result.name for result in results] == ["rows_read", "rows_published", "not_empty", "band"]
    assert failed(results) == "not_empty: 0 rows to publish"


@pytest.mark.parametrize(
    ("outside", "some", "none"), [(0, True, True), (3, True, False), (10, False, False)], ids=["no row", "some", "all"]
)
def test_rows_of_nights_that_are_not_asked_for(outside: int, some: bool, none: bool) -> None:
    counts = Counts(10, 0, outside, {"2026-11-21": 10 - outside}, {"2026-10-01": outside} if outside else {})
    for lets, ok in ((True, some), (False, none)):
        found = other_nights(counts, some=lets)
        assert found.ok is ok
        assert ok or ("such as 2026-10-01" in found.detail and "set checks.other_nights to" in found.detail)


def test_how_many_rows_may_be_of_other_nights_is_judged_where_it_is_asked_for() -> None:
    counts = Counts(10, 0, 10, {"2026-11-21": 0}, {"2026-10-01": 10})
    for said, judged in ((None, None), ("all", None), ("some", False), ("none", False)):
        spec = PublishSpec(checks=Checks(other_nights=said))
        found = {one.name: one.ok for one in judge(manifest(), spec, counts, KeyFindings(), {})}
        assert found.get("other_nights") is judged
