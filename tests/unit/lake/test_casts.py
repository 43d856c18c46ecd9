from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from zoneinfo import TZPATH, ZoneInfo, reset_tzpath

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.lake.casts import Misfit, by_value, from_raw, from_text
from nightshift.lake.times import local_days

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
        ("int64", "-0.0", 0),
        ("int64", "0e-30", 0),
        ("float64", "0.1", 0.1),
        ("float64", "1.10", 1.1),
        ("float64", "100000000000000000000", 1e20),
        ("float64", "5e-324", 5e-324),
        ("float64", "-0.0", -0.0),
        ("decimal(38,0)", "12345678901234567890123456789012345678", Decimal("12345678901234567890123456789012345678")),
        ("decimal(2,2)", "0.25", Decimal("0.25")),
        ("date", "0001-01-01", date(1, 1, 1)),
        ("date", "9999-12-31", date(9999, 12, 31)),
        ("timestamp", "0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("timestamp", "9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
        ("timestamp", "2050-07-01T12:00:00", datetime(2050, 7, 1, 10, tzinfo=UTC)),
        ("timestamp", "1582-10-04T12:00:00Z", datetime(1582, 10, 4, 12, tzinfo=UTC)),
    ],
)
def test_a_text_is_cast_where_nothing_is_lost(kind: str, text: str, value: Any) -> None:
    assert from_text(pa.array([None, text]), kind, "Europe/Berlin", False).to_pylist() == [None, value]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int64", "12.5"),
        ("int64", "9223372036854775808"),
        ("int64", "1e400"),
        ("int64", "twelve"),
        ("int64", ""),
        ("int64", "true"),
        ("int64", "1_000"),
        ("float64", "1,5"),
        ("float64", ""),
        ("bool", "yes"),
        ("bool", "2"),
        ("decimal(5,2)", "1.234"),
        ("decimal(5,2)", "12345"),
        ("decimal(5,2)", "x"),
        ("date", "02.12.2021"),
        ("date", "2021-12-02T01:00:00Z"),
        ("date", "2021-02-30"),
        ("timestamp", "2021-12-02T25:00:00Z"),
        ("timestamp", "2021-12-02T15:21:49.1234567Z"),
        ("timestamp", "yesterday"),
        ("timestamp", ""),
        ("int64", "0x1F"),
        ("float64", "9007199254740993"),
        ("float64", "0.12345678901234567890"),
        ("float64", "1e400"),
        ("float64", "1e-400"),
        ("float64", "-1e-999"),
        ("float64", "0x1p3"),
        ("decimal(38,2)", "1e400"),
        ("decimal(38,2)", "1e-400"),
        ("date", "0000-12-31"),
        ("timestamp", "0000-12-31T23:59:59Z"),
        ("timestamp", "0001-01-01T00:00:00+02:00"),
        ("timestamp", "9999-12-31T23:59:59-05:00"),
        ("timestamp", "2021-12-02T24:00:00Z"),
        ("timestamp", "2016-12-31T23:59:60Z"),
        ("timestamp", "2021-12-02Z"),
        ("timestamp", "2021-12-02X15:21:49Z"),
        ("timestamp", "2021-12-02T15:21:49+02:60"),
        ("timestamp", "253402300800000"),
    ],
)
def test_a_text_that_does_not_fit_is_named(kind: str, text: str) -> None:
    with pytest.raises(Misfit) as found:
        from_text(pa.array([None, text]), kind, "UTC", False)
    assert (found.value.index, found.value.text) == (1, text)


def test_a_text_of_a_hundred_thousand_digits_is_refused_at_once() -> None:
    """A pattern that went back over them at each digit took hours for it."""
    for kind in ("int64", "float64", "decimal(38,2)"):
        with pytest.raises(Misfit):
            by_value(["9" * 100_000 + "x"], kind, "UTC", False)


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


def test_a_wall_time_that_the_clocks_skip_is_refused_on_both_ways() -> None:
    """02:10 and 02:50 were one moment, and another one beside a value with an offset."""
    skipped = "2026-03-29T02:10:00"
    for texts in ([skipped], ["2026-03-29T04:50:00+02:00", skipped], ["9999-12-30", skipped]):
        with pytest.raises(Misfit, match="the clocks of Europe/Berlin skip this hour") as found:
            from_text(pa.array(texts), "timestamp", "Europe/Berlin", False)
        assert found.value.text == skipped


def test_a_day_whose_midnight_is_skipped_begins_an_hour_later() -> None:
    day = "2024-04-26"
    found = from_text(pa.array([day, "2024-04-27"]), "timestamp", "Africa/Cairo", False).to_pylist()
    assert found == [datetime(2024, 4, 25, 22, tzinfo=UTC), datetime(2024, 4, 26, 21, tzinfo=UTC)]
    with pytest.raises(Misfit, match="skip this hour"):
        from_text(pa.array([f"{day}T00:00:00"]), "timestamp", "Africa/Cairo", False)


@pytest.mark.parametrize("kind", ["date", "timestamp"])
def test_what_may_be_seconds_is_no_moment(kind: str) -> None:
    with pytest.raises(Misfit, match="it may be seconds"):
        from_text(pa.array(["1638403200"]), kind, "UTC", False)


def test_a_value_far_from_now_does_not_change_how_its_neighbours_are_read() -> None:
    texts = pa.array(["2026-07-01 12:00", None, "9999-12-31", "2040-07-01 12:00"])
    found = from_text(texts, "timestamp", "Europe/Berlin", False).to_pylist()
    assert [moment and (moment.year, moment.hour) for moment in found] == [(2026, 10), None, (9999, 23), (2040, 10)]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "America/Santiago"])
def test_the_day_of_a_moment_is_that_of_its_zone_in_every_year(zone: str) -> None:
    moments = [
        datetime(year, 7, 1, hour, 30, tzinfo=UTC) for year in (1, 1970, 2026, 2041, 9999) for hour in (0, 4, 22, 23)
    ]
    days = local_days(pa.array(moments, pa.timestamp("us", "UTC")), zone).to_pylist()
    assert days == [moment.astimezone(ZoneInfo(zone)).date() for moment in moments]


def test_a_zone_that_arrow_does_not_find_is_read_by_the_value(tmp_path: Path) -> None:
    """As US/Pacific, where the system has no old names and tzdata of PyPI has."""
    (tmp_path / "Acme").mkdir()
    with as_file(files("tzdata") / "zoneinfo" / "America" / "Los_Angeles") as zone:
        shutil.copy(zone, tmp_path / "Acme" / "Pacific")
    reset_tzpath([str(tmp_path), *TZPATH])
    try:
        stamps = pa.array([datetime(2026, 7, 1, 6, 30, tzinfo=UTC), None], pa.timestamp("us", "UTC"))
        with pytest.raises(pa.ArrowInvalid):
            pc.local_timestamp(stamps.cast(pa.timestamp("us", "Acme/Pacific")))
        assert local_days(stamps, "Acme/Pacific").to_pylist() == [date(2026, 6, 30), None]
        found = from_text(pa.array(["2026-06-30T23:30:00"]), "timestamp", "Acme/Pacific", False)
        assert local_days(found, "Acme/Pacific").to_pylist() == [date(2026, 6, 30)]
    finally:
        reset_tzpath()


def both(texts: Sequence[str | None], kind: str, zone: str) -> tuple[list[Any] | Misfit, list[Any] | Misfit]:
    found: list[Any] = []
    for way in (
        lambda: from_text(pa.array(texts, pa.string()), kind, zone, False),
        lambda: by_value(texts, kind, zone, False),
    ):
        try:
            found.append([repr(value) for value in way().to_pylist()])
        except Misfit as misfit:
            found.append((misfit.index, misfit.text))
    return found[0], found[1]


NUMBERS = st.one_of(
    st.integers(-(1 << 90), 1 << 90).map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"[+-]?0{0,2}[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
SPELLINGS = st.from_regex(
    r"(0001|0000|1582|1970|2026|2037|2038|9999)-(01|03|10|12)-(01|29|25|31)"
    r"([T ](00|02|03|12|23|24)(:(00|30|59)(:(00|59|60)(\.[0-9]{1,9})?)?)?(Z|[+-](00|02|23)(:?(00|30))?)?)?",
    fullmatch=True,
)
TIMES = st.one_of(SPELLINGS, st.datetimes().map(datetime.isoformat), st.integers(-(10**17), 10**17).map(str))
JUNK = st.one_of(
    st.text(max_size=6), st.sampled_from(["true", "FALSE", "1", "0", "", "nan", "-inf", "0x10", "1_0", "\u0661"])
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo"])
KINDS = st.sampled_from(
    ["int64", "float64", "bool", "decimal(38,4)", "decimal(9,2)", "decimal(3,3)", "date", "timestamp"]
)


@settings(max_examples=400)
@given(data=st.data(), kind=KINDS, zone=ZONES)
def test_the_column_and_the_values_agree_or_both_refuse(data: st.DataObject, kind: str, zone: str) -> None:
    values = st.one_of(TIMES, TIMES, JUNK) if kind in ("date", "timestamp") else st.one_of(NUMBERS, NUMBERS, JUNK)
    one_sort = data.draw(st.lists(st.none() | values, min_size=1, max_size=4))
    by_column, one_by_one = both(one_sort, kind, zone)
    assert by_column == one_by_one


@settings(max_examples=400)
@given(texts=st.lists(NUMBERS, min_size=1, max_size=4), kind=st.sampled_from(["int64", "float64", "decimal(38,9)"]))
def test_a_number_is_what_its_digits_say_or_refused(texts: list[str], kind: str) -> None:
    try:
        found = from_text(pa.array(texts), kind, "UTC", False).to_pylist()
    except Misfit:
        return
    for value, text in zip(found, texts, strict=True):
        assert Decimal(repr(value) if isinstance(value, float) else value) == Decimal(text) or value != value


@given(value=st.one_of(st.integers(-(1 << 80), 1 << 80), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_in_a_text_column_is_its_own_text(value: float) -> None:
    raw = msgspec.Raw(repr(value).encode())
    assert from_raw([raw], "string", "UTC", False).to_pylist() == [repr(value)]


def test_a_zero_below_zero_is_the_same_float_beside_others_and_in_every_spelling() -> None:
    for spelled in ("-0", "-0.0", '"-0"', "-0e1"):
        raws = [msgspec.Raw(text.encode()) for text in ("1.5", spelled, "-0.5")]
        assert repr(from_raw(raws, "float64", "UTC", False).to_pylist()) == "[1.5, -0.0, -0.5]"


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
