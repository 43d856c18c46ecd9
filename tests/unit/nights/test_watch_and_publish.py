"""Extract, watch and publish as Airflow runs them, against the stand-in; judged by the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from include.standins import Fault
from include.standins.flexnet import LOGIN, PASSWORD, Drift, FlexNetStandIn, FlexNetSwitches, faulty
from include.standins.flexnet.switches import Change, DateTo
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.lake.errors import CastError, SchemaDrift, Unsound
from nightshift.lake.spec import Checks, PublishSpec, SchemaRules
from nightshift.nights.publish import PublishNightOperator, WatchSchemaOperator
from tests.execution_api import FakeExecutionApi, TaskRun

TODAY = datetime.now(UTC).date()
BEFORE, NIGHT = ((TODAY - timedelta(days=n)).isoformat() for n in (3, 2))
ROWS = {"usage": 120, "user": 40}


class Flow:
    """One report's three tasks, and its table."""

    def __init__(self, vendor: FlexNetStandIn, lake: Path) -> None:
        self.vendor = vendor
        self.lake = lake
        self.connection = {"conn_type": "flexnet", "host": vendor.url, "login": LOGIN, "password": PASSWORD}

    def api(self) -> FakeExecutionApi:
        return FakeExecutionApi(connections={"flexnet_default": self.connection}, max_tries=2)

    def extract(self, night: str = NIGHT, report: str = "usage", **given: Any) -> dict[str, Any]:
        with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            task = FlexNetExtractOperator(task_id="extract", report=report, night=night, page_size=50, **given)
        run = self.api().run(task)
        assert run.state == "success", run.error
        return run.result

    def watch(self, extract: dict[str, Any], **spec: Any) -> TaskRun:
        with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            task = WatchSchemaOperator(
                task_id="watch", extract=extract, spec=PublishSpec(**spec).model_dump(mode="json")
            )
        return self.api().run(task)

    def publish(self, extract: dict[str, Any], *, force: bool = False, **spec: Any) -> TaskRun:
        as_json = PublishSpec(**spec).model_dump(mode="json")
        with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            task = PublishNightOperator(
                task_id="publish",
                extract=extract,
                spec=as_json,
                source="flexnet",
                report=extract["report"],
                force=force,
            )
        return self.api().run(task)

    def rows(self, report: str = "usage") -> list[dict[str, Any]]:
        from deltalake import DeltaTable

        return DeltaTable(str(self.lake / "tables" / "flexnet" / report)).to_pyarrow_table().to_pylist()


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Flow]]:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    with ExitStack() as stack:

        def start(**switches: Any) -> Flow:
            vendor = FlexNetStandIn(switches=FlexNetSwitches(**{"rows_a_day": ROWS, **switches}))
            return Flow(stack.enter_context(vendor), tmp_path / "lake")

        yield start


def test_a_published_night_is_the_vendors_rows_and_its_event_says_so(flow) -> None:
    f = flow()
    extract = f.extract()
    run = f.publish(extract, key=("usageId",))
    assert run.state == "success", run.error
    rows = f.rows()
    assert len(rows) == len({row["usageId"] for row in rows}) == ROWS["usage"]
    assert {row["night"].isoformat() for row in rows} == {NIGHT}
    [event] = run.message.outlet_events
    assert event["partition_key"] == NIGHT
    assert event["dest_asset_key"]["name"] == "flexnet/usage"
    assert {"rows": ROWS["usage"], "table_version": run.result["table_version"]}.items() <= event["extra"].items()
    assert event["extra"]["bytes"] > 0


def test_publishing_again_changes_nothing_unless_forced(flow) -> None:
    f = flow()
    extract = f.extract()
    first = f.publish(extract)
    again = f.publish(extract)
    forced = f.publish(extract, force=True)
    assert again.result["already"]
    assert again.result["table_version"] == first.result["table_version"]
    assert forced.result["table_version"] == first.result["table_version"] + 1
    assert len(f.rows()) == ROWS["usage"]


@pytest.mark.parametrize("reading", list(DateTo))
def test_a_row_is_never_in_two_nights_whatever_date_to_means(flow, reading: DateTo) -> None:
    f = flow(date_to=reading)
    for night in (NIGHT, BEFORE):
        assert f.publish(f.extract(night)).state == "success"
    rows = f.rows()
    assert len(rows) == len({row["usageId"] for row in rows}) == 2 * ROWS["usage"]


def test_an_added_column_is_taken_and_told(flow) -> None:
    f = flow()
    f.publish(f.extract(BEFORE))
    f.vendor.turn(drift=[Drift(group="usage", change=Change.ADDED, field="costCentre", since=NIGHT, type="integer")])
    extract = f.extract(NIGHT)
    watched = f.watch(extract)
    assert watched.result == {"added": ["costCentre"]}
    assert f.publish(extract).result["added"] == ["costCentre"]
    assert {row["costCentre"] is None for row in f.rows() if row["night"].isoformat() == BEFORE} == {True}
    assert {type(row["costCentre"]) for row in f.rows() if row["night"].isoformat() == NIGHT} <= {int, type(None)}


@pytest.mark.parametrize(
    ("change", "rule"),
    [(Change.LOST, "allow_lost_columns"), (Change.RETYPED, "allow_type_change")],
)
def test_a_lost_column_or_a_changed_type_stops_the_report_and_loses_nothing(flow, change: Change, rule: str) -> None:
    f = flow()
    f.publish(f.extract(BEFORE))
    f.vendor.turn(drift=[Drift(group="usage", change=change, field="accountName", since=NIGHT, type="integer")])
    extract = f.extract(NIGHT)
    stopped = f.watch(extract)
    assert stopped.state == "failed"
    assert isinstance(stopped.error, SchemaDrift)
    assert "'accountName'" in str(stopped.error)
    assert f"schema_rules.{rule}: [accountName]" in str(stopped.error)
    assert isinstance(f.publish(extract).error, SchemaDrift)
    assert {row["night"].isoformat() for row in f.rows()} == {BEFORE}
    allowed = SchemaRules(**{rule: ("accountName",)})
    assert f.watch(extract, schema_rules=allowed).state == "success"
    if change is Change.LOST:
        assert f.publish(extract, schema_rules=allowed).state == "success"
        assert {row["accountName"] for row in f.rows() if row["night"].isoformat() == NIGHT} == {None}


def test_a_backfill_into_an_empty_lake_is_no_drift_of_the_configured_types(flow) -> None:
    """Each night was refused because the one before it, which no table had yet, was compared without the
    configuration.
    """
    f = flow()
    types = {"quantity": "string", "usageDate": "string", "ofAnotherReport": "date"}
    extracts = [f.extract(night) for night in (BEFORE, NIGHT)]
    assert [f.watch(extract, types=types).state for extract in extracts] == ["success"] * 2
    assert [f.publish(extract, types=types).state for extract in reversed(extracts)] == ["success"] * 2


@pytest.mark.parametrize("form", ["json", "csv"])
def test_what_rows_have_and_the_vendors_model_does_not_name_is_not_lost(flow, form: str) -> None:
    """The second night of the same answer was refused: "column 'accountName' is gone"."""
    f = flow(model_names={"accountName": "", "usageId": "usageID"})
    extracts = [f.extract(night, format=form) for night in (BEFORE, NIGHT)]
    runs = [f.publish(extract, key=("usageId",), empty_as_null=True) for extract in reversed(extracts)]
    assert [run.error for run in runs] == [None, None]
    assert [f.watch(extract).state for extract in extracts] == ["success"] * 2
    rows = f.rows()
    assert len([row for row in rows if row["accountName"] and row["usageId"]]) == 2 * ROWS["usage"]
    assert "usageID" not in rows[0]


def test_what_rows_alone_had_is_lost_where_they_have_it_no_more(flow) -> None:
    f = flow(model_names={"accountName": ""})
    f.publish(f.extract(BEFORE))
    f.vendor.turn(drift=[Drift(group="usage", change=Change.LOST, field="accountName", since=NIGHT)])
    refused = f.publish(f.extract(NIGHT))
    assert isinstance(refused.error, SchemaDrift)
    assert f"flexnet/usage, night {NIGHT}: column 'accountName' is gone (refused)" in str(refused.error)


def test_a_model_that_drops_what_rows_still_have_is_told_and_loses_nothing(flow, capsys) -> None:
    f = flow()
    f.extract(BEFORE)
    f.vendor.turn(model_names={"accountName": ""})
    extract = f.extract(NIGHT)
    run = f.publish(extract)
    assert run.state == "success", run.error
    assert "The vendor's model does not name 'accountName' any more" in capsys.readouterr().out
    assert all(row["accountName"] for row in f.rows())
    assert isinstance(f.watch(extract).error, SchemaDrift)


def test_a_vendor_that_changes_the_spelling_of_a_name_for_good_is_followed(flow, capsys) -> None:
    """As accountID became AccountID."""
    f = flow()
    f.publish(f.extract(BEFORE))
    respelled = [
        Drift(group="usage", change=change, field=field, since=NIGHT)
        for change, field in ((Change.LOST, "accountName"), (Change.ADDED, "AccountName"))
    ]
    f.vendor.turn(drift=respelled)
    extract = f.extract(NIGHT)
    assert "schema_rules.same_column: [accountName]" in str(f.publish(extract).error)
    run = f.publish(extract, schema_rules=SchemaRules(same_column=("accountName",)))
    assert run.state == "success", run.error
    assert "What the vendor calls 'AccountName' is the column 'accountName'" in capsys.readouterr().out
    assert {"AccountName"}.isdisjoint(f.rows()[0])
    assert [row for row in f.rows() if row["accountName"] and row["night"].isoformat() == NIGHT]


def test_a_column_that_takes_a_wider_type_is_told_in_the_event(flow) -> None:
    f = flow()
    f.publish(f.extract(BEFORE, mode="batch"))
    f.vendor.faults.add(Fault(kind=faulty.BAD_VALUE, times=None, detail={"row": 1, "field": "quantity", "value": 2.5}))
    run = f.publish(f.extract(NIGHT, mode="batch"))
    assert run.state == "success", run.error
    assert run.result["widened"] == {"quantity": ["int64", "float64"]}
    [event] = run.message.outlet_events
    assert event["extra"]["widened"] == {"quantity": ["int64", "float64"]}
    assert [row["quantity"] for row in f.rows() if row["quantity"] % 1] == [2.5]


def test_publish_compares_with_the_night_before_also_where_there_is_no_table_yet(flow) -> None:
    f = flow()
    f.extract(BEFORE)
    f.vendor.turn(drift=[Drift(group="usage", change=Change.LOST, field="accountName", since=NIGHT)])
    refused = f.publish(f.extract(NIGHT))
    assert refused.state == "failed"
    assert isinstance(refused.error, SchemaDrift)
    assert f"flexnet/usage, night {NIGHT}: column 'accountName' is gone (refused)" in str(refused.error)
    assert not (f.lake / "tables").exists()


def test_publish_tells_a_new_column_in_its_event_and_log(flow, capsys) -> None:
    f = flow()
    f.publish(f.extract(BEFORE))
    f.vendor.turn(drift=[Drift(group="usage", change=Change.ADDED, field="costCentre", since=NIGHT, type="integer")])
    run = f.publish(f.extract(NIGHT))
    [event] = run.message.outlet_events
    assert event["extra"]["added"] == run.result["added"] == ["costCentre"]
    assert "new column 'costCentre', taken into the table" in capsys.readouterr().out


def test_a_night_that_is_published_already_is_not_looked_at_again(flow) -> None:
    f = flow()
    extract = f.extract(BEFORE)
    f.publish(extract)
    f.vendor.turn(drift=[Drift(group="usage", change=Change.ADDED, field="costCentre", since=NIGHT, type="integer")])
    f.publish(f.extract(NIGHT))
    again = f.publish(extract)
    assert again.state == "success", again.error
    assert again.result["already"]


def test_a_value_that_does_not_cast_names_page_row_and_column_and_fails_at_once(flow) -> None:
    f = flow()
    f.vendor.faults.add(
        Fault(kind=faulty.BAD_VALUE, times=None, detail={"row": 63, "field": "eventTime", "value": "soon"})
    )
    extract = f.extract(mode="batch")
    run = f.publish(extract, types={"eventTime": "timestamp"})
    assert run.state == "failed"
    assert isinstance(run.error, CastError)
    assert (run.error.page, run.error.row, run.error.column) == (2, 14, "eventTime")
    assert "'soon'" in str(run.error)
    assert not (f.lake / "tables" / "flexnet" / "usage" / "_delta_log").exists()


def test_identical_rows_are_dropped_and_counted_and_different_ones_of_one_key_are_refused(flow) -> None:
    f = flow()
    f.vendor.faults.add(Fault(kind=faulty.DUPLICATE_ROW, times=None, detail={"row": 3, "at": 4}))
    run = f.publish(f.extract(), key=("usageId",))
    assert run.state == "success", run.error
    assert run.result["duplicates"] == 1
    assert len(f.rows()) == ROWS["usage"]
    f.vendor.faults.clear()
    f.vendor.faults.add(
        Fault(kind=faulty.DUPLICATE_ROW, times=None, detail={"row": 3, "at": 4, "changes": {"accountName": "Other"}})
    )
    refused = f.publish(f.extract(), key=("usageId",))
    assert refused.state == "failed"
    assert isinstance(refused.error, Unsound)
    assert "unique_key" in str(refused.error)
    assert len(f.rows()) == ROWS["usage"]


def test_totals_that_disagree_stop_the_night_unless_the_check_is_off(flow) -> None:
    f = flow()
    f.vendor.faults.add(Fault(kind=faulty.TOTALS_OFF, times=None, detail={"add": 7}))
    extract = f.extract()
    refused = f.publish(extract)
    assert isinstance(refused.error, Unsound)
    assert "127" in str(refused.error)
    assert "120" in str(refused.error)
    assert f.publish(extract, checks=Checks(vendor_totals=False)).state == "success"


def test_an_empty_night_replaces_the_night_unless_that_is_unsound(flow) -> None:
    f = flow()
    f.publish(f.extract())
    f.vendor.turn(rows_a_day={"usage": 0})
    empty = f.extract()
    refused = f.publish(empty, checks=Checks(not_empty=True))
    assert isinstance(refused.error, Unsound)
    assert len(f.rows()) == ROWS["usage"]
    assert f.publish(empty).result["rows"] == 0
    assert f.rows() == []


def test_csv_becomes_the_same_table_as_json(flow) -> None:
    f = flow()
    f.publish(f.extract())
    as_json = sorted(f.rows(), key=lambda row: row["usageId"])
    run = f.publish(f.extract(format="csv"), empty_as_null=True)
    assert run.state == "success", run.error
    as_csv = sorted(f.rows(), key=lambda row: row["usageId"])
    assert [row["usageId"] for row in as_csv] == [row["usageId"] for row in as_json]
    assert {key for key in as_json[0] if as_json[0][key] != as_csv[0][key]} <= {"attributes"}


def test_an_older_extract_leaves_the_newer_one_and_says_so_in_log_result_and_event(flow, capsys) -> None:
    f = flow()
    older, newer = f.extract(), f.extract()
    f.publish(newer)
    run = f.publish(older)
    assert run.state == "success", run.error
    assert list(run.result["kept"]) == [NIGHT]
    assert (run.result["already"], run.result["overruled"]) == (True, {})
    [event] = run.message.outlet_events
    assert event["extra"]["kept"] == run.result["kept"]
    assert f"Night {NIGHT} stays as it is" in capsys.readouterr().out
    forced = f.publish(older, force=True)
    assert (forced.result["kept"], list(forced.result["overruled"])) == ({}, [NIGHT])
    assert f"FORCED: night {NIGHT}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("switches", "extras", "given", "form"),
    [
        ({"data_key": "rows"}, {"data_key": "rows"}, {}, "json"),
        ({"data_key": "rows"}, {}, {"data_key": "rows"}, "json"),
        ({"data_key": "rows"}, {"data_key": "wrong"}, {"data_key": "rows"}, "json"),
        ({"csv_delimiter": ";"}, {"delimiter": ";"}, {}, "csv"),
        ({"csv_charset": "utf-16"}, {"charset": "utf-16"}, {}, "csv"),
    ],
)
def test_what_an_advice_says_to_set_counts_to_the_table(
    flow, switches: dict[str, str], extras: dict[str, str], given: dict[str, str], form: str
) -> None:
    """Of a connection as well as of a report: what the extract was told, its publish reads by."""
    f = flow(**switches)
    f.connection["extra"] = json.dumps(extras)
    extract = f.extract(format=form, **given)
    assert f.watch(extract).state == "success"
    run = f.publish(extract)
    assert run.state == "success", run.error
    assert len(f.rows()) == ROWS["usage"]


def test_another_nights_damaged_manifest_stops_that_night_alone(flow) -> None:
    """It was read for the columns that the night before had, and stopped a week of nights."""
    f = flow()
    before = f.extract(BEFORE)
    (manifest,) = f.lake.glob(f"raw/flexnet/usage/night={BEFORE}/*/manifest.json")
    manifest.write_bytes(manifest.read_bytes()[:100])
    assert f.publish(f.extract(NIGHT)).state == "success"
    assert {row["night"].isoformat() for row in f.rows()} == {NIGHT}
    refused = f.publish(before)
    assert refused.state == "failed"
    assert str(before["extract"]) in str(refused.error)
