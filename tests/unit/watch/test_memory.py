"""What the watch remembers from look to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from nightshift.watch.memory import LastLook, Memory, Unseen
from tests.unit.watch.looks import at

BLIND = Unseen(of="flexnet/usage", why="its log cannot be read")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.from_url(str(tmp_path / "lake"))


async def test_what_the_last_look_could_not_see_is_kept_with_its_moment(lake: Lake) -> None:
    memory = Memory(lake)
    assert (await memory.read()).last is None
    await memory.looked("dag", at("06:00"), [BLIND])
    assert (await memory.read()).last == LastLook(at=at("06:00"), unseen=(BLIND,))
    await memory.looked("command", at("06:00"))
    assert (await memory.read()).last == LastLook(at=at("06:00"), unseen=(BLIND,))
    await memory.looked("command", at("06:01"))
    assert (await memory.read()).last == LastLook(at=at("06:01"))


async def test_a_look_of_an_older_release_is_read(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "lake" / "watch" / "looked"
    folder.mkdir(parents=True)
    (folder / "dag.json").write_text('{"at": "2026-11-28T06:00:00Z"}')
    assert (await Memory(lake).read()).looked == {"dag": LastLook(at=at("06:00"))}


async def test_what_nobody_waits_for_any_more_is_forgotten_alone(lake: Lake) -> None:
    memory = Memory(lake)
    for report in ("flexnet/usage", "flexnet/usage_more", "exago/tree"):
        await memory.begin(report, "2026-11-27")
    await memory.end({"flexnet/usage"})
    assert sorted((await memory.read()).first) == ["exago/tree", "flexnet/usage_more"]
