"""Stories of promotions, told by seeds: the promises hold in each, and each comes to its end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.stories.mutants import MUTANTS
from tests.stories.teller import Teller, telling

STORIES = int(os.environ.get("STORIES", "32"))


@pytest.fixture(scope="module")
def teller() -> Iterator[Teller]:
    with telling() as teller:
        yield teller


FEW = ("what may have been asked for is asked for again", "the soak is over at once", "one yes is enough")


@pytest.mark.parametrize("name", FEW)
def test_a_promise_that_is_broken_on_purpose_is_found(teller: Teller, name: str) -> None:
    """A few of them; ``make stories ARGS=--mutants`` looks for all."""
    [mutant] = [one for one in MUTANTS if one.name == name]
    with pytest.MonkeyPatch.context() as patch:
        mutant.switch_on(patch)
        assert teller.hunt(mutant.promise, 1, 60) is not None


@pytest.mark.parametrize("seed", range(STORIES))
def test_a_story(teller: Teller, seed: int) -> None:
    teller.tell(seed)
