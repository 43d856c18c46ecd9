"""Whether two targets are the same, and which records are believed of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightshift.lake.errors import Damaged
from nightshift.promotion.aim import Aim, adopt, adopted, aim_at
from nightshift.promotion.target import BUILD, Target, server_of, targets_of, what_differs
from tests.unit.promotion.play import config, stage
from tests.unit.promotion.shelf import Shelf

HERE: dict[str, Any] = {
    "connection": "fd",
    "server": "fd.example.com/flexdeploy",
    "project_id": 7,
    "project": "A/Portal",
}


def target(**more: Any) -> Target:
    return Target(**{**HERE, **more})


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("https://fd.example.com/flexdeploy", "fd.example.com/flexdeploy"),
        ("http://FD.example.com:80/flexdeploy/", "fd.example.com/flexdeploy"),
        ("https://fd.example.com:443/flexdeploy", "fd.example.com/flexdeploy"),
        ("https://fd.example.com:8443/flexdeploy", "fd.example.com:8443/flexdeploy"),
        ("https://fd.example.com/other", "fd.example.com/other"),
    ],
)
def test_a_server_is_known_by_its_address_however_that_is_spelled(address: str, server: str) -> None:
    assert server_of(address) == server


@pytest.mark.parametrize(
    ("kept", "wanted", "words"),
    [
        ({}, {}, ""),
        # Of two ids the names do not matter: a folder was renamed, or one of the two has no name.
        ({}, {"project": "B/Portal"}, ""),
        ({"project": None}, {}, ""),
        ({}, {"project_id": 8}, "project A/Portal (7), not project A/Portal (8)"),
        ({"project": None}, {"project": None, "project_id": 8}, "project 7, not project 8"),
        # FlexDeploy did not tell an id: names decide.
        ({}, {"project_id": None}, ""),
        ({}, {"project_id": None, "project": "B/Portal"}, "project A/Portal (7), not project B/Portal"),
        ({"project": None}, {"project_id": None}, "project 7, not project A/Portal"),
        ({"environment_id": 1}, {"environment_id": 1}, ""),
        ({"environment_id": 1}, {"environment_id": 2}, "environment 1, not environment 2"),
        ({"stream": "main"}, {"stream": "hotfix"}, "stream main, not stream hotfix"),
        # A build has no environment, a deployment no stream.
        ({"stream_id": 1}, {"environment_id": 2}, ""),
        # The same server by another connection; another one by the same.
        ({}, {"connection": "other"}, ""),
        ({}, {"server": "fd:8000"}, "FlexDeploy at fd.example.com/flexdeploy, not fd:8000"),
        ({"server": ""}, {}, ""),
        ({}, {"server": "", "connection": "other"}, "the connection fd, not other"),
        ({}, {"server": "fd:8000", "project_id": 8}, "FlexDeploy at fd.example.com/flexdeploy, not fd:8000; project"),
    ],
)
def test_a_target_is_another_one_by_what_both_tell(kept: dict[str, Any], wanted: dict[str, Any], words: str) -> None:
    found = what_differs(target(**kept), target(**wanted))
    assert found.startswith(words)
    assert bool(found) == bool(words)
    assert Target.of(target(**kept).told) == target(**kept)


def test_what_is_configured_is_told_of_each_stage_and_of_the_build() -> None:
    found = targets_of(config(stage("DEV"), {"environment": "QA"}))
    assert list(found) == [BUILD, "DEV", "QA"]
    assert found["QA"].words == "project 10101, environment QA"
    assert found[BUILD].words == "project 10101, stream 10501"


async def test_what_tells_nothing_is_of_what_was_configured_first_and_of_nothing_else(shelf: Shelf) -> None:
    here, other = {"TEST": target(environment_id=1)}, {"TEST": target(environment_id=2)}
    assert (await aim_at(shelf.records, other)).other("TEST", None) == ""
    await adopt(shelf.records, here)
    await adopt(shelf.records, other)
    assert await adopted(shelf.records) == here
    assert (await aim_at(shelf.records, here)).other("TEST", None) == ""
    assert (await aim_at(shelf.records, other)).other("TEST", None) == "environment 1, not environment 2"
    assert "nobody knows" in (await aim_at(shelf.records, {"PROD": target()})).other("PROD", None)
    assert await aim_at(shelf.records, None) == Aim()
    assert Aim().other("TEST", target()) == ""


async def test_nothing_is_believed_where_that_is_damaged(shelf: Shelf, tmp_path: Path) -> None:
    await adopt(shelf.records, {"TEST": target()})
    (tmp_path / "promotions" / "portal" / "adopted").write_text("{")
    with pytest.raises(Damaged, match=r"promotions/portal/adopted cannot be read.*Restore the object"):
        await aim_at(shelf.records, {"TEST": target()})
