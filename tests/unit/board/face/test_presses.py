from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from nightshift.board.models import Lanes
from tests.unit.board.face.conftest import OpenPage
from tests.unit.board.face.host import Host
from tests.unit.board.face.laid_nights import cell
from tests.unit.board.face.laid_operations import connections, jobs
from tests.unit.board.face.laid_promotions import doubt, hold, lanes
from tests.unit.board.face.moments import LAST, NOW

PANEL = f"/plugin/nightshift?view=nights&cell=flexnet/entitlement/{LAST}"


def test_a_press_says_what_will_happen_before_it_is_sent(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(PANEL)
    page.get_by_role("button", name="Run this night").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(f"A run of flexnet_reports is started for the night {LAST}").wait_for()
    dialog.get_by_role("button", name="Back").click()
    dialog.wait_for(state="detached")
    assert host.laid.sent == []
    expect(page.get_by_role("button", name="Run this night")).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Run this night").click()
    dialog.get_by_text("Done").wait_for()
    assert host.laid.sent == [("POST", "api/v2/dags/flexnet_reports/dagRuns", {})]
    (headers,) = host.laid.headers
    assert headers["x-nightshift-board"] == "1"
    assert headers["content-type"] == "application/json"


def test_what_was_pressed_is_looked_at_again_at_once(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(PANEL)
    page.get_by_role("button", name="Publish again").click()
    before = len(host.laid.asked["nights"])
    page.get_by_role("dialog").get_by_role("button", name="Publish again").click()
    page.get_by_text("Done").wait_for()
    page.wait_for_function("before => true", arg=before)
    expect.set_options(timeout=10_000)
    page.get_by_role("button", name="Close").last.click()
    assert len(host.laid.asked["nights"]) > before


def test_what_was_done_is_told_though_it_is_not_offered_any_more(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(PANEL)
    page.get_by_role("button", name="Publish again").click()
    dialog = page.get_by_role("dialog").filter(has_text="Back")
    host.laid.answers[f"nights/flexnet/entitlement/{LAST}"] = cell().model_copy(update={"presses": ()})
    dialog.get_by_role("button", name="Publish again").click()
    page.get_by_role("button", name="Publish again", include_hidden=True).first.wait_for(state="detached")
    page.get_by_text("Done", exact=True).wait_for()
    page.get_by_role("button", name="Close").last.click()
    page.get_by_text("Done", exact=True).wait_for(state="detached")
    assert len(host.laid.sent) == 1


def test_a_dialog_is_left_with_its_place(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto(PANEL)
    page.get_by_role("link", name="Promotions").click()
    page.get_by_role("article", name="finance_sync").get_by_role("button", name="Hold").click()
    back = page.get_by_role("button", name="Back")
    back.wait_for()
    page.go_back()
    back.wait_for(state="detached")
    assert host.laid.sent == []


def test_a_refusal_is_told_and_nothing_is_called_done(host: Host, open_page: OpenPage) -> None:
    host.laid.refusals["api/v2/dags/flexnet_reports/force"] = (403, {"detail": "Forbidden"})
    page = open_page(host.url)
    page.goto(PANEL)
    page.get_by_role("button", name="Force").click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="Force").click()
    dialog.get_by_text("It needs: edit on the DAG flexnet_reports").wait_for()
    assert dialog.get_by_text("Done", exact=True).count() == 0
    host.laid.refusals["api/v2/dags/flexnet_reports/force"] = (409, {"detail": "DAGRun with DAG ID exists"})
    dialog.get_by_role("button", name="Try again").click()
    dialog.get_by_text("DAGRun with DAG ID exists").wait_for()
    assert len(host.laid.sent) == 2


def test_a_test_that_fails_is_no_success(host: Host, open_page: OpenPage) -> None:
    host.laid.refusals["api/v2/connections/test"] = (200, {"status": False, "message": "401: the password is wrong"})
    page = open_page(host.url)
    page.goto("/plugin/nightshift?view=connections")
    page.get_by_role("article", name="flexnet_default").get_by_role("button", name="Test").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Test").click()
    dialog.get_by_text("401: the password is wrong").wait_for()
    assert dialog.get_by_text("Done", exact=True).count() == 0
    host.laid.refusals["api/v2/connections/test"] = (200, {"status": True, "message": "sees 14 reports"})
    dialog.get_by_role("button", name="Try again").click()
    dialog.get_by_text("sees 14 reports").wait_for()


def test_the_line_is_stopped_with_a_reason_until_a_moment_in_the_persons_zone(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url, zone="Asia/Tokyo")
    page.goto("/plugin/nightshift?view=promotions")
    page.get_by_role("button", name="Stop the line").click()
    dialog = page.get_by_role("alertdialog")
    stop = dialog.get_by_role("button", name="Stop the line")
    expect(stop).to_be_disabled()
    dialog.get_by_label("Reason").fill(" The licence server moves ")
    dialog.get_by_text("Time in Asia/Tokyo.").wait_for()
    dialog.get_by_label("Until").fill("2026-12-01T06:00")
    stop.click()
    dialog.get_by_text("Done").wait_for()
    body: dict[str, Any] = {
        "application": None,
        "reason": "The licence server moves",
        "until": "2026-11-30T21:00:00.000Z",
    }
    assert host.laid.sent == [("POST", "nightshift/board/api/holds", body)]


def test_one_application_is_held_and_the_hold_is_lifted(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto("/plugin/nightshift?view=promotions")
    page.get_by_role("article", name="finance_sync").get_by_role("button", name="Hold").click()
    page.get_by_label("Reason").fill("month end")
    page.get_by_role("dialog").get_by_role("button", name="Hold").click()
    page.get_by_text("Done").wait_for()
    assert host.laid.sent[-1][2] == {"application": "finance_sync", "reason": "month end", "until": None}
    held = lanes()
    host.laid.answers["promotions"] = Lanes(now=NOW, lanes=held.lanes, holds=(hold(),), presses=held.presses)
    page.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("The line is stopped").wait_for()
    page.get_by_text("The licence server moves tonight").wait_for()
    page.get_by_role("button", name="Lift").click()
    page.get_by_label("Reason").fill("it moved")
    page.get_by_role("dialog").get_by_role("button", name="Lift").click()
    page.get_by_text("Done").wait_for()
    assert host.laid.sent[-1][1:] == ("nightshift/board/api/holds/lift", {"id": "h1", "reason": "it moved"})


def test_a_version_is_revoked_with_a_reason_once_the_person_has_read_what_follows(
    host: Host, open_page: OpenPage
) -> None:
    done = {"message": "7.3.0 is revoked. DEV goes on running it: nothing is brought back by itself."}
    host.laid.refusals["nightshift/board/api/revoke"] = (200, done)
    page = open_page(host.url)
    page.goto("/plugin/nightshift?view=promotions")
    page.get_by_role("article", name="finance_sync").get_by_role("button", name="Revoke 7.3.0").click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_text("7.3.0 goes to no stage of finance_sync any more.").wait_for()
    revoke = dialog.get_by_role("button", name="Revoke 7.3.0")
    expect(revoke).to_be_disabled()
    dialog.get_by_label("Reason").fill("invoices are empty")
    revoke.click()
    dialog.get_by_text("DEV goes on running it").wait_for()
    body = {
        "application": "finance_sync",
        "stage": "DEV",
        "run_id": "r3",
        "version_id": 105,
        "reason": "invoices are empty",
    }
    assert host.laid.sent == [("POST", "nightshift/board/api/revoke", body)]


def test_a_doubt_that_holds_an_application_is_ended_by_whoever_looked(host: Host, open_page: OpenPage) -> None:
    told = lanes()
    doubted = tuple(
        one.model_copy(update={"doubts": (doubt(),)}) if one.application == "finance_sync" else one
        for one in told.lanes
    )
    host.laid.answers["promotions"] = told.model_copy(update={"lanes": doubted})
    host.laid.refusals["nightshift/board/api/doubts/settle"] = (200, {"message": "TEST.deploy of r3 is over."})
    page = open_page(host.url)
    page.goto("/plugin/nightshift?view=promotions")
    lane = page.get_by_role("article", name="finance_sync")
    lane.get_by_text("nobody knows whether FlexDeploy did TEST.deploy 7.3.0").wait_for()
    lane.get_by_role("button", name="TEST.deploy is over").click()
    dialog = page.get_by_role("alertdialog")
    over = dialog.get_by_role("button", name="TEST.deploy is over")
    expect(over).to_be_disabled()
    dialog.get_by_label("What you saw").fill("it is not there")
    over.click()
    dialog.get_by_text("TEST.deploy of r3 is over.").wait_for()
    body = {"application": "finance_sync", "run_id": "r3", "task": "TEST.deploy", "reason": "it is not there"}
    assert host.laid.sent == [("POST", "nightshift/board/api/doubts/settle", body)]


def test_a_job_in_doubt_is_adopted_with_its_id_and_a_reason(host: Host, open_page: OpenPage) -> None:
    page = open_page(host.url)
    page.goto("/plugin/nightshift?view=jobs")
    doubt = page.get_by_role("article", name="finance_sync, deploy 7.3.0 to PROD")
    doubt.get_by_text("The answer to the request was lost, and").wait_for()
    doubt.get_by_role("button", name="It is there").click()
    page.get_by_label("Id at FlexDeploy").fill("4711")
    page.get_by_label("Reason").fill("seen at FlexDeploy")
    page.get_by_role("dialog").get_by_role("button", name="It is there").click()
    page.get_by_text("Done").wait_for()
    assert host.laid.sent[-1][1] == "api/v2/dags/flexnet_reports/adopt"


def test_who_may_look_and_not_press_is_told_what_it_takes(host: Host, open_page: OpenPage) -> None:
    host.laid.answers |= {
        f"nights/flexnet/entitlement/{LAST}": cell(allowed=False),
        "promotions": lanes(allowed=False),
        "jobs": jobs(allowed=False),
        "connections": connections(allowed=False),
    }
    page = open_page(host.url, "eve", role="VIEWER")
    for path, needs in (
        (PANEL, "edit on the DAG flexnet_reports"),
        ("/plugin/nightshift?view=promotions", "edit on the DAG of each application"),
        ("/plugin/nightshift?view=jobs", "edit on the DAG flexnet_reports"),
        ("/plugin/nightshift?view=connections", "edit on connections"),
    ):
        page.goto(path)
        page.get_by_text(f"Needs: {needs}").first.wait_for()
        presses = page.locator(".ns-press")
        assert presses.count() == page.locator(".ns-press[aria-disabled=true]").count() > 0
        presses.first.click(force=True)
        assert page.get_by_role("dialog").or_(page.get_by_role("alertdialog")).count() == 0
    assert host.laid.sent == []
