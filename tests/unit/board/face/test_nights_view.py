from __future__ import annotations

import re
from typing import Any

import pytest

from nightshift.board.models import CellNote, CellState, NightsGrid
from tests.unit.board.face.conftest import OpenPage, show
from tests.unit.board.face.host import Host
from tests.unit.board.face.laid_nights import cell, changed, great_grid, grid, row
from tests.unit.board.face.moments import EVIL, LAST, NOW, nights

NIGHTS = "/plugin/nightshift?view=nights"


def focused(page: Any) -> str:
    """Return what a screen reader says of what has the focus."""
    return str(page.evaluate("document.activeElement.ariaLabel"))


def test_every_state_is_told_in_words_and_by_a_shape(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(NIGHTS)
    page.get_by_role("grid").wait_for()
    for name, shape in {
        "usage, night .*: failed, RateLimited": "cross",
        "desktop_usage, night .*: late, due .*, Autodesk still works": "clock",
        "device, night .*: running": "play",
        "invoice_instances, night .*: drifted, The column amount became text": "unequal",
        "exago tree, night .*: unsound, [0-9,]+ rows": "bolt",
        "tree_changes, night .*: empty, 0 rows": "ring",
        "entitlement, night .*: rebuilt, [0-9,]+ rows": "corner",
    }.items():
        found = page.get_by_role("gridcell", name=re.compile(name)).first
        assert f"ns-g-{shape}" in found.get_attribute("class"), name
    new = page.get_by_role("gridcell", name=re.compile("account, night .*: published, .*new: CostCenter"))
    assert new.count() == 1
    assert page.get_by_role("gridcell").count() == 11 * 30
    assert f"flexnet entitlement, night {LAST:%a} {LAST}: published, " in page.locator("[data-night]").nth(
        29
    ).get_attribute("aria-label")


def test_the_shade_tells_rows_against_what_is_usual(host: Host, open_page: OpenPage) -> None:
    days = nights(5)
    shades = (0.2, 0.7, None, 1.3, 2.5)
    line = row("flexnet", "usage", days).model_copy(update={"shade": shades})
    host.laid.answers["nights"] = NightsGrid(now=NOW, nights=days, newest=days[-1], reports=(line,))
    page = open_page(host.url)
    page.goto(NIGHTS)
    page.get_by_role("grid").wait_for()
    classes = page.locator("[data-night]").evaluate_all("cells => cells.map(cell => cell.className)")
    assert [one.split("ns-shade-")[1] for one in classes] == ["1", "2", "3", "4", "5"]
    tones = page.locator("[data-night]").evaluate_all(
        "cells => cells.map(cell => getComputedStyle(cell).backgroundColor)"
    )
    assert len(set(tones)) == 5


def test_one_report_and_no_report(host: Host, open_page: OpenPage) -> None:
    days = nights(30)
    host.laid.answers["nights"] = NightsGrid(
        now=NOW, nights=days, newest=days[-1], reports=(row("flexnet", "usage", days),)
    )
    page = open_page(host.url)
    page.goto(NIGHTS)
    page.get_by_text("1 report, 30 nights").wait_for()
    host.laid.answers["nights"] = NightsGrid(now=NOW, nights=days, newest=days[-1])
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("No report yet").wait_for()


def test_keys_move_and_enter_opens_what_is_known(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(NIGHTS)
    page.get_by_role("grid").wait_for()
    page.get_by_role("button", name="Trouble in the last 7 nights").focus()
    page.keyboard.press("Tab")
    assert focused(page).startswith(f"flexnet entitlement, night {LAST:%a} {LAST}")
    for key, told in {
        "ArrowDown": f"flexnet device, night {LAST:%a} {LAST}",
        "ArrowLeft": "flexnet device, night ",
        "Home": "flexnet device, night",
        "Control+End": f"exago tree_changes, night {LAST:%a} {LAST}",
        "Control+Home": "flexnet entitlement, night",
        "End": f"flexnet entitlement, night {LAST:%a} {LAST}",
    }.items():
        page.keyboard.press(key)
        assert focused(page).startswith(told), key
    assert page.locator('[data-night][tabindex="0"]').count() == 1
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary")
    panel.get_by_text("12,400").first.wait_for()
    assert focused(page) == f"flexnet / entitlement, night {LAST:%a} {LAST}"
    for told in ("the usual 11,800", "version 417", "1.2 MB", "25 pages", "attempt 2", "unique key"):
        panel.get_by_text(told).first.wait_for()
    page.keyboard.press("Escape")
    panel.wait_for(state="detached")
    assert focused(page).startswith(f"flexnet entitlement, night {LAST:%a} {LAST}")


def test_the_address_has_the_night_that_is_open(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(f"{NIGHTS}&cell=tokenflex/desktop_usage/{LAST}")
    panel = page.get_by_role("complementary")
    panel.get_by_text("usually 12 minutes").first.wait_for()
    page.get_by_role("gridcell", name=f"flexnet entitlement, night {LAST:%a} {LAST}").click()
    panel.get_by_text("12,400").first.wait_for()
    assert page.url.endswith(f"cell=flexnet%2Fentitlement%2F{LAST}")
    page.goto(f"{NIGHTS}&cell=../../../secrets/2026-99-99")
    page.get_by_role("grid").wait_for()
    assert panel.count() == 0


def test_what_the_lake_says_is_text(host: Host, open_page: OpenPage) -> None:
    days = nights(3)
    line = changed(row(EVIL, EVIL, days), -1, CellState.FAILED, CellNote(text=EVIL), days)
    host.laid.answers["nights"] = NightsGrid(now=NOW, nights=days, newest=days[-1], reports=(line,))
    bad = [
        {"label": "click", "href": "javascript:alert(1)"},
        {"label": "data", "href": "data:text/html,<script>alert(1)</script>"},
        {"label": "elsewhere", "href": "https://vendor.example/x"},
        {"label": "the run", "href": "dags/flexnet_reports/runs/r1"},
    ]
    found = cell(state=CellState.FAILED).model_copy(update={"note": CellNote(text=EVIL)})
    host.laid.answers[f"nights/flexnet/entitlement/{LAST}"] = found.model_validate({**found.model_dump(), "links": bad})
    page = open_page(host.url)
    page.goto(f"{NIGHTS}&cell=flexnet/entitlement/{LAST}")
    panel = page.get_by_role("complementary")
    panel.get_by_text(EVIL).wait_for()
    page.get_by_role("rowheader").get_by_text(EVIL).first.wait_for()
    assert page.locator("img[src=x]").count() == 0
    assert panel.get_by_role("link", name="click").count() == panel.get_by_role("link", name="data").count() == 0
    elsewhere = panel.get_by_role("link", name="elsewhere")
    assert elsewhere.get_attribute("rel") == "noopener noreferrer"
    assert panel.get_by_role("link", name="the run").get_attribute("href") == "/dags/flexnet_reports/runs/r1"


def test_earlier_nights_come_and_what_was_seen_stays(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url, width=760)
    page.goto(NIGHTS)
    heat = page.get_by_role("grid")
    heat.wait_for()
    assert heat.evaluate("grid => Math.round(grid.scrollLeft + grid.clientWidth - grid.scrollWidth)") >= -1
    host.laid.answers["nights"] = grid(60)
    first = page.locator(f'[data-report="entitlement"] [data-night="{nights(30)[0]}"]')
    first.focus()
    before = first.bounding_box()
    page.keyboard.press("ArrowLeft")
    page.get_by_text("11 reports, 60 nights").wait_for()
    assert "count=60" in page.evaluate("performance.getEntriesByType('resource').map(one => one.name).join()")
    after = first.bounding_box()
    assert abs(after["x"] - before["x"]) < 40
    page.keyboard.press("ArrowLeft")
    assert nights(31)[0] in focused(page)


def test_a_report_is_found_and_trouble_alone_is_shown(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(NIGHTS)
    page.get_by_role("grid").wait_for()
    page.get_by_role("searchbox", name="Find a report").fill("INVOICE")
    page.get_by_text("2 reports, 30 nights").wait_for()
    page.get_by_role("searchbox", name="Find a report").fill("")
    page.get_by_role("button", name="Trouble in the last 7 nights").click()
    page.get_by_text("2 reports, 30 nights").wait_for()
    assert page.get_by_role("rowheader", name="desktop_usage").count() == 1
    page.get_by_role("searchbox", name="Find a report").fill("nothing like it")
    page.get_by_text("No report is like that").wait_for()


def test_a_hundred_reports_by_ninety_nights_stay_smooth(host: Host, open_page: OpenPage) -> None:
    shown = great_grid()
    host.laid.answers["nights"] = shown
    page = open_page(host.url, fresh=True)
    page.goto("/plugin/nightshift?view=jobs")
    page.get_by_role("article").first.wait_for()
    page.wait_for_load_state("networkidle")
    browser = page.context.new_cdp_session(page)
    # Processor time, which does not depend on what else the machine does.
    browser.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        found = {one["name"]: one["value"] for one in browser.send("Performance.getMetrics")["metrics"]}
        return 1000 * float(found["TaskDuration"])

    before = spent()
    page.get_by_role("link", name="Nights", exact=True).click()
    page.get_by_text("100 reports, 90 nights").wait_for()
    assert page.locator("[data-night]").count() == 9000
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    rendered = spent() - before
    moved = page.evaluate(
        """() => {
          const keys = ["ArrowLeft", "ArrowDown", "ArrowLeft", "ArrowUp"];
          document.querySelector('[data-night][tabindex="0"]').focus();
          const begun = performance.now();
          for (let press = 0; press < 80; press += 1) {
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: keys[press % 4], bubbles: true}));
            document.activeElement.getBoundingClientRect();
          }
          return (performance.now() - begun) / 80;
        }"""
    )
    print(f"100 by 90: rendered in {rendered:.0f} ms of the processor, a key in {moved:.1f} ms")
    assert rendered < 3000
    assert moved < 50
    page.evaluate(
        "window.changes = []; new MutationObserver(list => window.changes.push(...list)).observe("
        "document.querySelector('[role=grid]'), {subtree: true, attributes: true, childList: true})"
    )
    lines = list(shown.reports)
    lines[3] = changed(lines[3], -1, CellState.FAILED, None, shown.nights)
    host.laid.answers["nights"] = shown.model_copy(update={"reports": tuple(lines)})
    page.get_by_role("button", name="Look again").click()
    page.locator('[data-report="report_003"] .ns-g-cross').wait_for()
    assert page.evaluate("window.changes.length") <= 4


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_window(host: Host, open_page: OpenPage, width: int) -> None:
    page = open_page(host.url, width=width)
    for view in ("overview", "nights", "promotions", "jobs", "connections", "incidents"):
        show(page, f"view={view}")
        page.locator(".ns-section [role=grid], .ns-card, .ns-stage").first.wait_for()
        wide = page.evaluate(
            """() => {
                const page = document.querySelector('.ns-page');
                return [document.documentElement.scrollWidth, page.scrollWidth - page.clientWidth];
            }"""
        )
        assert wide == [width, 0], view
