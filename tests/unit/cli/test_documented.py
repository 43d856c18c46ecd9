"""Every key that ``--json`` prints is told in ``docs/cli.md``, so that a program can be written against the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nightshift.cli.doctor.here import settings
from nightshift.lake.store import Lake
from tests.published import publish_night
from tests.unit.cli.conftest import Run

NIGHT = "2026-11-20"
PAGE = (Path(__file__).resolve().parents[3] / "docs/cli.md").read_text()
DOCTOR = PAGE.partition("\n## doctor\n")[2].partition("\n## ")[0]
TOLD = set(re.findall(r"`(\w+)`", PAGE.partition("## For programs")[2].partition("\n## ")[0]))
FREE = frozenset({"columns", "retyped", "figures", "open"})
"""Keys whose values are named by data, or have a page of their own."""
PROMOTIONS = """\
portal:
  project: Licensing/Portal
  stream: main
  build: {environment: DEV}
  after: [flexnet/entitlement]
  stages: [{environment: DEV}]
"""


def keys(shape: Any) -> Iterator[str]:
    if isinstance(shape, list):
        for one in shape:
            yield from keys(one)
    elif isinstance(shape, dict):
        for key, value in shape.items():
            yield key
            if key not in FREE:
                yield from keys(value)


@pytest.mark.parametrize(
    "words",
    [
        ("doctor", "--no-airflow"),
        ("config", "check"),
        ("nights", "--nights", "2", "--until", NIGHT),
        ("nights", "rebuild-index"),
        ("promotions",),
        ("replay", "flexnet/entitlement", "--from", NIGHT),
        ("watch",),
        ("hold", "set", "portal", "--reason", "x", "--yes"),
        ("hold", "list"),
    ],
    ids=" ".join,
)
def test_every_key_is_on_the_page(words: tuple[str, ...], lake: Lake, config: Path, run: Run) -> None:
    (config / "promotions.yaml").write_text(PROMOTIONS)
    publish_night(lake, "flexnet/entitlement", NIGHT)
    told = json.loads(run(*words, "--json").stdout)
    assert told["version"] == 1
    # A check of a night has a name of its own, and what it saw.
    assert set(keys(told)) - TOLD - {"version", "name", "detail"} == set()


def test_the_example_of_doctor_shows_every_setting_that_it_looks_at() -> None:
    assert set(re.findall(r"^(?:ok|warn|bad) +(\S+)", DOCTOR, re.MULTILINE)) >= {one.about for one in settings()}
