"""Processes that let universes happen: what each is begun with, and what it hands back."""

from __future__ import annotations

import time
from contextlib import ExitStack

# Before Airflow is imported: an Airflow home of its own, no setting of the user's.
import tests.conftest  # noqa: F401
from tests.simulation.world.teller import Teller, Told, telling

HARM = (
    " killed at ",
    " frozen at ",
    " clock jumps ",
    " given up",
    " write of ",
    "network: refused",
    "network: request_lost",
    "network: answer_lost",
    "network: request_late",
    "network: answer_late",
    "network: repeated",
    " torn",
    " fails",
    " lost",
    " rots",
    " is another",
    " variable get failed",
    " variable set failed",
    " variable keys failed",
)
"""What a trace says of harm; the first that fits counts."""
_open = ExitStack()
_tellers: list[Teller] = []


def begin() -> None:
    """Begin a process; what it opens ends with it."""
    from tests.stories.workers import quiet

    quiet()
    _tellers.append(_open.enter_context(telling()))


def told(seed: int) -> Told:
    """Let the universe of a seed happen."""
    return _tellers[0].tell(seed)


def harm_in(told: Told) -> dict[str, int]:
    """Count what befell a universe, by its trace."""
    found: dict[str, int] = {}
    for line in told.trace:
        for word in HARM:
            if word in line:
                found[word.strip()] = found.get(word.strip(), 0) + 1
                break
    return found


def hunted(number: int, first: int, most: int) -> tuple[int, int, Told | None, float]:
    """Let universes happen with a mutant switched on, until one breaks a promise.

    What is broken without the mutant as well does not count.

    :return: the mutant, after how many universes, the one that broke it, and seconds
    """
    import pytest

    from tests.simulation.world.mutants import MUTANTS

    one, began = MUTANTS[number], time.process_time()
    for after in range(1, most + 1):
        with pytest.MonkeyPatch.context() as patch:
            one.switch_on(patch)
            found = _tellers[0].tell(first + after - 1, one.world)
        if found.trouble and not _tellers[0].tell(found.seed, one.world).trouble:
            return number, after, found, time.process_time() - began
    return number, most, None, time.process_time() - began
