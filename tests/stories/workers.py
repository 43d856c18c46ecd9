"""Processes that tell stories: what each is begun with, and what it hands back."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

# Before Airflow is imported: an Airflow home of its own, no setting of the user's.
import tests.conftest  # noqa: F401
from tests.stories.teller import Teller, telling

_open = ExitStack()
_tellers: list[Teller] = []


def begin() -> None:
    """Begin a process; what it opens ends with it."""
    quiet()
    _tellers.append(_open.enter_context(telling()))


def told(seed: int) -> tuple[int, str, set[tuple[str, str]]]:
    """Tell the story of a seed; return what is wrong with it, empty where nothing is, and what it was about."""
    try:
        story = _tellers[0].tell(seed)
    except Exception as error:
        return seed, f"{type(error).__name__}: {error}", set()
    return seed, "", story.ends


def hunted(number: int, first: int) -> tuple[int, tuple[int, str] | None]:
    """Tell stories with a mutant switched on; return its number, after how many it was found, and how."""
    import pytest

    from tests.stories.mutants import MOST, MUTANTS

    one = MUTANTS[number]
    with pytest.MonkeyPatch.context() as patch:
        one.switch_on(patch)
        return number, _tellers[0].hunt(one.promise, first, MOST)


def quiet() -> None:
    """Keep what operators log to themselves: a story tells what matters."""
    import structlog

    logging.disable(logging.CRITICAL)
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)


def _drop(*_: Any) -> Any:
    import structlog

    raise structlog.DropEvent
