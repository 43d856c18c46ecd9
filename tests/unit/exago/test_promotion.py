"""A promotion as a decision: whatever fails, is lost, is killed or done by others, it ends as planned or as before."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.errors import Rejected
from nightshift.exago.paths import ContentPath
from nightshift.exago.promotion import (
    Advance,
    Apply,
    Direction,
    FolderRecord,
    Stuck,
    next_move,
    plan_promotion,
    remarks,
    turn_back,
)
from nightshift.exago.steps import FolderStep, FolderStepKind, FolderStepState, Mark, place_of, status_of
from nightshift.exago.tree import Tree
from tests.unit.exago.trees import AFTER, BEFORE, lines_of, tree_of

ARGUMENTS = ("App/live", "App/next", "Archive/2026-11-21")


class World:
    """A tree that steps change."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = lines_of(tree_of(lines))

    @property
    def tree(self) -> Tree:
        return tree_of(sorted(self.lines))

    def do(self, step: FolderStep) -> bool:
        """Carry a step out as a server would; tell whether it was."""
        if status_of(step, self.tree).state is not FolderStepState.TO_DO:
            return False
        match step.kind:
            case FolderStepKind.CREATE:
                self.lines.add(f"{step.path}/")
            case FolderStepKind.DELETE:
                self.lines.discard(f"{step.path}/")
            case FolderStepKind.MOVE:
                self.move(step.path, step.to)
        return True

    def move(self, old: str, new: str) -> None:
        self.lines = {new + line.removeprefix(old) if line.startswith(f"{old}/") else line for line in self.lines}


def follow(
    world: World, record: FolderRecord, events: Iterable[str] = ()
) -> tuple[FolderRecord, list[FolderRecord], str]:
    """Follow a promotion to its end. Each request meets one of the events, then all is well.

    ``lost``: done, but its answer is lost and the process is killed; ``killed``: killed before it; ``refused``: not
    done.
    """
    events, kept, stuck = list(events), [record], ""
    while not record.is_ended:
        match next_move(record, world.tree):
            case Advance(record=after):
                record = after
            case Stuck(why=stuck):
                break
            case Apply(step=step, record=asked):
                record = msgspec.convert(msgspec.to_builtins(asked), FolderRecord)
                event = events.pop(0) if events else "done"
                if event in ("done", "lost"):
                    assert world.do(step)
                elif event == "refused" and record.direction is Direction.FORWARD:
                    record = turn_back(record, "refused")
        kept.append(record)
    return record, kept, stuck


def planned(world: World) -> FolderRecord:
    return FolderRecord(plan_promotion(world.tree, *ARGUMENTS))


def test_a_plan_and_its_end() -> None:
    world = World(BEFORE)
    record = planned(world)
    assert [str(step) for step in record.plan.steps] == [
        "create Archive",
        "move App/live to Archive/2026-11-21",
        "move App/next to App/live",
    ]
    end, _, _ = follow(world, record)
    assert end.direction is Direction.PLANNED
    assert world.lines == AFTER
    assert remarks(end, world.tree) == []


def test_the_first_promotion_has_nothing_to_archive() -> None:
    world = World(["App/next/r"])
    end, _, _ = follow(world, planned(world))
    assert end.direction is Direction.PLANNED
    assert world.lines == {"App/", "App/live/", "App/live/r"}
    assert remarks(end, world.tree) == []


@given(st.lists(st.sampled_from(["done", "lost", "killed", "refused"]), max_size=8))
@settings(max_examples=120)
def test_it_ends_as_planned_or_as_before(events: list[str]) -> None:
    world = World(BEFORE)
    end, _, stuck = follow(world, planned(world), events)
    assert not stuck
    assert world.lines == (AFTER if end.direction is Direction.PLANNED else World(BEFORE).lines)
    assert "refused" in events or end.direction is Direction.PLANNED


@given(st.integers(0, 12), st.lists(st.sampled_from(["done", "refused"]), max_size=4))
@settings(max_examples=60)
def test_every_record_that_was_ever_kept_leads_to_an_end(at: int, events: list[str]) -> None:
    """A killed attempt leaves an older record and a newer tree: what was asked for may be done or not."""
    world = World(BEFORE)
    _, kept, _ = follow(world, planned(world), events)
    record = kept[min(at, len(kept) - 1)]
    again = World(BEFORE)
    for one in kept[: min(at, len(kept) - 1) + 1]:
        if one.asked and one.direction is Direction.FORWARD:
            again.do(one.plan.steps[one.standing])
        elif one.asked and one.standing:
            again.do(one.plan.steps[one.standing - 1].inverse)
    end, _, stuck = follow(again, record)
    assert not stuck
    assert again.lines == (AFTER if end.direction is Direction.PLANNED else World(BEFORE).lines)


OTHERS = st.sampled_from(
    [
        ("App/next", "App/next2"),
        ("App/live", "App/live2"),
        ("Archive", "Old"),
        ("Archive/2026-11-21", "Kept"),
        ("App/next/r3", "App/next/r4"),
        ("Other", "Other2"),
        ("Other/x", "Archive/x"),
    ]
)


@given(st.integers(0, 8), OTHERS, st.lists(st.sampled_from(["done", "lost", "refused"]), max_size=4))
@settings(max_examples=120)
def test_another_user_renames_in_between(at: int, rename: tuple[str, str], events: list[str]) -> None:
    world = World(BEFORE)
    record = planned(world)
    moves = 0
    stuck = ""
    todo = list(events)
    while not record.is_ended and not stuck:
        if moves == at:
            old, new = rename
            if any(line.startswith(f"{old}/") or line == old for line in world.lines):
                world.lines = {
                    new + line.removeprefix(old) if line == old or line.startswith(f"{old}/") else line
                    for line in world.lines
                }
                world.lines = lines_of(world.tree)
        moves += 1
        match next_move(record, world.tree):
            case Advance(record=after):
                record = after
            case Stuck(why=stuck):
                pass
            case Apply(step=step, record=asked):
                record = asked
                if (todo.pop(0) if todo else "done") != "refused":
                    world.do(step)
                elif record.direction is Direction.FORWARD:
                    record = turn_back(record, "refused")
    assert not stuck
    assert record.is_ended
    names = {line for line in world.lines if line.split("/")[-1] in ("r1", "r2", "r3", "r4")}
    contents = {"/".join(line.split("/")[:-1]) for line in names}
    new = next(where for where in contents if any(line.startswith((f"{where}/r3", f"{where}/r4")) for line in names))
    (old_one,) = contents - {new}
    renamed_live = rename[0] in ("App/live", "Archive", "Archive/2026-11-21")
    if record.direction is Direction.PLANNED:
        assert new == "App/live" or rename == ("App/live", "App/live2")
        assert old_one == "Archive/2026-11-21" or renamed_live
    else:
        assert old_one == "App/live" or rename == ("App/live", "App/live2")
        assert new in ("App/next", "App/next2", "App/live2")
    gone = [path for path in ends_of(record) if path not in contents]
    assert len(gone) == sum("taken" in remark for remark in remarks(record, world.tree))


def ends_of(record: FolderRecord) -> list[str]:
    plan = record.plan
    return [plan.archive, plan.live] if record.direction is Direction.PLANNED else [plan.live, plan.candidate]


def test_a_stranger_in_the_way_of_the_next_step_is_not_touched_and_what_was_done_is_told() -> None:
    world = World(BEFORE)
    record = planned(world)
    for _ in range(4):
        move = next_move(record, world.tree)
        record = move.record
        if isinstance(move, Apply):
            world.do(move.step)
    assert "Archive/2026-11-21/" in world.lines
    world.lines |= {"App/live/", "App/live/stranger"}
    end, _, stuck = follow(world, record)
    assert "App/live" in stuck
    assert "App/live/stranger" in world.lines
    assert end.is_underway
    assert end.summary().startswith("The promotion stands half-way, going back: create Archive, move App/live")
    world.move("App/live", "App/theirs")
    end, _, stuck = follow(world, end)
    assert (end.direction, stuck) == (Direction.BEFORE, "")
    assert world.lines == World([*BEFORE, "App/theirs/stranger"]).lines


def test_a_stranger_at_the_old_place_after_our_move_does_not_undo_it() -> None:
    step = FolderStep(FolderStepKind.MOVE, "A", "B")
    mark = Mark.of(tree_of(["A/x", "A/y"]), ContentPath.parse("A"))
    both = tree_of(["A/other", "B/x", "B/y"])
    assert status_of(step, both, mark).state is FolderStepState.DONE
    assert status_of(step.inverse, both, mark).state is FolderStepState.BLOCKED
    alike = tree_of(["A/x", "A/y", "B/x", "B/y"])
    assert "nothing tells which" in status_of(step, alike, mark).why
    assert status_of(step, tree_of(["B/z"]), mark).state is FolderStepState.BLOCKED


@given(st.sets(st.integers(0, 400), max_size=300), st.sets(st.integers(0, 400), max_size=300))
def test_likeness_is_one_for_the_same_and_nothing_for_strangers(some: set[int], other: set[int]) -> None:
    a = Mark.of(tree_of(["A/", *(f"A/r{n}" for n in some)]), ContentPath.parse("A"))
    b = Mark.of(tree_of(["B/", *(f"B/r{n}" for n in other)]), ContentPath.parse("B"))
    assert a.similarity(b) == b.similarity(a)
    assert 0.0 <= a.similarity(b) <= 1.0
    if some == other:
        assert a.similarity(b) == 1.0
    if not some & other and (some or other):
        assert a.similarity(b) == 0.0
    assert len(msgspec.json.encode(a)) < 2_000


def test_an_id_decides_where_there_is_one() -> None:
    before = tree_of(["A/x", "B/x"], {"A/": "1", "B/": "2"})
    mark = Mark.of(before, ContentPath.parse("A"))
    after = tree_of(["A/x", "C/y"], {"A/": "2", "C/": "1"})
    assert place_of(mark, after) == ContentPath.parse("C")


@pytest.mark.parametrize(
    ("lines", "arguments", "read_only", "words"),
    [
        (["A/live/r"], ("A/live", "A/next", "Arc/n"), (), "A/next is not there"),
        (["A/live/r", "A/next"], ("A/live", "A/next", "Arc/n"), (), "is a report, not a folder"),
        (["A/live/r", "A/next/"], ("A/live", "A/next", "Arc/n"), (), "A/next is empty"),
        (["A/live/r", "A/next/r", "Arc/n/"], ("A/live", "A/next", "Arc/n"), (), "Arc/n is there already"),
        (["A/live/r", "A/live/next/r"], ("A/live", "A/live/next", "Arc/n"), (), "one inside the other"),
        (["A/live/r", "A/next/r"], ("A/live", "A/next", "A/live/archive/n"), (), "one inside the other"),
        (["A/live/r", "A/next/r"], ("A/live", "A/next", "Arc/n"), ("A/live/",), "A/live is read-only"),
        (["A/live/r", "A/next/r"], ("A/live", "A/next", "Arc/n"), ("A/next/",), "A/next is read-only"),
        (["A/live/r", "A/next/r"], ("A/live", "A/next", "rename/n"), (), "cannot be made by REST"),
        (["A/live/r", "A/next/r"], ("A/live", "A/next", "A/arc/n"), ("A/",), "A is read-only"),
    ],
)
def test_what_is_refused_before_anything_is_changed(lines, arguments, read_only, words) -> None:
    with pytest.raises(Rejected, match=words) as raised:
        plan_promotion(tree_of(lines, read_only=read_only), *arguments)
    assert "Nothing was changed" in str(raised.value)
