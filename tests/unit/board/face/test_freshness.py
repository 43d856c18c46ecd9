"""How often the board asks: not for what it has, not while nobody looks, and less often while it fails."""

from __future__ import annotations

from typing import Any

from tests.unit.board.face.conftest import OpenPage
from tests.unit.board.face.host import Host
from tests.unit.board.face.laid_operations import jobs

JOBS = "/plugin/nightshift?view=jobs"


def asked(host: Host) -> list[int]:
    return list(host.laid.asked.get("jobs", []))


def open_jobs(host: Host, open_page: OpenPage) -> Any:
    page = open_page(host.url, fresh=True)
    page.clock.install()
    page.goto(JOBS)
    page.get_by_role("article").first.wait_for()
    return page


def test_what_has_not_changed_is_not_sent_again(host: Host, open_page: OpenPage) -> None:
    page = open_jobs(host, open_page)
    with page.expect_response("**/api/jobs") as answer:
        page.clock.run_for(10_500)
    assert answer.value.status == 304
    assert asked(host) == [200, 304]
    host.laid.answers["jobs"] = jobs().model_copy(update={"jobs": jobs().jobs[:1]})
    page.clock.run_for(10_500)
    page.get_by_text("1 job", exact=True).wait_for()
    assert page.get_by_role("article").count() == 1


def test_nobody_is_asked_while_nobody_looks(host: Host, open_page: OpenPage) -> None:
    page = open_jobs(host, open_page)
    look = """seen => {
        Object.defineProperty(document, 'visibilityState', {value: seen, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    page.evaluate(look, "hidden")
    page.clock.run_for(120_000)
    assert asked(host) == [200]
    with page.expect_response("**/api/jobs"):
        page.evaluate(look, "visible")
    assert asked(host) == [200, 304]


def test_a_server_that_is_broken_is_asked_less_and_less(host: Host, open_page: OpenPage) -> None:
    page = open_jobs(host, open_page)
    host.laid.answers["jobs"] = (503, {"status": 503, "title": "Broken", "detail": "", "advice": ""})
    for _ in range(40):
        page.clock.run_for(5_000)
        page.evaluate("new Promise(done => queueMicrotask(done))")
        page.wait_for_load_state("networkidle")
    assert 2 <= asked(host).count(503) <= 6
    page.get_by_text("What you see is the last good answer.").wait_for()
    assert page.get_by_role("article").count() == 2
