from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from nightshift.board.models import (
    BoardPart,
    CellState,
    ConnectionsAnswer,
    FiguresAnswer,
    IncidentsAnswer,
    JobsAnswer,
    Lanes,
    NightsGrid,
    NightTile,
    PromotionTile,
    SignInTile,
    TimeLine,
)
from tests.unit.board.face.conftest import OpenPage, show
from tests.unit.board.face.host import Host
from tests.unit.board.face.laid_operations import overview, trouble
from tests.unit.board.face.laid_promotions import time_line
from tests.unit.board.face.moments import LAST, NOW, ago, nights, soon

VIEWS = ("overview", "nights", "promotions", "jobs", "connections", "incidents")
SHOWN = ".ns-section [role=grid], .ns-card, .ns-stage"
BOARD = "/plugin/nightshift"


def test_the_first_view_shows_everything_at_a_glance(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto("/")
    page.get_by_role("link", name="Nightshift", exact=True).click()
    page.get_by_role("heading", name="Nightshift", level=1).wait_for()
    for told in ("9 of 11", "1 late", "2 under way", "moving", "year end from", "1 open", "9 h 20 min"):
        page.locator(".ns-tiles").get_by_text(told).first.wait_for()
    needs = page.get_by_role("complementary", name="What needs somebody")
    for told in (
        "1 job of which only a person",
        "tokenflex_default fails",
        "approval 1 of 2: ada said yes (alan or grace)",
    ):
        needs.get_by_text(told).wait_for()
    answer = needs.get_by_role("link", name="Answer")
    assert answer.get_attribute("href") == "/dags/promote_usage_portal/runs/r7/tasks/TEST.approve/required_actions"
    page.get_by_role("link", name="Jobs 2").click()
    page.get_by_role("heading", name="Jobs at the vendors").wait_for()
    assert page.get_by_role("link", name="Jobs 2").get_attribute("aria-current") == "page"


def test_airflows_first_page_has_a_card(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto("/")
    card = page.get_by_role("region", name="Nightshift")
    for told in ("9 of 11", "2 under way", "moving", "1 open"):
        card.get_by_text(told).first.wait_for()
    assert card.get_by_role("button").count() == 0, "nothing is pressed here"
    card.get_by_role("link", name="Promotions").click()
    page.get_by_role("link", name="Promotions", exact=True).and_(page.locator("[aria-current]")).wait_for()
    page.get_by_role("article", name="license_portal").wait_for()


def test_who_may_not_see_the_board_sees_no_card(host: Host, open_page: OpenPage) -> None:
    host.laid.answers["overview"] = (403, {"status": 403, "title": "No", "detail": "No.", "advice": "Ask."})
    page = open_page(host.url, may_fail=True)
    with page.expect_response(lambda answer: answer.url.endswith("/board/api/overview")):
        page.goto("/")
    page.get_by_role("heading", name="Welcome").wait_for()
    assert page.locator(".ns-home").count() == 0


def test_a_lane_tells_what_runs_where_and_what_comes_next(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(f"{BOARD}?view=promotions")
    lane = page.get_by_role("article", name="license_portal")
    dev, test, prod = (lane.get_by_role("listitem").filter(has_text=label).first for label in ("DEV", "TEST", "PROD"))
    for stage, told in (
        (dev, ("1.0.42", "verified", "night")),
        (test, ("soaking, 2 h", "approved by ada")),
        (prod, ("1.0.40", "2 behind", "1.0.42 comes next", "soak, then the window 22:00 to 04:00")),
    ):
        for one in told:
            stage.get_by_text(one).first.wait_for()
    assert "rolled back to 7.2.4" in page.get_by_role("article", name="finance_sync").inner_text()
    assert "nothing yet" in page.get_by_role("article", name="usage_portal").inner_text()


def test_the_time_line_goes_back_page_by_page(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(f"{BOARD}?view=promotions")
    page.get_by_role("article", name="usage_portal").get_by_role("button", name="Time line").click()
    line = page.get_by_role("list", name="Promotions, newest first")
    line.get_by_text("ada: looked at the diff").wait_for()
    assert [one.strip() for one in line.locator("summary .ns-chip").all_inner_texts()] == [
        "under way",
        "promoted",
        "rolled back",
    ]
    first = time_line()
    host.laid.answers["promotions/usage_portal"] = TimeLine(now=NOW, lane=first.lane, promotions=first.promotions[2:])
    page.get_by_role("button", name="Earlier promotions").click()
    page.get_by_role("list", name="Earlier promotions").get_by_text("2.9").wait_for()
    assert page.get_by_role("button", name="Earlier promotions").count() == 0
    page.reload()
    page.get_by_role("list", name="Promotions, newest first").wait_for()


def test_figures_are_opened_to_what_they_are_made_of(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(f"{BOARD}?view=promotions")
    page.get_by_text("made of 18 entries").click()
    page.get_by_role("link", name="license_portal 17").first.wait_for()


def test_connections_tell_the_sign_in_and_its_end(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(f"{BOARD}?view=connections")
    token = page.get_by_role("article", name="tokenflex_default")
    for told in ("failing", "5 requests a minute", "ends soon", "ada", "in 2 d"):
        token.get_by_text(told).first.wait_for()
    assert (
        token.get_by_role("link", name="Sign in at Autodesk").get_attribute("href")
        == f"{host.url}/nightshift/tokenflex/"
    )
    assert "there is none" in page.get_by_role("article", name="fd_prod").inner_text()


def test_incidents_tell_cause_advice_and_how_long_it_took(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(f"{BOARD}?view=incidents")
    for told in (
        "Autodesk still works",
        "license_portal, finance_sync",
        "Wait, or ask Autodesk",
        "restored in 41 min",
        "the watch looked 2 min ago",
    ):
        page.get_by_text(told).first.wait_for()


def test_nothing_at_all_says_what_would_be_there(host: Host, open_page: OpenPage) -> None:
    days = nights(30)
    host.laid.answers |= {
        "overview": overview(
            night=None,
            promotions=None,
            line=None,
            figures=None,
            jobs=0,
            jobs_in_doubt=0,
            connections_failing=(),
            incidents_open=0,
        ),
        "nights": NightsGrid(now=NOW, nights=days, newest=days[-1]),
        "promotions": Lanes(now=NOW),
        "figures": FiguresAnswer(now=NOW, days=28, since=ago(days=28)),
        "jobs": JobsAnswer(now=NOW),
        "connections": ConnectionsAnswer(now=NOW),
        "incidents": IncidentsAnswer(now=NOW),
    }
    page = open_page(host.url)
    for view, told in {
        "nights": "No report yet",
        "promotions": "No application yet",
        "jobs": "Nothing waits at a vendor",
        "connections": "No connection",
        "incidents": "The watch has not looked yet",
        "overview": "No report yet",
    }.items():
        show(page, f"view={view}")
        page.get_by_text(told).first.wait_for()


def test_each_part_is_broken_alone(host: Host, open_page: OpenPage) -> None:
    problem = {
        "status": 503,
        "title": "The lake cannot be read",
        "detail": "It did not answer.",
        "advice": "Look at NIGHTSHIFT_LAKE.",
    }
    host.laid.answers["promotions"] = (503, problem)
    host.laid.answers["overview"] = overview(
        troubles=(trouble(BoardPart.FIGURES, "A record is not JSON.", "finance_sync"),)
    )
    page = open_page(host.url)
    page.goto(BOARD)
    page.get_by_role("grid").wait_for()
    page.get_by_role("alert").get_by_text("Look at NIGHTSHIFT_LAKE.").wait_for()
    page.get_by_text("figures: finance_sync").wait_for()
    del host.laid.answers["promotions"]
    host.laid.answers["promotions"] = Lanes(now=NOW)
    page.get_by_role("button", name="Try again").click()
    page.get_by_text("No application yet").wait_for()
    host.laid.answers["nights"] = (503, problem)
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("What you see is the last good answer.").wait_for()
    assert page.get_by_role("gridcell").count() == 330


def test_nobody_is_told_to_sleep_well_while_something_is_wrong_or_not_known(host: Host, open_page: OpenPage) -> None:
    well = {
        "night": NightTile(night=LAST.isoformat(), reports=2, states={CellState.PUBLISHED: 1, CellState.RUNNING: 1}),
        "jobs_in_doubt": 0,
        "connections_failing": (),
        "incidents_open": 0,
        "promotions": PromotionTile(under_way=0),
    }
    late = NightTile(night=LAST.isoformat(), reports=2, states={CellState.LATE: 1, CellState.UNPROVEN: 1})
    page = open_page(host.url)
    needs = page.get_by_role("complementary", name="What needs somebody")
    for more, told in (
        ({}, ["Nothing. Sleep well."]),
        ({"night": late}, ["1 report late", "1 report unproven"]),
        ({"incidents_open": 2}, ["2 incidents open"]),
        ({"connections_failing": ("fd_prod",)}, ["The connection fd_prod fails"]),
        ({"jobs_in_doubt": 1}, ["1 job of which only a person can tell"]),
        (
            {"sign_ins": (SignInTile(connection="one", state="never"), SignInTile(connection="two", state="ended"))},
            ["Nobody has signed in for the connection one", "The sign-in of the connection two has ended"],
        ),
        (
            {
                "sign_ins": (
                    SignInTile(connection="one", state="unreadable"),
                    SignInTile(connection="two", state="ends_soon", ends=soon(days=2)),
                )
            },
            ["The sign-in of the connection one cannot be read", "The sign-in of the connection two ends in 2 d"],
        ),
        ({"night": late.model_copy(update={"oldest": "2000-01-01"})}, ["late, nights of Sat 1 Jan to", "unproven"]),
        ({"watched": None}, ["The watch has not looked yet"]),
        ({"watched": ago(hours=2)}, ["The watch has not looked for an hour"]),
        ({"troubles": (trouble(BoardPart.JOBS, "The lake cannot be read."),)}, ["Nothing of what can be read."]),
    ):
        host.laid.answers["overview"] = overview(**{**well, **more})
        page.get_by_role("button", name="Look again").click() if more else page.goto(BOARD)
        for text in told:
            needs.get_by_text(text).wait_for()
        assert needs.get_by_text("Sleep well").count() == (not more)
        assert needs.get_by_role("listitem").count() == (len(told) if more.keys() - {"troubles"} else 0)


def test_a_sign_in_that_ends_soon_is_late_and_one_that_ended_is_counted(host: Host, open_page: OpenPage) -> None:
    tiles = [
        SignInTile(connection=name, state=state)
        for name, state in (("fd_prod", "ended"), ("one", "never"), ("two", "ends_soon"))
    ]
    host.laid.answers["overview"] = overview(connections_failing=("fd_prod",), sign_ins=tuple(tiles))
    page = open_page(host.url)
    page.goto(BOARD)
    needs = page.get_by_role("complementary", name="What needs somebody")
    assert "ns-bad" in str(needs.get_by_role("listitem").filter(has_text="has ended").get_attribute("class"))
    assert "ns-late" in str(needs.get_by_role("listitem").filter(has_text="ends soon").get_attribute("class"))
    page.get_by_role("link", name="Connections 2").wait_for()


def test_nothing_is_called_well_beside_what_cannot_be_read(host: Host, open_page: OpenPage) -> None:
    whole = NightTile(night=LAST.isoformat(), reports=2, states={CellState.PUBLISHED: 2})
    given = {"night": whole, "promotions": PromotionTile(under_way=0)}
    mistake = (trouble(BoardPart.CONFIGURATION, "It is not YAML.", "promotions.yaml"),)
    page = open_page(host.url)
    for troubles, tiles, empty in (
        ((), ("all published", "nothing waits"), "Nothing waits at a vendor"),
        (
            mistake,
            ("all published of what can be read", "nothing waits of what can be read"),
            "Nothing waits at a vendor of what can be read",
        ),
    ):
        host.laid.answers["overview"] = overview(**given, troubles=troubles)
        host.laid.answers["jobs"] = JobsAnswer(now=NOW, troubles=troubles)
        page.goto(BOARD)
        for told in tiles:
            page.locator(".ns-tiles").get_by_text(told, exact=True).wait_for()
        show(page, "view=jobs")
        page.get_by_text(empty, exact=True).wait_for()
        assert page.locator(".ns-empty .ns-g-check").count() == (not troubles)


def test_that_nothing_was_found_is_said_only_while_the_watch_looks(host: Host, open_page: OpenPage) -> None:
    found = "found nothing late, missing or unsound"
    unread = (trouble(BoardPart.INCIDENTS, "One of them is damaged."),)
    page = open_page(host.url)
    for watched, troubles, told in (
        (ago(minutes=2), (), found),
        (ago(days=21), (), "The watch has not looked for an hour: is the DAG nightshift_watch there"),
        (None, (), "The watch has not looked yet: is the DAG nightshift_watch there"),
        (ago(minutes=2), unread, "Not all of it can be read"),
    ):
        host.laid.answers["incidents"] = IncidentsAnswer(now=NOW, watched=watched, troubles=troubles)
        page.goto(f"{BOARD}?view=incidents")
        page.reload()
        page.get_by_text(told).wait_for()
        assert page.locator(".ns-empty .ns-g-check").count() == page.get_by_text(found).count() == (told == found)


def test_a_view_that_cannot_be_drawn_leaves_the_others_alone(host: Host, open_page: OpenPage) -> None:
    host.laid.answers["promotions"] = (
        200,
        {"now": NOW.isoformat(), "lanes": 7, "holds": [], "presses": [], "troubles": []},
    )
    page = open_page(host.url, may_fail=True)
    page.goto(BOARD)
    page.get_by_role("grid").wait_for()
    page.get_by_text("This part cannot be shown").wait_for()


def test_anonymous_and_forbidden(host: Host, open_page: OpenPage) -> None:
    for status, told in ((401, "Sign in to Airflow again"), (403, "Ask an administrator")):
        host.laid.answers |= dict.fromkeys(("overview", "nights", "promotions"), (status, {}))
        page = open_page(host.url)
        page.goto(BOARD)
        page.get_by_text(told).first.wait_for()
        host.laid.asked.clear()
        page.get_by_role("link", name="Promotions", exact=True).click()
        page.get_by_text(told).first.wait_for()
        assert "promotions" not in host.laid.asked


def test_times_are_in_the_zone_that_is_chosen_in_airflow(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url, zone="Asia/Tokyo")
    page.goto(f"{BOARD}?view=incidents")
    page.get_by_text("times in Asia/Tokyo").wait_for()
    title = page.locator("time").first.get_attribute("title")
    assert title.endswith("Asia/Tokyo")
    page.evaluate(
        "localStorage.setItem('timezone', '\"UTC\"');"
        "dispatchEvent(new StorageEvent('local-storage', {key: 'timezone'}))"
    )
    page.get_by_text("times in UTC").wait_for()
    assert page.locator("time").first.get_attribute("title").endswith("UTC")


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(host: Host, open_page: OpenPage, dark: bool) -> None:
    page = open_page(host.url, dark=dark)
    axe = Axe()
    more = {"overview": f"&cell=tokenflex/desktop_usage/{LAST}", "promotions": "&application=usage_portal"}
    for view in VIEWS:
        show(page, f"view={view}{more.get(view, '')}")
        page.locator(SHOWN).first.wait_for()
        page.wait_for_load_state("networkidle")
        assert violations(axe, page, ".ns", dark) == [], view
    page.goto(f"{BOARD}?view=promotions")
    page.get_by_role("button", name="Stop the line").click()
    page.get_by_role("alertdialog").get_by_label("Reason").wait_for()
    # It fades in, and has no contrast meanwhile.
    page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished))")
    assert violations(axe, page, ".ns-dialog", dark) == []


def violations(axe: Axe, page: Any, part: str, dark: bool) -> list[tuple[str, str]]:
    """Return what axe-core finds, and where; in the dark, where only colours are others, what it finds of those."""
    rules = {"runOnly": ["color-contrast"]} if dark else {}
    answer = axe.run(page, context=part, options={"resultTypes": ["violations"], **rules}).response
    assert len(answer["passes"]) > (0 if dark else 10), "axe has looked at something"
    return [(one["id"], node["html"][:200]) for one in answer["violations"] for node in one["nodes"]]
