from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable

from nightshift.lake.delta import published_night
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import NIGHT, land_night

KEYED = PublishSpec(key=("id",))
EARLIER = "2026-11-20"


def log_of(lake: Lake) -> Path:
    return Path(lake.url.removeprefix("file://"), "tables", "flexnet", "entitlement", "_delta_log")


async def two_nights(lake: Lake) -> None:
    publish(lake, await land_night(lake, [[{"id": 9}]], night=EARLIER), KEYED)
    publish(lake, await land_night(lake, [[{"id": 1}, {"id": 2}, {"id": 2}]], totals=(3, 1)), KEYED)


async def test_a_night_tells_what_was_committed(lake: Lake) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await two_nights(lake)
    found = published_night(lake, "flexnet", "entitlement", NIGHT)
    assert found is not None
    assert (found.source, found.report, found.night, found.extract) == ("flexnet", "entitlement", NIGHT, "first")
    assert (found.rows, found.version, found.finished) == (2, 2, f"{NIGHT}T01:10:00+00:00")
    assert before <= datetime.fromisoformat(found.published or "") <= datetime.now(UTC)
    names = ["vendor_totals", "rows_read", "rows_published", "unique_key", "unchanged"]
    assert [(check.name, check.ok) for check in found.checks] == [(name, True) for name in names]
    assert found.sound
    assert found.checks_known


async def test_a_night_that_was_never_published_is_none(lake: Lake) -> None:
    assert published_night(lake, "flexnet", "entitlement", NIGHT) is None
    await two_nights(lake)
    assert published_night(lake, "flexnet", "entitlement", "2026-11-19") is None
    assert published_night(lake, "flexnet", "device", NIGHT) is None


async def test_an_empty_night_is_published(lake: Lake) -> None:
    publish(lake, await land_night(lake, [[]]), KEYED)
    found = published_night(lake, "flexnet", "entitlement", NIGHT)
    assert found is not None
    assert (found.rows, found.sound) == (0, True)


async def test_where_the_log_was_cleaned_up_the_transaction_counts(lake: Lake) -> None:
    await two_nights(lake)
    DeltaTable(lake.table_url("flexnet", "entitlement")).create_checkpoint()
    for entry in log_of(lake).glob("*.json"):
        entry.unlink()
    found = published_night(lake, "flexnet", "entitlement", NIGHT)
    assert found is not None
    assert (found.rows, found.version, found.finished) == (2, 2, f"{NIGHT}T01:10:00+00:00")
    assert (found.extract, found.checks_known, found.sound) == (None, False, True)
    assert [check.name for check in found.checks] == ["unchanged"]
    written = datetime.fromisoformat(found.published or "")
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)


async def test_a_night_that_something_else_changed_is_not_sound(lake: Lake) -> None:
    await two_nights(lake)
    DeltaTable(lake.table_url("flexnet", "entitlement")).delete("id = 1")
    found = published_night(lake, "flexnet", "entitlement", NIGHT)
    assert found is not None
    assert [check.detail for check in found.checks if not check.ok] == [
        "2 rows were published, the table has 1 now: something else changed it. Publish the night again"
    ]
    assert not found.sound
    other = published_night(lake, "flexnet", "entitlement", EARLIER)
    assert other is not None
    assert other.sound


async def test_compacting_a_table_changes_no_night(lake: Lake) -> None:
    await two_nights(lake)
    DeltaTable(lake.table_url("flexnet", "entitlement")).optimize.compact()
    found = published_night(lake, "flexnet", "entitlement", NIGHT)
    assert found is not None
    assert found.sound
