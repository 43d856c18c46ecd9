"""The board with the real routes' answers: what is in the lake, for whom, and a lake that is empty or broken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.lake.store import Lake
from tests.unit.board.face.conftest import OpenPage, show
from tests.unit.board.face.host import Serving, with_ui_files
from tests.unit.nights.publishing import published

VIEWS = ("overview", "nights", "promotions", "jobs", "connections", "incidents")


@pytest.fixture(scope="module")
def address(airflow_ui: Any) -> Iterator[str]:
    with Serving(with_ui_files(airflow_ui)) as url:
        yield url


def in_its_own_loop(work: Any) -> None:
    """Run something asynchronous beside the browser, whose driver has the event loop of this thread."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def test_every_view_is_drawn_of_what_is_in_the_lake(address: str, lake: Lake, open_page: OpenPage) -> None:
    night = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    in_its_own_loop(published(lake, night, 3))
    page = open_page(address)
    show(page, "view=nights")
    page.get_by_role(
        "gridcell", name=f"flexnet entitlement, night {datetime.fromisoformat(night):%a} {night}: published, 3 rows"
    ).click()
    page.get_by_role("complementary").get_by_role("button", name="Run this night").wait_for()
    for view in VIEWS:
        show(page, f"view={view}")
        page.locator(".ns-nav[aria-current=page]", has_text=view.capitalize()).wait_for()
        page.wait_for_load_state("networkidle")
        assert page.get_by_role("alert").count() == 0, view
    show(page, "view=promotions")
    page.get_by_role("article", name="portal", exact=True).get_by_text("nothing yet").first.wait_for()


def test_a_viewer_looks_and_another_teams_application_is_not_there(
    address: str, lake: Lake, open_page: OpenPage
) -> None:
    page = open_page(address, "eve", role="VIEWER")
    show(page, "view=promotions")
    portal = page.get_by_role("article", name="portal", exact=True)
    portal.wait_for()
    assert portal.locator(".ns-press[aria-disabled=true]").count() == portal.locator(".ns-press").count() > 0
    assert "secret" not in page.content()
    show(page, "view=nights")
    page.get_by_role("grid").wait_for()
    assert "secret" not in page.content()


def test_a_lake_that_cannot_be_read_is_told(address: str, lake: Lake, tmp_path: Path, open_page: OpenPage) -> None:
    (tmp_path / "lake").write_text("a file where the lake should be")
    page = open_page(address)
    show(page, "view=promotions")
    page.get_by_role("alert").or_(page.locator(".ns-alert")).first.wait_for()
    assert page.get_by_role("heading", name="Nightshift", level=1).count() == 1
