"""How a list of Airflow is read to its end, whatever the server makes of pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nightshift.cli.airflow_api import AirflowApi, Credentials
from nightshift.cli.terminal import CannotTell

TASKS = [f"task-{number:03}" for number in range(7)]
Answer = Callable[[int, int], dict[str, Any]]


class Scripted(AirflowApi):
    """Answers for the server.

    :param answer: what it says, by offset and number of the request
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__("http://127.0.0.1:9", Credentials())
        self.offsets: list[int] = []
        self._says = answer

    async def get(self, path: str, **query: Any) -> Any:
        self.offsets.append(query["offset"])
        assert len(self.offsets) < 50
        return self._says(query["offset"], len(self.offsets))


def read(api: AirflowApi) -> list[str]:
    async def every() -> list[str]:
        return [str(one) async for one in api.every("/api/v2/tasks", "tasks")]

    return asyncio.run(every())


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pages_of_any_size_are_read_to_the_total(size: int) -> None:
    api = Scripted(lambda offset, _: {"tasks": TASKS[offset : offset + size], "total_entries": 7})
    assert read(api) == TASKS
    assert len(api.offsets) == -(-7 // size)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_without_a_total_a_page_without_anything_is_the_end(size: int) -> None:
    assert read(Scripted(lambda offset, _: {"tasks": TASKS[offset : offset + size]})) == TASKS


def test_a_server_that_gives_the_same_page_again_is_not_asked_for_ever() -> None:
    assert read(Scripted(lambda offset, _: {"tasks": TASKS})) == TASKS
    with pytest.raises(CannotTell, match="gives 3 of 7 tasks and no more"):
        read(Scripted(lambda offset, _: {"tasks": TASKS[:3], "total_entries": 7}))


def test_a_list_that_is_cut_is_not_taken_for_whole() -> None:
    with pytest.raises(CannotTell, match="gives 5 of 7 tasks and no more"):
        read(Scripted(lambda offset, _: {"tasks": TASKS[:5][offset : offset + 3], "total_entries": 7}))


def test_an_empty_list_is_whole() -> None:
    api = Scripted(lambda offset, _: {"tasks": [], "total_entries": 0})
    assert (read(api), api.offsets) == ([], [0])


def test_what_moves_up_because_others_are_gone_is_not_missed() -> None:
    def answer(offset: int, request: int) -> dict[str, Any]:
        left = TASKS if request == 1 else TASKS[2:]
        return {"tasks": left[offset : offset + 3], "total_entries": len(left)}

    found = read(Scripted(answer))
    assert set(found) == set(TASKS)
