"""What is replaced lies inside of what was asked for, and what came is of the nights that were asked for."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from airflow.sdk import DAG

from nightshift.lake.errors import Unsound
from nightshift.lake.spec import Checks
from nightshift.lake.store import Lake
from nightshift.nights.replay import replays
from nightshift.tokenflex.configuration import UsageExport
from nightshift.tokenflex.landing_operators import TokenFlexPublishExportOperator
from tests.execution_api import FakeExecutionApi
from tests.unit.tokenflex.export_tasks import NIGHT
from tests.unit.tokenflex.test_landing_operators import EXPORT, bring_home, brought_home, table
from tests.unit.tokenflex.vendor import Vendor

HEADER = "usageDate,userName,tokensConsumed\n"
BOUNDED = EXPORT.usage(NIGHT).where
OF_A_MONTH = "usageMonth = '2026-10-01'"
THERE = {("2026-11-20", "ann"): 1.0, ("2026-11-21", "bob"): 2.0}


@pytest.fixture(autouse=True)
def there(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    """Two nights that are right."""
    bring_home(vendor, api, HEADER + "2026-11-20,ann,1\n2026-11-21,bob,2\n", where=BOUNDED)
    assert table(lake) == THERE


@pytest.mark.parametrize(
    ("rows", "where", "told"),
    [
        ("2026-11-21,ann,1\n2025-11-21,bob,2\n", BOUNDED, "1 of 2 rows are of nights that are not asked for, such as "),
        (
            "2026-10-01,ann,1\n2026-10-30,bob,2\n",
            OF_A_MONTH,
            "2 of 2 rows are of nights that are not asked for, such as ",
        ),
        ("2026-11-22,ann,1\n", None, "1 of 1 rows are of nights that are not asked for, such as 2026-11-22"),
    ],
    ids=["a filter that was not heeded", "another month was asked for", "nobody says what was asked for"],
)
def test_rows_that_cannot_be_of_what_was_asked_for_leave_the_nights_as_they_are(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, rows: str, where: str | None, told: str
) -> None:
    run = brought_home(vendor, api, HEADER + rows, where=where)
    assert isinstance(run.error, Unsound)
    assert told in str(run.error)
    assert "set checks.other_nights to " in str(run.error)
    assert table(lake) == THERE


@pytest.mark.parametrize(("let", "where"), [("all", BOUNDED), ("all", None), ("some", BOUNDED)])
def test_a_site_lets_rows_of_other_nights_through_by_a_setting(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, let: str, where: str | None
) -> None:
    export = EXPORT.model_copy(update={"checks": Checks(other_nights=let)})
    own = "" if let == "all" else "2026-11-21,eve,3\n"
    told = bring_home(vendor, api, f"{HEADER}2026-10-01,ann,1\n{own}", export=export, where=where)
    assert told["outside"] == 1
    assert len(table(lake)) == len(own.split())


def test_a_file_without_rows_is_of_the_nights_that_were_asked_for(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    bring_home(vendor, api, HEADER, where=BOUNDED)
    assert table(lake) == {}


@pytest.mark.parametrize(("field", "look_back"), [("usageMonth", 30), ("transactionDate", 1)])
def test_nights_that_were_asked_for_by_another_column_are_not_replaced(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, field: str, look_back: int
) -> None:
    """In a DAG of one's own nothing but the publish sees both."""
    asked = UsageExport(name="desktop", fields=EXPORT.fields, date_field=field, look_back=look_back, night_column=field)
    export = EXPORT.model_copy(update={"look_back": look_back})
    file = HEADER + "2026-11-21,eve,3\n"
    run = brought_home(vendor, api, file, export=export, where=asked.usage(NIGHT).where)
    assert isinstance(run.error, Unsound)
    assert f"asked for by date_field ({field}) and replaced by night_column (usageDate)" in str(run.error)
    assert table(lake) == THERE


def test_a_look_back_that_is_longer_by_now_replaces_no_night_that_was_not_asked_for(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    alone, longer = (EXPORT.model_copy(update={"look_back": back}) for back in (0, 2))
    bring_home(vendor, api, HEADER + "2026-11-21,eve,3\n", export=longer, where=alone.usage(NIGHT).where)
    assert table(lake) == {("2026-11-20", "ann"): 1.0, ("2026-11-21", "eve"): 3.0}


def test_rows_of_nights_that_were_asked_for_are_right_where_only_some_nights_are_replaced(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    shorter = EXPORT.model_copy(update={"look_back": 0})
    told = bring_home(vendor, api, HEADER + "2026-11-20,eve,3\n", export=shorter, where=BOUNDED)
    assert told["outside"] == 1
    assert table(lake) == {("2026-11-20", "ann"): 1.0}


def test_some_nights_of_an_extract_are_replayed_by_themselves(lake: Path) -> None:
    spec = EXPORT.publish_spec("UTC").model_dump(mode="json")
    for look_back in (2, 0):
        night = date(2026, 11, 20)
        with DAG("d", schedule=None):
            publisher = TokenFlexPublishExportOperator(
                task_id="publish", extract={}, spec=spec, report="desktop", look_back=look_back
            )
        found = list(replays(Lake.from_url(str(lake)), publisher, night, night))
        assert [(one.nights, one.rehearse().changes) for one in found] == [(("2026-11-20",), 0)] * bool(look_back)
