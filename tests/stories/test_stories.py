"""Stories of promotions, told by seeds: the promises hold in each, and each comes to its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.stories.airflow import MiniAirflow, Run
from tests.stories.mutants import MUTANTS
from tests.stories.shapes import Shape, dag_of
from tests.stories.teller import Teller, telling

STORIES = int(os.environ.get("STORIES", "32"))


@pytest.fixture(scope="module")
def teller() -> Iterator[Teller]:
    with telling() as teller:
        yield teller


FEW = {"what may have been asked for is asked for again": 5, "the soak is over at once": 7, "one yes is enough": 1}


@pytest.mark.parametrize(("name", "first"), FEW.items())
def test_a_promise_that_is_broken_on_purpose_is_found(teller: Teller, name: str, first: int) -> None:
    """A few of them, from shortly before the story that finds it; ``make stories ARGS=--mutants`` looks for all."""
    [mutant] = [one for one in MUTANTS if one.name == name]
    with pytest.MonkeyPatch.context() as patch:
        mutant.switch_on(patch)
        assert teller.hunt(mutant.promise, first, 60) is not None


def test_the_airflow_of_a_story_goes_by_the_trigger_rules(teller: Teller) -> None:
    airflow = MiniAirflow(dag_of(Shape()), teller.clock)
    run = Run("a", datetime(2026, 11, 23, tzinfo=UTC), states={"begin": "success", "build": "failed"})

    assert airflow.next_task(run) == "roll_back.offer", "whatever became of the stages"
    assert {state for task, state in run.states.items() if task.startswith("TEST.")} == {"upstream_failed"}

    run.states["roll_back.offer"] = "skipped"
    assert airflow.next_task(run) == "close"
    assert run.states["roll_back.deploy"] == "skipped"


WITH_A_ROLL_BACK = 5010


def test_a_story_may_bring_a_version_back(teller: Teller) -> None:
    assert ("roll_back.deploy", "success") in teller.tell(WITH_A_ROLL_BACK).ends


@pytest.mark.parametrize("seed", range(STORIES))
def test_a_story(teller: Teller, seed: int) -> None:
    teller.tell(seed)
