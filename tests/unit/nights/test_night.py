from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nightshift.nights.night import asked_nights, last_night, unknown_keys

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


def nights(key: str | None = None, zone: ZoneInfo = UTC_ZONE, **form: Any) -> list[str]:
    return asked_nights(key, form, zone=zone, now=NOW)


def test_without_anything_it_is_last_night_where_the_vendor_is() -> None:
    assert nights() == ["2026-11-21"]
    assert nights(zone=ZoneInfo("America/New_York")) == ["2026-11-20"]
    assert last_night(ZoneInfo("Asia/Tokyo"), NOW).isoformat() == "2026-11-21"


def test_the_partition_key_is_the_night() -> None:
    assert nights("2026-11-03") == ["2026-11-03"]
    assert nights("2026-11-03", night="2026-11-03", until=None) == ["2026-11-03"]


def test_a_run_keeps_its_night_when_it_is_cleared_days_later() -> None:
    asked = datetime(2026, 11, 19, 13, 0, tzinfo=UTC)
    assert asked_nights(None, {}, zone=UTC_ZONE, now=NOW, asked=asked) == ["2026-11-18"]
    ahead = datetime(2027, 1, 1, tzinfo=UTC)
    assert asked_nights(None, {}, zone=UTC_ZONE, now=NOW, asked=ahead) == ["2026-11-21"]


def test_a_range_has_both_ends() -> None:
    assert nights(night="2026-02-27", until="2026-03-01") == ["2026-02-27", "2026-02-28", "2026-03-01"]


@pytest.mark.parametrize(
    ("key", "form", "told"),
    [
        (
            "2026-11-03",
            {"night": "2026-11-04"},
            "is for the night 2026-11-03, .* but the form asks for 2026-11-04. Leave",
        ),
        ("2026-11-03", {"until": "2026-11-04"}, "asks for 2026-11-03 to 2026-11-04. .* without a partition key"),
        ("2026-11-03", {"night": "2026-11-01", "until": "2026-11-04"}, "asks for 2026-11-01 to 2026-11-04"),
        ("2026-11-03", {"night": "2026-11-03", "until": "2026-11-02"}, "asks for 2026-11-03 to 2026-11-02"),
        ("20261103", {}, "'20261103' is not a night"),
        (None, {"until": "2026-11-04"}, "no Night; give the first night"),
        ("yesterday", {}, "not a night"),
        (None, {"night": "2026-11-05", "until": "2026-11-04"}, "is before"),
        (None, {"night": "2026-11-22"}, "not over in UTC; the last one that is: 2026-11-21"),
        (None, {"night": "2020-01-01", "until": "2026-01-01"}, "at most 400"),
    ],
)
def test_a_form_that_cannot_be_meant_is_refused(key: str | None, form: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        nights(key, **form)


def test_force_takes_a_night_that_is_not_over() -> None:
    assert nights(night="2026-11-22", force=True) == ["2026-11-22"]


def test_typos_in_the_conf_are_found() -> None:
    assert unknown_keys({"nihgt": "2026-11-01", "force": True}) == ["nihgt"]
    assert unknown_keys(None) == []
