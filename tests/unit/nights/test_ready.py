"""Which nights are complete for which applications, and that a night that becomes complete is never overlooked."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.nights.ready import Waiting, nights_to_look_at, ready_asset, waiting_for

N1, N2, N3 = "2026-11-19", "2026-11-20", "2026-11-21"
A, B, C = "flexnet/a", "flexnet/b", "tokenflex/c"


@dataclass(frozen=True)
class Night:
    """What the lake says of a night, as far as it is asked here."""

    sound: bool = True


def look_in(published: Collection[tuple[str, str]], unsound: Collection[tuple[str, str]] = ()):
    def look(report: str, night: str):
        return Night((report, night) not in unsound) if (report, night) in published else None

    return look


def test_a_night_is_complete_where_every_report_is_published_and_sound() -> None:
    waiting = Waiting({"one": (A, B), "other": (A, C), "third": (C,)})
    published = {(A, N1), (B, N1), (C, N1), (A, N2), (B, N2), (C, N3)}
    assert waiting.complete([N1, N2, N3], look_in(published)) == {"one": [N1, N2], "other": [N1], "third": [N1, N3]}
    assert waiting.complete([N1], look_in(published, unsound={(A, N1)})) == {"third": [N1]}
    assert waiting.complete([], look_in(published)) == {}
    assert Waiting().complete([N1], look_in(published)) == {}


def test_the_lake_is_asked_once_and_no_further_than_to_what_is_missing() -> None:
    asked = []

    def look(report: str, night: str):
        asked.append((report, night))
        return Night() if report != B else None

    Waiting({f"app{number}": (A, B, C) for number in range(50)}).complete([N1], look)
    assert asked == [(A, N1), (B, N1)]


@pytest.mark.parametrize(
    ("published", "known", "first_attempt", "expected"),
    [
        ([N3], [], True, [N3]),
        ([N3], [N3], True, [N3]),
        ([N1, N2, N3], [N1, N2], True, [N3]),
        ([N1, N2, N3], [N2], True, [N1, N3]),
        ([N1, N2, N3], [N1, N2, N3], False, [N1, N2, N3]),
    ],
)
def test_which_nights_a_publish_looks_at(
    published: list[str], known: list[str], first_attempt: bool, expected: list[str]
) -> None:
    assert nights_to_look_at(published, N3, known, first_attempt=first_attempt) == expected


PORTAL = """
portal:
  straem: main
  after: [flexnet/a, tokenflex/c]
  stages: nonsense
dashboard: {after: [flexnet/a]}
by_hand: {after: []}
odd: {after: flexnet/a}
"no name": {after: [flexnet/a]}
"""


def test_who_waits_is_told_whatever_else_is_wrong_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "promotions.yaml").write_text(PORTAL)
    found = waiting_for("flexnet", "a", tmp_path)
    assert dict(found.applications) == {"portal": (A, C), "dashboard": (A,)}
    assert [asset.uri for asset in found.assets()] == ["x-nightshift://ready/dashboard", "x-nightshift://ready/portal"]
    assert dict(waiting_for("tokenflex", "c", tmp_path).applications) == {"portal": (A, C)}
    assert waiting_for("flexnet", "b", tmp_path) == Waiting()


def test_a_file_that_is_corrected_is_read_anew(tmp_path: Path) -> None:
    assert waiting_for("flexnet", "a", tmp_path) == Waiting()
    (tmp_path / "promotions.yaml").write_text("portal:\n\tafter: [flexnet/a]\n")
    broken = waiting_for("flexnet", "a", tmp_path)
    assert "promotions.yaml" in broken.trouble
    assert (broken.applications, broken.assets()) == ({}, [])
    (tmp_path / "promotions.yaml").write_text("portal: {after: [flexnet/a]}\n")
    assert dict(waiting_for("flexnet", "a", tmp_path).applications) == {"portal": (A,)}


def test_the_name_of_the_asset() -> None:
    asset = ready_asset("portal")
    assert (asset.name, asset.uri) == ("ready/portal", "x-nightshift://ready/portal")


@dataclass
class Publish:
    """One publish: what it commits, in the order of its steps."""

    report: str
    night: str
    nights: tuple[str, ...]
    first_attempt: bool = True

    def steps(self, lake: set[tuple[str, str]], waiting: Waiting, emitted: list[str], *, dies: int) -> Iterator[None]:
        """Look what is there, commit, look what is complete, emit: one step at a time; ``dies`` after so many."""
        known = {night for night in self.nights if (self.report, night) in lake}
        yield
        if dies == 1:
            return
        lake.update((self.report, night) for night in self.nights)
        yield
        if dies == 2:
            return
        mine = nights_to_look_at(self.nights, self.night, known, first_attempt=self.first_attempt)
        reports = waiting.applications["app"]
        seen: dict[str, bool] = {}
        for night, report in itertools.product(mine, reports):
            # Each report is asked at a moment of its own.
            seen[night] = seen.get(night, True) and (report, night) in lake
            yield
        if dies == 3:
            return
        emitted.extend(night for night in mine if seen[night])


@given(seed=st.integers(0, 2**32), reports=st.integers(1, 4), nights=st.integers(1, 5), back=st.integers(0, 3))
def test_in_every_order_of_steps_a_complete_night_is_told_of_and_an_incomplete_one_never(
    seed: int, reports: int, nights: int, back: int
) -> None:
    """Publishes of several reports with a look-back, step by step in a random order; some die and are tried again."""
    draw = random.Random(seed)
    names = [f"flexnet/r{number}" for number in range(reports)]
    waiting, lake, emitted = Waiting({"app": tuple(names)}), set[tuple[str, str]](), list[str]()
    days = [f"2026-11-{day:02}" for day in range(1, nights + 1)]
    todo: list[tuple[Publish, int]] = []
    for name, number in itertools.product(names, range(nights)):
        if draw.random() < 0.85:
            first = max(0, number - back) if name == names[0] else number
            todo.append((Publish(name, days[number], tuple(days[first : number + 1])), draw.choice([0, 0, 0, 1, 2, 3])))
    draw.shuffle(todo)
    running: list[tuple[Publish, int, Iterator[None]]] = []
    while todo or running:
        if todo and (not running or draw.random() < 0.4):
            one, dies = todo.pop()
            running.append((one, dies, one.steps(lake, waiting, emitted, dies=dies)))
            continue
        at = draw.randrange(len(running))
        one, dies, steps = running[at]
        if next(steps, "end") == "end":
            running.pop(at)
            if dies:
                todo.append((Publish(one.report, one.night, one.nights, first_attempt=False), 0))
    complete = {day for day in days if all((name, day) in lake for name in names)}
    assert set(emitted) == complete
