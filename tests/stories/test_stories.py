"""Stories of promotions, told by seeds: the promises hold in each, and each comes to its end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.stories.teller import Teller, telling

STORIES = int(os.environ.get("STORIES", "32"))


@pytest.fixture(scope="module")
def teller() -> Iterator[Teller]:
    with telling() as teller:
        yield teller


@pytest.mark.parametrize("seed", range(STORIES))
def test_a_story(teller: Teller, seed: int) -> None:
    teller.tell(seed)
