"""A rehearsal says what a publish would change, to the last value, and changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nightshift.lake.delta import NightTable
from nightshift.lake.errors import Unsound
from nightshift.lake.extract import Manifest
from nightshift.lake.landing import Landing
from nightshift.lake.published import Published
from nightshift.lake.rehearsal import Rehearsal, rehearse
from nightshift.lake.spec import Checks, PublishSpec, SchemaRules
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish

NIGHT = "2026-11-20"
SPEC = PublishSpec(key=("id",), checks=Checks(not_empty=True))
ROWS = [{"id": str(number), "seats": number, "note": f"n{number % 3}"} for number in range(40)]


def land(lake: Lake, rows: Sequence[dict[str, Any]], extract: str = "first", hour: int = 1) -> Manifest:
    async def landed() -> Manifest:
        folder = Landing(lake, "flexnet", "entitlement", NIGHT).extract(extract)
        entry = await folder.write(1, json.dumps({"data": rows}).encode(), len(rows))
        at = f"2026-11-21T{hour:02d}:00:00+00:00"
        about = {"source": "flexnet", "report": "entitlement", "night": NIGHT, "extract": extract}
        manifest = Manifest.of(
            [entry], **about, connection="flexnet_default", attempt=1, started=at, finished=at, format="json"
        )
        await folder.complete(manifest)
        return manifest

    return asyncio.run(landed())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake.from_url(str(tmp_path))
    publish(found, land(found, ROWS), SPEC)
    return found


def rehearsed(lake: Lake, rows: Sequence[dict[str, Any]], spec: PublishSpec = SPEC, **at: Any) -> Rehearsal:
    return rehearse(lake, land(lake, rows, **at), spec)


def test_the_same_rows_in_another_order_change_nothing_and_nothing_is_written(lake: Lake, tmp_path: Path) -> None:
    manifest = land(lake, ROWS[::-1], "second", 2)
    before = contents(tmp_path)
    found = rehearse(lake, manifest, SPEC)
    assert contents(tmp_path) == before
    assert not found.changes
    (night,) = found.nights
    assert (night.rows_before, night.rows_now, night.is_same, night.columns) == (40, 40, True, ())


def test_one_value_that_no_bound_and_no_sum_shows_is_seen(lake: Lake) -> None:
    """Two rows swap a text: rows, sums, least and greatest are as before."""
    rows = [dict(row) for row in ROWS]
    rows[3]["note"], rows[4]["note"] = rows[4]["note"], rows[3]["note"]
    found = rehearsed(lake, rows, extract="second", hour=2)
    assert found.changes
    assert not found.nights[0].is_same
    assert found.nights[0].columns == ()


def test_rows_sums_and_bounds_are_told_by_column(lake: Lake) -> None:
    rows = [{**row, "seats": row["seats"] * 10, "site": None} for row in ROWS] + [{"id": "40", "seats": 5, "note": "z"}]
    found = rehearsed(lake, rows, extract="second", hour=2)
    (night,) = found.nights
    assert (night.rows_before, night.rows_now) == (40, 41)
    seats = {one.name: one for one in night.columns}["seats"]
    assert seats.before is not None
    assert seats.now is not None
    assert (seats.before.least, seats.before.greatest, seats.before.total) == ("0", "39", "780")
    assert (seats.now.least, seats.now.greatest, seats.now.total) == ("0", "390", "7805")
    assert {one.name for one in night.columns} == {"id", "seats", "note"}


def test_what_a_publish_would_refuse_a_rehearsal_refuses(lake: Lake) -> None:
    with pytest.raises(Unsound, match="not_empty"):
        rehearsed(lake, [], extract="second", hour=2)


def test_a_night_of_a_newer_extract_stays(lake: Lake) -> None:
    manifest = land(lake, ROWS[:5], "older", 0)
    (night,) = rehearse(lake, manifest, SPEC).nights
    assert night.kept == "2026-11-21T01:00:00+00:00"
    assert not night.changes
    published = publish(lake, manifest, SPEC, again=True)
    assert published.already
    assert NightTable(lake, "flexnet", "entitlement").snapshot().nights() == {NIGHT: 40}  # type: ignore[union-attr]


def test_again_commits_what_the_table_has_already(lake: Lake) -> None:
    manifest = land(lake, ROWS)

    def version(done: Published) -> tuple[bool, int]:
        return done.already, done.version

    already, before = version(publish(lake, manifest, SPEC))
    assert already
    assert version(publish(lake, manifest, SPEC, again=True)) == (False, before + 1)


def test_another_type_is_told(lake: Lake) -> None:
    spec = SPEC.model_copy(update={"schema_rules": SchemaRules(allow_type_change=True), "types": {"seats": "string"}})
    found = rehearsed(lake, ROWS, spec, extract="second", hour=2)
    assert [str(one) for one in found.retyped] == ["'seats' from int64 to string"]


def test_a_table_that_is_not_there_is_made_of_new_nights(tmp_path: Path) -> None:
    lake = Lake.from_url(str(tmp_path / "empty"))
    found = rehearsed(lake, ROWS)
    assert found.changes
    assert found.nights[0].rows_before is None
    assert set(found.added) == {"id", "seats", "note"}
    assert not (tmp_path / "empty/tables/flexnet/entitlement/_delta_log").exists()
