"""What a person sees: the DAG, its form, the connection form with its Test button, the sign-in page. In a real
browser.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from include.local.airflow import USER, LocalAirflow
from include.local.promotions import ANSWER_AFTER
from include.local.rest import Api
from tests.contract.standins.client import ask
from tests.flows.conftest import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.airflow,
    pytest.mark.ui,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000


@pytest.fixture(scope="module")
def page(airflow: LocalAirflow) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.goto(airflow.url)
        page.fill("input[name=username]", USER)
        page.fill("input[name=password]", airflow.password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "login" not in url)
        yield page
        browser.close()


def test_the_form_asks_for_night_range_reports_and_force(airflow: LocalAirflow, page: Any) -> None:
    page.goto(f"{airflow.url}/dags/flexnet_reports")
    page.get_by_role("button", name="Trigger").first.click()
    for label in ("Night", "Until", "Reports", "Force"):
        page.get_by_text(label, exact=True).first.wait_for()
    assert page.get_by_text("*", exact=True).count() == 0


@pytest.mark.parametrize(
    "label", ["FlexNet Operations", "Autodesk Token Flex", "Camunda Optimize", "Exago BI", "FlexDeploy"]
)
def test_every_connection_type_has_its_form(api: Api, label: str) -> None:
    found = {entry["hook_name"]: entry for entry in api.call("GET", "/ui/connections/hook_meta")}
    assert found[label]["extra_fields"]
    assert found[label]["standard_fields"]


def test_the_connection_form_opens_with_the_vendors_own_labels(airflow: LocalAirflow, page: Any) -> None:
    page.goto(f"{airflow.url}/connections")
    row = page.get_by_role("row").filter(has_text="flexnet_default")
    row.get_by_role("button", name="Edit Connection").click()
    page.get_by_text("Site id or URL").first.wait_for()
    page.get_by_text("Producer user").first.wait_for()


def test_the_form_of_a_promotion_shows_what_runs_where(airflow: LocalAirflow, page: Any) -> None:
    page.goto(f"{airflow.url}/dags/promote_portal")
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_role("link", name="What runs where now").wait_for()
    for label in ("Version", "Force build", "From stage", "To stage", "Change tickets", "Dry run"):
        page.get_by_text(label, exact=True).first.wait_for()


def test_a_person_approves_in_the_browser(airflow: LocalAirflow, api: Api, page: Any) -> None:
    api.unpause("promote_portal")
    run_id = api.trigger("promote_portal", conf={"to_stage": "TEST"})
    until(lambda: api.questions("promote_portal", run_id), "the promotion asks", 180)
    page.goto(f"{airflow.url}/dags/promote_portal/runs/{run_id}/tasks/TEST.approve/required_actions")
    page.get_by_text("stays there").first.wait_for()
    page.wait_for_timeout(ANSWER_AFTER * 1000)
    page.get_by_role("button", name="Approve").click()
    assert api.wait("promote_portal", run_id)["state"] == "success"
    told = api.call("GET", "/nightshift/board/api/promotions/portal")
    assert [one["run_id"] for one in told["promotions"]][:1] == [run_id]


def test_the_board_shows_the_night_and_publishes_it_again(airflow: LocalAirflow, api: Api, page: Any) -> None:
    (run,) = api.runs("flexnet_reports", run_type="scheduled", limit="1")
    night = run["partition_key"]
    # Other tests may have run the night again: the press is for the newest run of it.
    presses = api.call("GET", f"/nightshift/board/api/nights/flexnet/account/{night}")["presses"]
    (press,) = [one for one in presses if one["kind"] == "clear_publish"]
    newest = press["calls"][0]["body"]["dag_run_id"]
    publish = f"/api/v2/dags/flexnet_reports/dagRuns/{quote(newest)}/taskInstances/account.publish"
    before = api.call("GET", publish)["try_number"]
    page.goto(f"{airflow.url}/plugin/nightshift?view=nights&cell=flexnet/account/{night}")
    panel = page.get_by_role("complementary")
    panel.get_by_text(re.compile("^(published|rebuilt)$")).first.wait_for()
    name = re.compile(f"flexnet account, night ... {night}: (published|rebuilt), .*rows")
    page.get_by_role("gridcell", name=name).wait_for()
    panel.get_by_role("button", name="Publish again from the landing").click()
    dialog = page.get_by_role("dialog").or_(page.get_by_role("alertdialog"))
    dialog.get_by_text("the vendor is not asked").wait_for()
    dialog.get_by_text(newest).wait_for()
    dialog.get_by_role("button", name="Publish again from the landing").click()
    # Airflow itself clears the task; on a busy machine that may take it more than a minute.
    dialog.get_by_text("Done", exact=True).wait_for(timeout=180_000)
    again = until(
        lambda: (found := api.call("GET", publish))["try_number"] > before and found["state"] == "success" and found,
        "published again",
        180,
    )
    assert again["try_number"] == before + 1


def test_the_tabs_of_a_dag_and_of_a_run_show_their_own(airflow: LocalAirflow, api: Api, page: Any) -> None:
    page.goto(f"{airflow.url}/dags/flexnet_reports/plugin/nightshift-dag")
    page.get_by_role("grid").wait_for()
    reports = page.locator("[data-report]").evaluate_all("lines => lines.map(line => line.dataset.report)")
    assert reports == ["entitlement", "account", "usage"]
    (run,) = api.runs("flexnet_reports", run_type="scheduled", limit="1")
    page.goto(f"{airflow.url}/dags/flexnet_reports/runs/{quote(run['dag_run_id'])}/plugin/nightshift-run")
    page.get_by_role("heading", name=re.compile(f"Night ... {run['partition_key']}")).wait_for()
    page.get_by_role("article", name="usage").get_by_text("published", exact=True).first.wait_for()
    page.goto(f"{airflow.url}/dags/promote_portal/plugin/nightshift-dag")
    page.get_by_role("article", name="portal").wait_for()
    assert page.locator("article.ns-lane").count() == 1


def test_what_runs_where_is_for_those_who_are_signed_in(airflow: LocalAirflow) -> None:
    for path in ("overview", "promotions", "promotions/portal"):
        assert ask(f"{airflow.url}/nightshift/board/api/{path}", timeout=30).status == 401


def test_the_test_button_answers(api: Api) -> None:
    stored = {"connection_id": "flexnet_default", "conn_type": "flexnet"}
    answer = api.call("POST", "/api/v2/connections/test", stored)
    assert answer["status"] is True
    assert "sees 14 reports" in answer["message"]


def test_the_plugin_is_whole(api: Api) -> None:
    plugins = {plugin["name"]: plugin for plugin in api.call("GET", "/api/v2/plugins")["plugins"]}
    assert plugins["nightshift"]["external_views"]
    assert {one["destination"] for one in plugins["nightshift"]["react_apps"]} == {"nav", "dag", "dag_run", "dashboard"}
    assert api.call("GET", "/api/v2/plugins/importErrors")["import_errors"] == []
    assert api.call("GET", "/api/v2/importErrors")["import_errors"] == []
