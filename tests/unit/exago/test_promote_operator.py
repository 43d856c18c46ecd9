from __future__ import annotations

from pathlib import Path

import pytest

from include.standins import Fault, FaultKind
from nightshift.errors import Rejected, Unreachable
from nightshift.exago.claims import SubtreeBusy
from nightshift.exago.promote_operator import STATE_KEY, PromotionHeldUp, PromotionStuck, PromotionUndone
from tests.execution_api import FakeExecutionApi
from tests.unit.exago.conftest import api_of
from tests.unit.exago.tasks import claims_in, promotion
from tests.unit.exago.trees import AFTER, BEFORE
from tests.unit.exago.vendor import Vendor

STEPS = ["create Archive", "move App/live to Archive/2026-11-21", "move App/next to App/live"]


@pytest.fixture
def before(server: Vendor) -> set[str]:
    for line in BEFORE:
        server.put(line)
    return server.paths()


def test_a_promotion(server: Vendor, api: FakeExecutionApi, before: set[str], lake: Path) -> None:
    run = api.run(promotion())
    assert run.state == "success", run.error
    assert run.result == {
        "outcome": "as planned",
        "live": "App/live",
        "archive": "Archive/2026-11-21",
        "plan": STEPS,
        "remarks": [],
    }
    assert server.paths() == AFTER
    assert server.changes == STEPS
    assert (server.made, server.open, claims_in(lake)) == (1, 0, [])


def test_again_after_its_success_it_changes_nothing(server: Vendor, api: FakeExecutionApi, before: set[str]) -> None:
    api.run(promotion())
    run = api.run(promotion())
    assert (run.state, run.result["outcome"]) == ("success", "as planned")
    assert server.changes == STEPS
    server.put("App/next/r9")
    run = api.run(promotion())
    assert isinstance(run.error, Rejected)
    assert "Archive/2026-11-21 is there already" in str(run.error)
    assert server.changes == STEPS


def test_dry_run_shows_the_plan_only(
    server: Vendor, api: FakeExecutionApi, before: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = api.run(promotion(dry_run="{{ 'True' }}"))
    assert run.result == {"outcome": "dry run", "plan": STEPS}
    assert server.paths() == before
    assert "1. create Archive; 2. move App/live to Archive/2026-11-21" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["create", "rename"])
def test_a_lost_answer_is_seen_in_the_tree(server: Vendor, api: FakeExecutionApi, before: set[str], verb: str) -> None:
    server.script[verb] = ["drop", "drop"]
    run = api.run(promotion())
    assert run.state == "success", run.error
    assert server.changes == STEPS


def test_what_was_surely_not_done_is_asked_for_again(server: Vendor, api: FakeExecutionApi, before: set[str]) -> None:
    server.script["rename"] = ["lost", (503, b"{}")]
    run = api.run(promotion())
    assert run.state == "success", run.error
    assert server.changes == STEPS


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("answer", [(409, b'{"reason": "no"}'), (200, b'{"Status": "DoesNotExist"}'), (403, b"{}")])
def test_a_refused_step_takes_back_what_was_done(
    server: Vendor, api: FakeExecutionApi, before: set[str], lake: Path, number: int, answer: tuple[int, bytes]
) -> None:
    server.script["rename"] = ["done"] * (number - 1) + [answer]
    run = api.run(promotion())
    assert run.state == "failed"
    assert isinstance(run.error, PromotionUndone)
    assert "the tree is as before" in str(run.error)
    assert server.paths() == before
    assert claims_in(lake) == []
    assert STATE_KEY not in api.task_store
    again = api.run(promotion())
    assert (again.state, server.paths()) == ("success", AFTER)


def test_a_step_that_never_gets_through_is_taken_back(server: Vendor, api: FakeExecutionApi, before: set[str]) -> None:
    server.script["rename"] = ["done", *[(500, b'{"reason": "disk full"}')] * 3]
    run = api.run(promotion())
    assert isinstance(run.error, PromotionUndone)
    assert "disk full" in str(run.error)
    assert server.paths() == before


def test_an_outage_in_the_middle_is_retried_and_told(server: Vendor, api: FakeExecutionApi, before: set[str]) -> None:
    down = (400, b"{}")
    server.script["rename"] = [lambda: server.script["list"].extend([down])]
    run = api.run(promotion())
    assert run.error is not None
    assert "stands half-way, going forward: create Archive done, of 3 steps; move App/live" in str(run.error)
    again = api.run(promotion())
    assert (again.state, server.paths()) == ("success", AFTER)


def test_a_list_that_lags_behind_is_waited_for(server: Vendor, api: FakeExecutionApi, before: set[str]) -> None:
    server.script["rename"] = [lambda: setattr(server, "stale", 2), lambda: setattr(server, "stale", 1)]
    run = api.run(promotion(list_lag=20))
    assert run.state == "success", run.error
    assert server.changes == STEPS


def test_a_list_that_lags_for_too_long_is_tried_again_later(
    server: Vendor, api: FakeExecutionApi, before: set[str]
) -> None:
    server.script["rename"] = [lambda: setattr(server, "stale", 99)]
    run = api.run(promotion())
    assert run.state == "up_for_retry"
    assert "the tree does not show it" in str(run.error)
    server.stale = 0
    assert api.run(promotion()).state == "success"
    assert server.changes == STEPS


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("App/next", "App/mine", "before"),
        ("Archive/2026-11-21", "Archive/mine", "planned"),
        ("Archive", "Mine", "planned"),
        ("App/next/r3", "App/next/r4", "planned"),
    ],
)
def test_another_user_renames_in_between(
    server: Vendor, api: FakeExecutionApi, before: set[str], old: str, new: str, outcome: str
) -> None:
    """The rename comes when the second move is on its way."""
    server.script["rename"] = ["done", lambda: server.move(old, new)]
    run = api.run(promotion())
    if outcome == "planned":
        assert run.state == "success", run.error
        assert run.result["remarks"]
        server.move(new, old) if "r4" not in new else server.move("App/live/r4", "App/live/r3")
        assert server.paths() == AFTER
    else:
        assert isinstance(run.error, PromotionUndone)
        assert "somebody else has taken App/next away, it is at App/mine now" in str(run.error)
        server.move(new, old)
        assert server.paths() == before


def test_a_stranger_in_the_way_of_both_directions_is_left_alone_and_told(
    server: Vendor, api: FakeExecutionApi, before: set[str], lake: Path
) -> None:
    server.script["rename"] = ["done", lambda: server.put("App/live/stranger")]
    run = api.run(promotion())
    assert isinstance(run.error, PromotionStuck)
    assert run.state == "failed"
    assert "somebody has made App/live, so Archive/2026-11-21 cannot go there" in str(run.error)
    assert "App/live/stranger" in server.paths()
    assert len(claims_in(lake)) == 1
    server.move("App/live", "App/theirs")
    api.clear()
    again = api.run(promotion())
    assert isinstance(again.error, PromotionUndone)
    assert server.paths() - {"App/theirs/", "App/theirs/stranger"} == before
    assert claims_in(lake) == []


def test_two_promotions_on_the_same_subtree_are_refused(
    server: Vendor, api: FakeExecutionApi, before: set[str], lake: Path
) -> None:
    """The second one comes while the first is in the middle of a step, and once more after the first was killed
    there.
    """
    for line in ("Fin/live/a", "Fin/next/b"):
        server.put(line)
    server.script["rename"] = [(400, b"{}")]
    server.script["list"] = ["", "", (400, b"{}")]
    first = api.run(promotion())
    assert first.error is not None
    assert len(claims_in(lake)) == 1
    server.script.clear()
    other = api_of(server, run_id="other").run(promotion(candidate="App", live="Web/live", archive="Web/old"))
    assert isinstance(other.error, SubtreeBusy), other.error
    assert "d/r/t/-1 has been promoting App/live, App/next, Archive/2026-11-21 since" in str(other.error)
    apart = api_of(server, run_id="apart").run(promotion(live="Fin/live", candidate="Fin/next", archive="Fin/old"))
    assert apart.state == "success", apart.error
    assert api.run(promotion()).state == "success"
    assert claims_in(lake) == []


async def test_of_many_at_the_same_time_at_most_one_has_the_subtree(lake: Path) -> None:
    import asyncio

    from nightshift.exago.claims import Claims
    from nightshift.exago.paths import ContentPath
    from nightshift.lake.store import Lake

    claims = Claims(Lake.from_url(str(lake)), "http://x")

    async def take(number: int) -> str:
        try:
            await claims.take(str(number), [ContentPath.parse("A/B" if number % 2 else "A")])
        except SubtreeBusy:
            return ""
        return str(number)

    won = [name for name in await asyncio.gather(*(take(number) for number in range(8))) if name]
    assert len(won) <= 1
    assert len(claims_in(lake)) == len(won)


def test_refused_before_anything_is_changed(
    server: Vendor, api: FakeExecutionApi, before: set[str], lake: Path
) -> None:
    server.protect("App/live")
    run = api.run(promotion())
    assert run.state == "failed"
    assert "App/live is read-only for the role Admin" in str(run.error)
    assert server.paths() == before
    assert claims_in(lake) == []


def test_a_server_that_is_down_is_retried(server: Vendor, api: FakeExecutionApi, before: set[str]) -> None:
    server.script["open"] = [(503, b"{}")]
    run = api.run(promotion())
    assert isinstance(run.error, Unreachable)
    assert run.state == "up_for_retry"


# -- every request, spoiled once -------------------------------------------------------------------------------------

PAGE = b"<html><body>Server Error in '/' Application.</body></html>"
SPOILED = {
    "500": Fault(kind=FaultKind.STATUS, body='{"reason": "busy"}', content_type="application/json"),
    "page": Fault(kind=FaultKind.STATUS, body=PAGE.decode()),
    "503": Fault(kind=FaultKind.STATUS, status=503, body=PAGE.decode()),
    "page for 200": Fault(kind=FaultKind.HTML_200),
    "lost": Fault(kind=FaultKind.RESET),
    "answer lost": Fault(kind=FaultKind.ACCEPT_THEN_DROP),
}


@pytest.mark.parametrize("number", range(1, 10))
@pytest.mark.parametrize("how", SPOILED)
def test_a_promotion_outlives_each_request_spoiled_once(
    server: Vendor, api: FakeExecutionApi, before: set[str], lake: Path, number: int, how: str
) -> None:
    """Once it is underway no passing error ends an attempt; before that Airflow's retry is as good."""
    server.faults.add(SPOILED[how], when=lambda call: call.number == number)
    run = api.run(promotion())
    if number <= 2 and run.state != "success":
        assert run.state == "up_for_retry", run.error
        assert server.paths() == before
        run = api.run(promotion())
    assert run.state == "success", run.error
    assert server.paths() == AFTER
    assert server.changes == STEPS
    assert claims_in(lake) == []


def test_half_way_a_session_that_cannot_be_opened_for_a_while_is_waited_for(
    server: Vendor, api: FakeExecutionApi, before: set[str]
) -> None:
    """Users are without the folder: the session dies after the first move, and its successor comes at the third try."""
    server.script["rename"] = ["done", "session dies"]
    server.script["open"] = ["done", (500, PAGE), (500, PAGE)]
    run = api.run(promotion())
    assert run.state == "success", run.error
    assert server.paths() == AFTER


def test_half_way_a_step_that_is_sent_elsewhere_for_a_while_is_asked_for_again(
    server: Vendor, api: FakeExecutionApi, before: set[str]
) -> None:
    """A proxy that redirects to its page of maintenance has passed nothing on."""
    server.script["rename"] = ["done", (307, b"{}"), (307, b"{}")]
    run = api.run(promotion())
    assert run.state == "success", run.error
    assert (server.paths(), server.changes) == (AFTER, STEPS)


@pytest.mark.parametrize("answer", [(401, b"{}"), (500, b'{"reason": "Unauthorized"}'), (404, b"{}"), (403, b"{}")])
def test_half_way_what_is_hopeless_elsewhere_is_left_to_the_next_attempt(
    server: Vendor, api: FakeExecutionApi, before: set[str], answer: tuple[int, bytes]
) -> None:
    server.script["rename"] = ["done", lambda: server.script["list"].extend([answer])]
    run = api.run(promotion())
    assert run.state == "up_for_retry"
    assert isinstance(run.error, PromotionHeldUp)
    assert "stands half-way, going forward" in str(run.error)
    assert api.run(promotion()).state == "success"
    assert server.paths() == AFTER


# -- the same folders, not the same names ----------------------------------------------------------------------------


@pytest.mark.parametrize("with_ids", [True, False])
def test_as_before_is_said_of_the_same_folders_only(
    server: Vendor, api: FakeExecutionApi, before: set[str], with_ids: bool
) -> None:
    """Somebody takes the candidate away and puts another folder of its name there while the promotion goes back."""
    if with_ids:
        server.with_ids()

    def replaced() -> None:
        server.move("App/next", "App/mine")
        server.put("App/next/other")

    server.script["rename"] = ["done", (409, b"{}"), replaced]
    run = api.run(promotion())
    assert isinstance(run.error, PromotionUndone)
    said = str(run.error)
    assert "the tree is as before" not in said
    assert (
        "the tree is not as before: another folder is at App/next than the one that belongs there, it is at App/mine "
        "now" in said
    )
    assert {"App/live/r1", "App/live/r2"} <= server.paths()


def test_a_folder_that_stays_is_told(server: Vendor, api: FakeExecutionApi, before: set[str]) -> None:
    server.script["rename"] = [(409, b"{}")]
    server.script["delete"] = [lambda: server.put("Archive/theirs")]
    run = api.run(promotion())
    assert isinstance(run.error, PromotionUndone)
    assert "the tree is not as before: Archive, which was not there, is there now" in str(run.error)
    assert "Archive/theirs" in server.paths()


def test_a_list_that_contradicts_the_server_for_long_never_makes_it_go_back(
    server: Vendor, api: FakeExecutionApi, before: set[str]
) -> None:
    """The move is done; the list shows it to nobody for three attempts, and the server refuses to do it again."""
    server.script["rename"] = [lambda: setattr(server, "stale", 10_000)]
    for _ in range(3):
        run = api.run(promotion())
        assert run.state == "up_for_retry", run.error
        assert "the tree does not show it" in str(run.error)
    assert server.changes == STEPS[:2]
    server.stale = 0
    assert api.run(promotion()).state == "success"
    assert server.paths() == AFTER
