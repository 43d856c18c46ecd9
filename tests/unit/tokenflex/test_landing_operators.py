"""From the landed file to the table: nights of the look-back are replaced together, columns found by name."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from nightshift.nights.publish import WatchSchemaOperator
from nightshift.tokenflex.configuration import UsageExport
from nightshift.tokenflex.landing_operators import TokenFlexPublishExportOperator
from tests.execution_api import FakeExecutionApi
from tests.unit.tokenflex.export_tasks import NIGHT, download_task
from tests.unit.tokenflex.vendor import Export, Vendor

EXPORT = UsageExport(
    name="desktop",
    category="DESKTOP_PRODUCT",
    fields=("usageDate", "userName"),
    metrics=("tokensConsumed",),
    look_back=2,
)


def brought_home(
    vendor: Vendor,
    api: FakeExecutionApi,
    file: str,
    night: str = NIGHT,
    export: UsageExport = EXPORT,
    at: datetime | None = None,
    made: Export | None = None,
    timezone: str = "UTC",
    where: str | None = None,
) -> Any:
    """Return the run of the task that publishes a file."""
    vendor.file = file.encode()
    key = (made or vendor.add(at=at)).key
    api.task_store.clear()
    asked = {"fields": export.fields, "metrics": export.metrics, "where": where}
    extract = api.run(download_task(key, look_back=export.look_back, night=night, **asked))
    assert extract.state == "success", extract.error
    spec = export.publish_spec(timezone).model_dump(mode="json")
    with DAG("d", schedule=None):
        watch = WatchSchemaOperator(task_id="watch", extract=extract.result, spec=spec)
        publish = TokenFlexPublishExportOperator(
            task_id="publish", extract=extract.result, spec=spec, report="desktop", look_back=export.look_back
        )
    assert (watched := api.run(watch)).state == "success", watched.error
    return api.run(publish)


def bring_home(vendor: Vendor, api: FakeExecutionApi, file: str, night: str = NIGHT, **more: Any) -> Any:
    """Return what the publish of a file tells."""
    run = brought_home(vendor, api, file, night, **more)
    assert run.state == "success", run.error
    return run.result


def table(lake: Path) -> dict[tuple[str, str], float]:
    from deltalake import DeltaTable

    rows = DeltaTable(str(lake / "tables" / "tokenflex" / "desktop")).to_pyarrow_table().to_pylist()
    assert all(row["night"] == row.get("usageDate", row.get("Usage Date")) for row in rows)
    assert all(isinstance(row["night"], date) for row in rows)
    return {(str(row["night"]), row["userName"]): row["tokensConsumed"] for row in rows}


def test_late_usage_replaces_each_night_of_the_look_back_and_no_other(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    header = "usageDate,userName,tokensConsumed\n"
    bring_home(vendor, api, header + "2026-11-16,old,1\n2026-11-18,ann,1\n", night="2026-11-18")
    told = bring_home(
        vendor, api, header + "2026-11-19,ann,2\n2026-11-20,ann,3\n2026-11-21,ann,4\n2026-11-18,stray,9\n"
    )
    assert told["outside"] == 1
    told = bring_home(
        vendor, api, header + "2026-11-19,ann,2\n2026-11-20,ann,3\n2026-11-20,late,5\n2026-11-21,ann,6.5\n"
    )
    assert table(lake) == {
        ("2026-11-16", "old"): 1.0,
        ("2026-11-18", "ann"): 1.0,
        ("2026-11-19", "ann"): 2.0,
        ("2026-11-20", "ann"): 3.0,
        ("2026-11-20", "late"): 5.0,
        ("2026-11-21", "ann"): 6.5,
    }
    assert told["rows"] == 4


def test_a_month_is_brought_to_the_night_of_its_first_day_by_each_night(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    """``usageMonth`` is day 01, which a look-back of 30 always has among its nights."""
    from deltalake import DeltaTable

    monthly = EXPORT.model_copy(
        update={"fields": ("usageMonth", "userName"), "date_field": "usageMonth", "look_back": 30}
    )
    first = {monthly.usage(f"2026-10-{day:02d}").where for day in range(1, 32)}
    assert all(where and where.split("'")[1] <= "2026-10-01" < where.split("'")[3] for where in first)
    for night, tokens in (("2026-11-02", 1), ("2026-11-30", 9)):
        bring_home(
            vendor, api, f"usageMonth,userName,tokensConsumed\n2026-11-01,ann,{tokens}\n", night=night, export=monthly
        )
    rows = DeltaTable(str(lake / "tables" / "tokenflex" / "desktop")).to_pyarrow_table().to_pylist()
    assert [(row["night"], row["tokensConsumed"]) for row in rows] == [(date(2026, 11, 1), 9.0)]


def test_columns_are_found_by_name_in_any_order_and_with_a_byte_order_mark(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    bring_home(vendor, api, "usageDate,userName,tokensConsumed\r\n2026-11-20,ann,1\r\n")
    bring_home(vendor, api, '\ufefftokensConsumed,userName,usageDate\r\n"7.25","a\n""b""",2026-11-21\r\n')
    assert table(lake) == {("2026-11-21", 'a\n"b"'): 7.25}


def test_the_night_column_may_be_spelled_otherwise_in_the_file(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    bring_home(vendor, api, "Usage Date,userName,tokensConsumed\n2026-11-21,ann,1\n2026-11-01,ann,1\n")
    assert table(lake) == {("2026-11-21", "ann"): 1.0}


def test_an_export_without_a_night_column_is_the_nights_content_as_a_whole(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    whole = UsageExport(name="desktop", fields=("userName",), metrics=("tokensConsumed",), date_field=None)
    assert whole.publish_spec("UTC").night_column is None
    told = bring_home(vendor, api, "userName,tokensConsumed\nann,1\nbob,2\n", export=whole)
    assert told["rows"] == 2


@pytest.mark.parametrize("file", ["", "usageDate,userName,tokensConsumed\n"])
def test_a_night_without_usage_empties_the_night(vendor: Vendor, api: FakeExecutionApi, lake: Path, file: str) -> None:
    bring_home(vendor, api, "usageDate,userName,tokensConsumed\n2026-11-21,ann,1\n")
    bring_home(vendor, api, file)
    assert table(lake) == {}


def test_a_file_that_is_fetched_late_does_not_replace_what_a_later_export_has_brought(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    """What makes an extract newer is when its export was made, not when its file was fetched."""
    header = "usageDate,userName,tokensConsumed\n"
    before, after = (datetime(2026, 11, 22 + day, 3, 0, 7, tzinfo=UTC) for day in (0, 1))
    newer = bring_home(vendor, api, f"{header}2026-11-21,ann,7\n2026-11-22,bob,2\n", night="2026-11-22", at=after)
    assert newer["kept"] == {}
    late = bring_home(vendor, api, f"{header}2026-11-20,eve,1\n2026-11-21,ann,1\n", at=before)
    assert sorted(late["kept"]) == ["2026-11-20", "2026-11-21"]
    assert table(lake) == {("2026-11-21", "ann"): 7.0, ("2026-11-22", "bob"): 2.0}
    manifest = json.loads(next(lake.glob(f"raw/tokenflex/desktop/night={NIGHT}/*/manifest.json")).read_text())
    assert datetime.fromisoformat(manifest["finished"]) == before
    assert datetime.fromisoformat(manifest["notes"]["fetched"]) > before


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=400)])
def test_a_vendors_clock_that_is_ahead_makes_no_extract_newer_than_now(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, ahead: timedelta
) -> None:
    header, began = "usageDate,userName,tokensConsumed\n", datetime.now(UTC)
    bring_home(vendor, api, f"{header}2026-11-21,ann,1\n", at=began + ahead)
    later = bring_home(vendor, api, f"{header}2026-11-21,ann,2\n2026-11-22,ann,3\n", night="2026-11-22")
    assert later["kept"] == {}
    assert table(lake) == {("2026-11-21", "ann"): 2.0, ("2026-11-22", "ann"): 3.0}
    manifest = json.loads(next(lake.glob(f"raw/tokenflex/desktop/night={NIGHT}/*/manifest.json")).read_text())
    assert began <= datetime.fromisoformat(manifest["finished"]) <= datetime.now(UTC)


def test_an_extract_that_was_finished_in_the_future_gives_way_to_the_next_one(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    header, future = "usageDate,userName,tokensConsumed\n", datetime.now(UTC) + timedelta(days=400)
    bring_home(vendor, api, f"{header}2026-11-21,ann,1\n")
    (kept,) = lake.glob(f"raw/tokenflex/desktop/night={NIGHT}/*/manifest.json")
    told = {**json.loads(kept.read_text()), "finished": future.isoformat()}
    kept.write_text(json.dumps(told))
    bring_home(vendor, api, f"{header}2026-11-21,ann,2\n")
    (newest,) = [one for one in lake.glob(f"raw/tokenflex/desktop/night={NIGHT}/*/manifest.json") if one != kept]
    assert datetime.fromisoformat(json.loads(newest.read_text())["finished"]) > future


def test_the_same_export_fetched_again_is_neither_older_nor_newer(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    file, key = "usageDate,userName,tokensConsumed\n2026-11-21,ann,7\n", vendor.add()
    first = bring_home(vendor, api, file, made=key)
    again = bring_home(vendor, api, file.replace("7", "8"), made=key)
    assert (first["kept"], again["kept"]) == ({}, {})
    assert table(lake) == {("2026-11-21", "ann"): 8.0}


SESSIONS = UsageExport(
    name="desktop",
    category="DESKTOP_PRODUCT",
    fields=("usageDate", "userName", "sessionStartDate", "licenseServerTimeZoneOffset"),
    metrics=("tokensConsumed",),
)
AS_MOMENTS = SESSIONS.model_copy(update={"types": {"sessionStartDate": "timestamp"}})
SESSION_HEADER = "usageDate,userName,sessionStartDate,licenseServerTimeZoneOffset,tokensConsumed\n"


def starts(lake: Path) -> dict[str, Any]:
    from deltalake import DeltaTable

    rows = DeltaTable(str(lake / "tables" / "tokenflex" / "desktop")).to_pyarrow_table().to_pylist()
    return {row["userName"]: row["sessionStartDate"] for row in rows}


@pytest.mark.parametrize("night", [NIGHT, "2026-03-29"])
def test_session_times_are_the_license_servers_words_in_a_new_table(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, night: str
) -> None:
    """They have no zone, and each row another offset; some are wall times that the clocks skip elsewhere."""
    file = SESSION_HEADER + f"{night},ann,{night}T02:30:00,-8:00,1\n{night},bob,{night}T02:30:00,+1:00,1\n"
    bring_home(vendor, api, file, night=night, export=SESSIONS, timezone="Europe/Berlin")
    assert starts(lake) == {"ann": f"{night}T02:30:00", "bob": f"{night}T02:30:00"}


def test_a_session_time_that_no_row_has_is_text_all_the_same(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    from deltalake import DeltaTable

    bring_home(vendor, api, SESSION_HEADER + f"{NIGHT},ann,,-8:00,1\n", export=SESSIONS)
    schema = DeltaTable(str(lake / "tables" / "tokenflex" / "desktop")).schema()
    assert {field.name: field.type.type for field in schema.fields}["sessionStartDate"] == "string"


@pytest.mark.parametrize("then", [SESSIONS, AS_MOMENTS])
def test_a_table_that_has_session_times_as_moments_keeps_them_so(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, then: UsageExport
) -> None:
    bring_home(vendor, api, SESSION_HEADER + f"{NIGHT},ann,{NIGHT}T10:00:00,-8:00,1\n", export=AS_MOMENTS)
    told = bring_home(
        vendor, api, SESSION_HEADER + "2026-11-22,bob,2026-11-22T10:00:00,-8:00,1\n", night="2026-11-22", export=then
    )
    assert told["rows"] == 1
    assert starts(lake) == {
        "ann": datetime(2026, 11, 21, 10, tzinfo=UTC),
        "bob": datetime(2026, 11, 22, 10, tzinfo=UTC),
    }


def test_a_site_may_make_a_table_of_texts_one_of_moments(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    file = SESSION_HEADER + f"{NIGHT},ann,{NIGHT}T10:00:00,-8:00,1\n"
    bring_home(vendor, api, file, export=SESSIONS)
    bring_home(vendor, api, file, export=AS_MOMENTS, timezone="Europe/Berlin")
    assert starts(lake) == {"ann": datetime(2026, 11, 21, 9, tzinfo=UTC)}
