"""Every crash between every two effects of one submission, every answer and every order of two attempts, up to a number
of faults; and the proof that the search finds what it is there to find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from nightshift.errors import Ambiguous
from nightshift.jobs import once
from nightshift.jobs.cancel import Twins
from nightshift.jobs.decision import AskPerson, Decision, Look, Situation, Submit, decide
from nightshift.jobs.record import JobRecord, JobStore
from tests.simulation.exhausted.submissions import World, explore, run_one, time_of_its_own
from tests.simulation.exhausted.world import Broken, Choices, Window

FAULTS = 2


@pytest.mark.parametrize("can_find", [True, False])
def test_whatever_happens_a_task_has_one_job(can_find: bool, capsys: pytest.CaptureFixture[str]) -> None:
    happened: Counter[str] = Counter()

    def count(world: World) -> None:
        happened.update(world.happened)

    runs = explore(faults=FAULTS, can_find=can_find, each=count)
    with capsys.disabled():
        print(
            f"\n{runs} runs with up to {FAULTS} faults, {'with' if can_find else 'without'} a list of the vendor's jobs"
        )
    assert runs > 200
    assert {"killed", "frozen", "frozen for long", "the answer is lost", "the write does not count"} <= set(happened)


def test_a_run_can_be_had_again_by_its_choices() -> None:
    runs: list[tuple[tuple[int, ...], list[str], int]] = []
    explore(
        faults=1,
        can_find=True,
        each=lambda world: runs.append((world.choices.taken, world.happened, len(world.jobs))),
    )
    with time_of_its_own():
        for taken, happened, jobs in runs:
            again = run_one(Choices(taken), faults=1, can_find=True)
            assert (again.happened, len(again.jobs)) == (happened, jobs)


def _no_intent(patch: pytest.MonkeyPatch) -> None:
    """The intent is not written before the request."""
    save = JobStore.save
    patch.setattr(JobStore, "save", lambda self, one: save(self, one) if one.id or one.refused or one.lost else one)


def _id_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    """The id is not written after the answer, and no later attempt looks for it."""
    patch.setattr(once, "decide", _deciding(lambda seen: Submit("again") if seen.attempt > 1 else None))


def _lost_is_refused(patch: pytest.MonkeyPatch) -> None:
    """A request whose answer was lost counts as one that was not taken."""
    patch.setattr(once, "_REFUSED", (*once._REFUSED, Ambiguous))


def _list_is_never_late(patch: pytest.MonkeyPatch) -> None:
    """The first "none found" is believed."""

    def eager(seen: Situation) -> Decision | None:
        answer = decide(seen)
        return Submit("none found") if isinstance(answer, Look) and seen.found == () else None

    patch.setattr(once, "decide", _deciding(eager))


def _no_window(patch: pytest.MonkeyPatch) -> None:
    """A request leaves however late it is, and nobody looks for a second job afterwards."""
    patch.setattr(Window, "is_over", False)

    async def nobody(*_args: Any) -> bool:
        return False

    patch.setattr(Twins, "yield_to", nobody)


def _guess(patch: pytest.MonkeyPatch) -> None:
    """Where only a person can tell, the vendor is asked again."""
    patch.setattr(
        once, "decide", _deciding(lambda seen: Submit("a guess") if isinstance(decide(seen), AskPerson) else None)
    )


def _refusal_is_a_doubt_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What was in doubt is forgotten by the next attempt."""
    load = JobStore.load

    def forgetful(self: JobStore) -> JobRecord | None:
        record = load(self)
        return None if record is not None and record.id is None else record

    patch.setattr(JobStore, "load", forgetful)
    patch.setattr(once, "decide", _deciding(lambda seen: Submit("no record") if seen.record is None else None))


def _fence(patch: pytest.MonkeyPatch) -> None:
    """Airflow's refusal of a save is not heeded: the thawed attempt leaves its job alone, however late it was made."""
    patch.setattr(once, "is_refused_to_this_attempt", lambda _error: False)
    patch.setattr(Window, "is_over", False)


def _deciding(instead: Callable[[Situation], Decision | None]) -> Callable[[Situation], Decision]:
    return lambda seen: instead(seen) or decide(seen)


MUTANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], bool]] = [
    (_no_intent, False),
    (_id_is_not_kept, True),
    (_lost_is_refused, True),
    (_list_is_never_late, True),
    (_no_window, True),
    (_guess, False),
    (_refusal_is_a_doubt_forgotten, True),
    (_fence, True),
]


@pytest.mark.parametrize(("mutant", "can_find"), MUTANTS, ids=[one.__name__.strip("_") for one, _ in MUTANTS])
def test_the_search_finds_what_is_broken_on_purpose(
    mutant: Callable[[pytest.MonkeyPatch], None], can_find: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(Broken):
        explore(faults=FAULTS, can_find=can_find)
