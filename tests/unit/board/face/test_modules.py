"""The ES modules as files: whole, self-contained, and served so that two versions never meet in one page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nightshift.plugin import NightshiftPlugin
from tests.unit.board.conftest import browser
from tests.unit.board.face.host import STATIC

MODULES = sorted(STATIC.glob("*.js"))
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|\beval\(|new Function"
)


def test_every_import_is_a_module_of_ours() -> None:
    for module in MODULES:
        for found in re.findall(r"""(?:from|import\()\s*["']([^"']+)["']""", module.read_text()):
            assert (STATIC / found).is_file(), f"{module.name} imports {found}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_module_makes_markup_of_data(module: Any) -> None:
    assert not MARKUP.search(module.read_text())


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file in STATIC.iterdir():
        urls = set(re.findall(r"https?://[\w./-]+", file.read_text()))
        assert urls <= {"http://www.w3.org/2000/svg"}, file.name


def test_the_plugin_names_a_module_that_is_there_and_components_that_it_makes() -> None:
    made = (STATIC / "board.js").read_text()
    for entry in NightshiftPlugin.react_apps:
        assert entry["bundle_url"] == "nightshift/board/static/board.js"
        assert f'"{entry["name"]}"' in made
        # From 3.4 on, Airflow shows what belongs to a DAG at those with this tag alone.
        is_of_a_dag = entry["destination"] in ("dag", "dag_run")
        assert entry.get("applies_to") == ({"dag.tags.name": ["nightshift"]} if is_of_a_dag else None)
        for icon in ("icon", "icon_dark_mode"):
            assert (STATIC / entry.get(icon, "icon.svg").rpartition("/")[2]).is_file()


async def test_files_are_asked_about_each_time_and_the_page_says_what_to_open(app: Any) -> None:
    async with browser(app) as anybody:
        module = await anybody.get("static/board.js")
        assert (module.status_code, module.headers["cache-control"]) == (200, "no-cache")
        assert module.headers["content-type"].startswith("text/javascript")
        again = await anybody.get("static/board.js", headers={"if-none-match": module.headers["etag"]})
        assert again.status_code == 304
        assert (await anybody.get("static/../models.py")).status_code == 404
        page = await anybody.get("")
        assert 'href="../../plugin/nightshift"' in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        style = re.search('href="(static/[^"]+)"', page.text)
        assert style is not None
        assert (await anybody.get(style[1])).status_code == 200
