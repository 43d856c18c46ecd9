"""An override of a freeze lets a version go when the question says so: now, or when the window opens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.promotion.play import Play, Run, stage
from tests.unit.promotion.test_gate import HOUR, NOW, freeze, held
from tests.unit.promotion.test_job_operators import LATER, NOW_OPEN, begun, through, window

DAYS = timedelta(days=21)


def frozen(play_of: Callable[..., Play], of_stage: dict[str, Any], *freezes: dict[str, Any]) -> Run:
    """Bring a promotion to the question whether the freeze of its first stage is overridden."""
    play = play_of(stage("DEV", **of_stage))
    play.freeze(*freezes)
    run = begun(play)
    through(run, "build")
    # FlexDeploy would begin in some hours, and nobody has to see that.
    run.task("DEV.deploy").look = 0.0
    assert run.do("DEV.deploy").state == "deferred"
    return run


def asked(run: Run) -> str:
    [told] = run.apis["DEV.deploy"].questions
    return str(told["body"])


def test_flexdeploy_is_handed_the_next_opening_where_the_freeze_until_then_is_overridden(
    play_of: Callable[..., Play],
) -> None:
    run = frozen(play_of, {"window": window(LATER, outside="start_time")}, freeze(until=DAYS, override=["eve"]))
    assert f"go there at {LATER:%Y-%m-%d %H:%M} UTC, when all else lets it, in this promotion alone" in asked(run)
    assert "Without it, the step waits until the freeze ends." in asked(run)
    run.answer("DEV.deploy", "Override the freeze", by="eve", reason="outage")
    [made] = run.play.made("deploy_made")
    assert datetime.fromisoformat(made["startTime"]) == LATER


def test_an_override_is_of_no_freeze_that_is_not_in_force_yet(play_of: Callable[..., Play]) -> None:
    later = freeze(since=3 * HOUR, until=10 * HOUR, override=["eve"]) | {"name": "quarter end"}
    over = freeze(until=2 * HOUR, override=["eve"])
    run = frozen(play_of, {"window": window(LATER, outside="start_time")}, over, later)
    after = LATER + timedelta(days=1)
    assert f"go there at {after:%Y-%m-%d %H:%M} UTC" in asked(run)
    assert "Without it, the step goes then as well: the freeze is over by that time." in asked(run)
    run.answer("DEV.deploy", "Override the freeze", by="eve", reason="outage")
    [made] = run.play.made("deploy_made")
    assert datetime.fromisoformat(made["startTime"]) == after


@pytest.mark.parametrize(
    ("of_stage", "others", "words"),
    [
        ({}, [], "go there now, in this promotion alone"),
        ({"window": NOW_OPEN}, [], "go there now, in this promotion alone"),
        ({"window": {**NOW_OPEN, "outside": "start_time"}}, [], "go there now, in this promotion alone"),
        ({}, [{"name": "audit"}], f"go there at {NOW + 5 * HOUR:%Y-%m-%d %H:%M} UTC, when all else lets it,"),
        ({}, [{"name": "audit", "override": ["dan"]}], "go there now, in this promotion alone"),
    ],
)
def test_the_question_says_when_an_override_lets_it_go(
    play_of: Callable[..., Play], of_stage: dict[str, Any], others: list[dict[str, Any]], words: str
) -> None:
    more = [{**freeze(until=5 * HOUR), **one} for one in others]
    assert words in asked(frozen(play_of, of_stage, freeze(until=DAYS, override=["eve"]), *more))


def test_while_the_line_is_held_nobody_knows_when(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"))
    play.freeze(freeze(override=["eve"]))
    run = begun(play)
    through(run, "build")
    held(play)
    run.do("DEV.deploy")
    assert "go there once all else lets it, in this promotion alone" in asked(run)
