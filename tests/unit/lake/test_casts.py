from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.lake.casts import Misfit, from_raw, from_text

STAMP = datetime(2021, 12, 2, 15, 21, 49, 330000, UTC)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int64", "12", 12),
        ("int64", "12.0", 12),
        ("int64", "-9223372036854775808", -(1 << 63)),
        ("float64", "1e3", 1000.0),
        ("float64", "7", 7.0),
        ("bool", "true", True),
        ("bool", "FALSE", False),
        ("decimal(9,2)", "12.5", Decimal("12.50")),
        ("date", "2021-12-02", date(2021, 12, 2)),
        ("date", "2021-12-02T00:00:00Z", date(2021, 12, 2)),
        ("date", "1638403200000", date(2021, 12, 2)),
        ("timestamp", "2021-12-02T17:21:49.330+0200", STAMP),
        ("timestamp", "2021-12-02T17:21:49.330+02:00", STAMP),
        ("timestamp", "2021-12-02T15:21:49.33Z", STAMP),
        ("timestamp", "2021-12-02 16:21:49.330", STAMP),
        ("timestamp", "2021-12-02 15:21:49.330 UTC", STAMP),
        ("timestamp", "2021-12-02 15:21:49.330 +00:00", STAMP),
        ("timestamp", "2021-12-02T15:21:49.3300000Z", STAMP),
        ("timestamp", "1638458509330", STAMP),
        ("timestamp", "2021-12-02", datetime(2021, 12, 1, 23, tzinfo=UTC)),
        ("string", "", ""),
    ],
)
def test_a_text_is_cast_where_nothing_is_lost(kind: str, text: str, value: Any) -> None:
    assert from_text(pa.array([None, text]), kind, "Europe/Berlin", False).to_pylist() == [None, value]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int64", "12.5"), ("int64", "9223372036854775808"), ("int64", "1e400"), ("int64", "twelve"), ("int64", ""),
        ("int64", "true"), ("int64", "1_000"), ("float64", "1,5"), ("float64", ""), ("bool", "yes"), ("bool", "2"),
        ("decimal(5,2)", "1.234"), ("decimal(5,2)", "12345"), ("decimal(5,2)", "x"), ("date", "02.12.2021"),
        ("date", "2021-12-02T01:00:00Z"), ("date", "2021-02-30"), ("timestamp", "2021-12-02T25:00:00Z"),
        ("timestamp", "2021-12-02T15:21:49.1234567Z"), ("timestamp", "yesterday"), ("timestamp", ""),
    ],
)  # fmt: skip
def test_a_text_that_does_not_fit_is_named(kind: str, text: str) -> None:
    with pytest.raises(Misfit) as found:
        from_text(pa.array([None, text]), kind, "UTC", False)
    assert (found.value.index, found.value.text) == (1, text)


def test_an_empty_text_is_no_value_where_that_is_allowed() -> None:
    assert from_text(pa.array(["", "1"]), "int64", "UTC", True).to_pylist() == [None, 1]
    assert from_text(pa.array(["", "1.0"]), "int64", "UTC", True).to_pylist() == [None, 1]
    assert from_text(pa.array([""]), "string", "UTC", True).to_pylist() == [""]


def test_stamps_with_and_without_a_zone_may_be_mixed() -> None:
    texts = pa.array(["2021-07-01 12:00:00", "2021-07-01T12:00:00Z", "1625140800000"])
    hours = [value.hour for value in from_text(texts, "timestamp", "Europe/Berlin", False).to_pylist()]
    assert hours == [10, 12, 12]


def test_an_hour_that_comes_twice_is_the_first_on_both_ways() -> None:
    twice = "2021-10-31 02:30:00"
    first = datetime(2021, 10, 31, 0, 30, tzinfo=UTC)
    assert from_text(pa.array([twice]), "timestamp", "Europe/Berlin", False).to_pylist() == [first]
    mixed = from_text(pa.array([twice, "2021-10-31T00:30:00Z"]), "timestamp", "Europe/Berlin", False)
    assert mixed.to_pylist() == [first, first]


@given(value=st.one_of(st.integers(-(1 << 80), 1 << 80), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_in_a_text_column_is_its_own_text(value: float) -> None:
    raw = msgspec.Raw(repr(value).encode())
    assert from_raw([raw], "string", "UTC", False).to_pylist() == [repr(value)]


@given(value=st.integers(-(1 << 70), 1 << 70))
def test_an_integer_comes_through_or_is_an_error(value: int) -> None:
    fits = -(1 << 63) <= value < 1 << 63
    try:
        found = from_text(pa.array([str(value)]), "int64", "UTC", False).to_pylist()
    except Misfit:
        assert not fits
    else:
        assert found == [value]


@given(value=st.decimals(-(10**6), 10**6, allow_nan=False, allow_infinity=False))
def test_a_decimal_comes_through_exactly_or_is_an_error(value: Decimal) -> None:
    try:
        found = from_text(pa.array([format(value, "f")]), "decimal(9,3)", "UTC", False).to_pylist()
    except Misfit:
        assert value != value.quantize(Decimal("0.001")) or abs(value) >= 10**6
    else:
        assert found == [value]


@given(
    value=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)),  # noqa: DTZ001 - hypothesis wants bare ones
    style=st.sampled_from(["Z", "+02:00", "-0530", "+0000"]),
)
def test_every_stamp_with_a_zone_is_the_same_instant(value: datetime, style: str) -> None:
    text = value.isoformat() + style
    assert from_text(pa.array([text]), "timestamp", "Asia/Tokyo", False).to_pylist() == [datetime.fromisoformat(text)]
