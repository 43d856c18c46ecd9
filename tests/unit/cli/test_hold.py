"""``nightshift hold``: one press in a terminal stops the line, and everybody reads who and why."""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from nightshift.promotion.holds import holds
from tests.unit.cli.conftest import Run

PROMOTIONS = """\
portal:
  project: Licensing/Portal
  stream: main
  build: {environment: DEV}
  after: [flexnet/entitlement]
  stages: [{name: DEV, environment: DEV}]
"""


@pytest.fixture(autouse=True)
def application(config: Path, lake: Lake) -> None:
    (config / "promotions.yaml").write_text(PROMOTIONS)


def standing(lake: Lake) -> list[tuple[str | None, str, str]]:
    return [(one.application, one.by, one.reason) for one in asyncio.run(holds(lake))]


def test_a_hold_stands_until_it_is_lifted(run: Run, lake: Lake) -> None:
    set_ = run("hold", "set", "portal", "--reason", "disk is full", "--yes", "--json")
    assert set_.exit_code == 0
    hold = json.loads(set_.stdout)["hold"]
    assert [(one, reason) for one, _, reason in standing(lake)] == [("portal", "disk is full")]
    assert hold["by"].startswith(f"{getpass.getuser()}@")
    listed = run("hold", "list")
    assert listed.exit_code == 1
    assert hold["id"] in listed.stdout
    assert run("hold", "lift", hold["id"], "--reason", "there is room", "--yes").exit_code == 0
    assert standing(lake) == []
    assert run("hold", "list").exit_code == 0
    every = json.loads(run("hold", "list", "--every", "--json").stdout)["holds"]
    assert every[0]["lifted"]["reason"] == "there is room"


@pytest.mark.parametrize("text", ["portal:\n  - [\n", PROMOTIONS.replace("stream:", "straem:"), "x-none: 1\n"])
def test_a_mistake_in_the_file_keeps_nobody_from_stopping_the_line(
    text: str, run: Run, lake: Lake, config: Path
) -> None:
    assert run("promotions").exit_code == 0
    (config / "promotions.yaml").write_text(text)
    assert run("hold", "set", "portal", "--reason", "disk is full", "--yes").exit_code == 0
    assert [one for one, _, _ in standing(lake)] == ["portal"]


def test_all_applications_are_held_with_an_end(run: Run, lake: Lake) -> None:
    assert run("hold", "set", "--all", "--reason", "freeze", "--until", "4h", "--yes").exit_code == 0
    (one,) = asyncio.run(holds(lake))
    assert one.application is None
    assert one.until is not None
    assert (one.until - one.since).total_seconds() == pytest.approx(4 * 3600, abs=60)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("set", "--reason", "x", "--yes"), 2, "--all"),
        (("set", "portal", "--all", "--reason", "x", "--yes"), 2, "--all"),
        (("set", "portle", "--reason", "x", "--yes"), 2, "did you mean 'portal'"),
        (("set", "portal", "--reason", "x", "--until", "yesterday", "--yes"), 2, "with its zone"),
        (("set", "portal", "--reason", "x", "--until", "9999-12-31T23:59:59-12:00", "--yes"), 2, "with its zone"),
        (("set", "portal", "--reason", "x", "--until", "99999999999d", "--yes"), 2, "with its zone"),
        (("set", "portal", "--reason", "  ", "--yes"), 3, "Nothing was changed"),
        (("set", "portal", "--reason", "x"), 1, "--yes"),
        (("lift", "unknown", "--reason", "x", "--yes"), 3, "there is no hold"),
    ],
)
def test_what_cannot_be_meant_holds_nothing(words: tuple[str, ...], code: int, told: str, run: Run, lake: Lake) -> None:
    found = run("hold", *words)
    assert (found.exit_code, standing(lake)) == (code, [])
    assert told in found.stderr


def test_what_a_person_wrote_is_no_markup_and_no_control_character(run: Run) -> None:
    assert run("hold", "set", "portal", "--reason", "[red]\x1b[2Jgone", "--yes").exit_code == 0
    shown = run("hold", "list").stdout
    assert "[red]\ufffd[2Jgone" in shown
    assert "\x1b" not in shown
