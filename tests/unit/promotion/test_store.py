"""Where records are, and in which order they are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.lake.errors import Damaged
from nightshift.lake.store import Lake
from nightshift.promotion.store import Records, object_name
from tests.unit.promotion.records import MINUTE, T, record
from tests.unit.promotion.shelf import Shelf

STRANGE = [
    "manual__2026-11-20T22:00:00+00:00",
    "a/b",
    "a\\b",
    "../../etc/passwd",
    "..",
    ".",
    "",
    " ",
    "a b",
    "a%2Fb",
    "nächtlich",
    "x" * 300,
    "x" * 201,
    "x" * 202,
    "a?b",
    "a#b",
    "a*b",
    "CON",
    "-rf",
    ".hidden",
    "a\nb",
    "a/b.json",
    "a-b",
]


def test_a_usual_run_id_is_its_name() -> None:
    assert (
        object_name("scheduled__2026-11-20T22:00:00.5+00:00_abc") == "scheduled__2026-11-20T22:00:00.5+00:00_abc.json"
    )


def test_strange_run_ids_never_collide() -> None:
    names = [object_name(one) for one in STRANGE]
    assert len(set(names)) == len(STRANGE)
    assert len({name.casefold() for name in names}) == len(STRANGE)


@given(st.text(max_size=250))
def test_every_name_is_safe_in_a_path(run_id: str) -> None:
    name = object_name(run_id)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.:+-]{0,210}", name), name
    assert name.endswith(".json")


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_run_ids_have_two_names(one: str, other: str) -> None:
    assert (object_name(one) == object_name(other)) is (one == other)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("run_id", STRANGE)
async def test_each_is_written_into_its_own_folder_and_read_again(tmp_path: Path, run_id: str) -> None:
    records = Records(Lake.from_url(str(tmp_path)), "portal")
    await records.write(record(run_id=run_id))
    assert await records.read(run_id) == record(run_id=run_id)
    [only] = files_in(tmp_path)
    assert only.parent == tmp_path / "promotions" / "portal"


async def test_there_may_be_none(tmp_path: Path) -> None:
    records = Records(Lake.from_url(str(tmp_path)), "portal")
    assert await records.read("r") is None
    assert await records.listed() == []


@pytest.mark.parametrize("name", ["", "../other", "a/b", ".hidden", "x" * 129])
def test_an_application_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a application"):
        Records(Lake.from_url(str(tmp_path)), name)


async def test_each_change_of_a_record_has_another_mark(shelf: Shelf) -> None:
    await shelf.put(record(run_id="r1"), minute=1)
    await shelf.put(record(run_id="r2"), minute=2)
    before = {one.name: one for one in await shelf.records.listed()}
    assert before.keys() == {"r1.json", "r2.json"}
    assert before["r1.json"].changed == T + MINUTE
    await shelf.put(record(run_id="r1", reason="changed"), minute=1)
    after = {one.name: one for one in await shelf.records.listed()}
    assert after["r2.json"] == before["r2.json"]
    assert after["r1.json"].mark != before["r1.json"].mark


async def test_other_objects_of_the_folder_are_no_records(shelf: Shelf) -> None:
    await shelf.put(record(run_id="r"), minute=1)
    (shelf.folder / "notes.txt").write_text("by hand")
    await shelf.records.write_beside(b"{}")
    assert [one.name for one in await shelf.records.listed()] == ["r.json"]


async def test_a_damaged_one_is_named(shelf: Shelf) -> None:
    await shelf.put(record(run_id="r"), minute=1)
    shelf.damage("r")
    with pytest.raises(Damaged, match=r"promotions/portal/r\.json"):
        await shelf.records.read("r")
