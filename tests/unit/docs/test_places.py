"""Where pages and messages send people is there: entries of Airflow's navigation, and views of the board."""

from __future__ import annotations

import json
import re
from pathlib import Path

import airflow

from nightshift.plugin import NightshiftPlugin

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "plugins/nightshift"
TOLD = [
    *ROOT.glob("*.md"),
    *(page for page in (ROOT / "docs").rglob("*.md") if "vendors" not in page.parts),
    *(one for kind in ("py", "js", "html") for one in PACKAGE.rglob(f"*.{kind}")),
]
WORDS = Path(airflow.__file__).parent / "ui/dist/i18n/locales/en/common.json"
ENTRY = re.compile(
    r"\b(Admin|Browse|Security|Docs)(?:,| →) ([A-Z]\w+(?: [\w-]+)*?)(?=[*,;.:)\"`<]|$| and | once)", re.MULTILINE
)


def entries() -> set[tuple[str, str]]:
    """Return the entries of Airflow's navigation: its own, and those of the plugin."""
    menus = json.loads(WORDS.read_text())
    own = {(menu.capitalize(), name) for menu in ("admin", "browse") for name in menus[menu].values()}
    return own | {(one["category"].capitalize(), one["name"]) for one in NightshiftPlugin.external_views}


def views() -> set[str]:
    listed = (PACKAGE / "board/static/app.js").read_text().partition("overview: ")[2].partition("}")[0]
    return {"Overview", *re.findall(r': "(\w+)"', listed)}


def test_every_entry_of_the_navigation_that_is_named_is_there() -> None:
    named = {(*found, path.name) for path in TOLD for found in ENTRY.findall(path.read_text())}
    assert len(named) > 10
    assert {one for one in named if one[:2] not in entries()} == set()


def test_every_view_that_is_named_is_one_of_the_board() -> None:
    told = (ROOT / "docs/board.md").read_text().partition("| view |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| (\w+) \|", told, re.MULTILINE)) == views()
    named = {one for path in TOLD for one in re.findall(r"\bview \*(\w+)\*", path.read_text())}
    assert named
    assert named <= views()


def test_the_board_is_in_the_navigation_under_the_name_that_pages_give_it() -> None:
    assert {one["name"] for one in NightshiftPlugin.react_apps if one.get("nav_top_level")} == {"Nightshift"}
    assert "**Nightshift** in the navigation" in (ROOT / "docs/runbook.md").read_text()
