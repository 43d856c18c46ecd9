"""The promotion of a folder, decided without any input or output: ``live`` becomes ``archive/<night>``, ``candidate``
becomes ``live``; a step that cannot be done takes those before it back, in reverse.

Purpose: other users see every step at once, so a promotion must end as planned or as it was, whatever fails.
How it works: the plan and the step reached are a record that is kept before each request. What to do next follows from
the record and from the tree as it is, never from the answer to a request; so a killed promotion goes on, and a change
by another user is noticed. What it does not do: it never removes, renames or overwrites a folder that somebody else has
put in its way; then it stops and says what is where.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from nightshift.errors import Rejected
from nightshift.exago.paths import VENDOR, ContentPath
from nightshift.exago.steps import FolderStep, FolderStepKind, FolderStepState, Mark, place_of, status_of
from nightshift.exago.tree import Tree

NOTHING_DONE = "Nothing was changed."


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a promotion will do.

    :param live: the folder that users work with
    :param candidate: the folder that takes its place
    :param archive: where the old one goes
    :param steps: in order
    :param marks: path of a folder before the promotion → what it is known by
    """

    live: str
    candidate: str
    archive: str
    steps: tuple[FolderStep, ...]
    marks: dict[str, Mark]

    def mark_of(self, step: FolderStep) -> Mark | None:
        """Return what the folder that a step moves is known by, in either direction."""
        first = next((one for one in self.steps if step in (one, one.inverse)), step)
        return self.marks.get(first.path)

    def __str__(self) -> str:
        return "; ".join(f"{number}. {step}" for number, step in enumerate(self.steps, 1))


class Direction(StrEnum):
    """Where a promotion is heading."""

    FORWARD = "forward"
    BACK = "back"
    PLANNED = "as planned"
    BEFORE = "as before"


ENDED = frozenset({Direction.PLANNED, Direction.BEFORE})


class FolderRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a promotion is; kept before each request.

    :param plan: what it does
    :param direction: forward, back, or how it ended
    :param standing: how many steps of the plan stand
    :param asked: whether the next step (back: the inverse of the last one that stands) may have been asked for
    :param ours: for each step that stands, whether it was done by us
    :param why: why it goes back
    """

    plan: Plan
    direction: Direction = Direction.FORWARD
    standing: int = 0
    asked: bool = False
    ours: tuple[bool, ...] = ()
    why: str = ""

    @property
    def is_ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.direction in ENDED

    @property
    def is_underway(self) -> bool:
        """Whether the tree may be neither as before nor as planned."""
        return not self.is_ended and (self.standing > 0 or self.asked)

    def summary(self) -> str:
        """Say where the promotion stands."""
        if not self.is_underway:
            return "Nothing of the promotion was done."
        steps = self.plan.steps
        stands = ", ".join(str(step) for step in steps[: self.standing]) or "no step"
        heading = "back" if self.direction is Direction.BACK else "forward"
        text = f"The promotion stands half-way, going {heading}: {stands} done, of {len(steps)} steps"
        if self.asked and self.direction is Direction.FORWARD:
            text += f"; {steps[self.standing]} may be done as well"
        return f"{text}. The next attempt, or clearing the task, goes on."


class Apply(msgspec.Struct, frozen=True):
    """Keep the record, then ask the server for the step."""

    step: FolderStep
    record: FolderRecord


class Advance(msgspec.Struct, frozen=True):
    """Keep the record; nothing is to be asked for."""

    record: FolderRecord
    what: str


class Stuck(msgspec.Struct, frozen=True):
    """Nothing can be done without a person: the tree is neither as planned nor as before."""

    why: str


def plan_promotion(tree: Tree, live: str, candidate: str, archive: str, *, allow_empty: bool = False) -> Plan:
    """Plan a promotion on a tree; folders above the archive that are missing are made.

    :param tree: as it is
    :param live: the folder that users work with; may be missing before the first promotion
    :param candidate: the folder that takes its place
    :param archive: where the old one goes; must not be there yet
    :param allow_empty: whether an empty candidate is promoted
    :raises Rejected: the folders overlap, are missing, in the way, read-only or empty; nothing was changed
    """
    old, new, kept = (ContentPath.parse(text) for text in (live, candidate, archive))
    for one, other in ((old, new), (old, kept), (new, kept)):
        if one.overlaps(other):
            raise _refused(f"{one} and {other} are one inside the other", "Choose three folders apart from each other.")
    _fit(tree, new, must_be_there=True)
    _fit(tree, old, must_be_there=False)
    if tree.folder(kept) is not None:
        raise _refused(
            f"{kept} is there already", "This night was promoted before, or somebody made the folder: look at it."
        )
    if not allow_empty and not tree.inside(new):
        raise _refused(f"{new} is empty", "Fill it, or set allow_empty where an empty folder is to go live.")
    has_live = tree.folder(old) is not None
    missing = [path for path in kept.ancestors if tree.folder(path) is None] if has_live else []
    missing += [path for path in old.ancestors if tree.folder(path) is None and path not in missing]
    for path in missing:
        if path.is_reserved:
            raise _refused(f"a folder {path} at the root cannot be made by REST", "Choose another archive.")
        if (status := status_of(FolderStep(FolderStepKind.CREATE, str(path)), tree)).state is FolderStepState.BLOCKED:
            raise _refused(status.why, "Give the user of the connection the right to write there.")
    steps = [FolderStep(FolderStepKind.CREATE, str(path)) for path in missing]
    steps += [FolderStep(FolderStepKind.MOVE, str(old), str(kept))] if has_live else []
    steps.append(FolderStep(FolderStepKind.MOVE, str(new), str(old)))
    marks = {str(path): Mark.of(tree, path) for path in (old, new) if tree.folder(path) is not None}
    return Plan(str(old), str(new), str(kept), tuple(steps), marks)


def next_move(record: FolderRecord, tree: Tree) -> Apply | Advance | Stuck:
    """Decide what comes next; a record that is ended needs nothing and must not be given.

    :param record: as it was kept last
    :param tree: as it is now
    """
    return _onward(record, tree) if record.direction is Direction.FORWARD else _backward(record, tree)


def turn_back(record: FolderRecord, why: str) -> FolderRecord:
    """Return the record of a promotion that a step has failed of: what stands is taken back.

    The step that failed counts as not done, which the tree must have shown.
    """
    return replace(record, direction=Direction.BACK, asked=False, why=why)


def remarks(record: FolderRecord, tree: Tree) -> list[str]:
    """Return what the tree shows otherwise than the end that a promotion has come to, because somebody else was at
    work;
    empty where nothing does.

    :param record: ended
    :param tree: as it is now
    """
    plan = record.plan
    if record.direction is Direction.BEFORE:
        found = [text for path, mark in plan.marks.items() for text in _missing(path, mark, tree)]
        found += _changed(plan, tree) if not found else []
        made = [
            step for step in plan.steps if step.kind is FolderStepKind.CREATE and tree.folder(step.source) is not None
        ]
        return found + [f"{step.path}, which was not there, is there now" for step in made]
    found = _missing(plan.archive, plan.marks[plan.live], tree) if plan.live in plan.marks else []
    found += _missing(plan.live, plan.marks[plan.candidate], tree)
    live = ContentPath.parse(plan.live)
    if not found and Mark.of(tree, live).sketch != plan.marks[plan.candidate].sketch:
        found.append(f"what is in {live} has changed since the plan was made")
    if tree.folder(ContentPath.parse(plan.candidate)) is not None:
        found.append(f"somebody has made a new {plan.candidate}")
    return found


def _missing(path: str, mark: Mark, tree: Tree) -> list[str]:
    """Say where the folder that a mark is of is not at its path, be it that another one is there."""
    here = ContentPath.parse(path)
    is_there = tree.folder(here) is not None
    if is_there and mark.is_of(Mark.of(tree, here)):
        return []
    where = place_of(mark, tree)
    what = (
        f"another folder is at {path} than the one that belongs there"
        if is_there
        else f"somebody else has taken {path} away"
    )
    return [what + (f", it is at {where} now" if where else "")]


def _changed(plan: Plan, tree: Tree) -> list[str]:
    """Say what others have changed inside of folders that are where they were."""
    marks = ((path, mark, Mark.of(tree, ContentPath.parse(path))) for path, mark in plan.marks.items())
    return [
        f"what is in {path} has changed since the plan was made"
        for path, mark, now in marks
        if mark.sketch != now.sketch
    ]


def _onward(record: FolderRecord, tree: Tree) -> Apply | Advance | Stuck:
    plan, at = record.plan, record.standing
    if at == len(plan.steps):
        return Advance(replace(record, direction=Direction.PLANNED), "The tree is as planned")
    step = plan.steps[at]
    status = status_of(step, tree, plan.mark_of(step))
    match status.state:
        case FolderStepState.TO_DO:
            return Apply(step, replace(record, asked=True))
        case FolderStepState.DONE:
            who = "done" if record.asked else "done already, by somebody else"
            ours = (*record.ours, record.asked)
            return Advance(replace(record, standing=at + 1, asked=False, ours=ours), f"Step {at + 1}, {step}: {who}")
        case FolderStepState.BLOCKED:
            what = f"Step {at + 1}, {step}: cannot be done: {status.why}"
            if record.asked and _was_moved_on(plan, step, tree):
                record = replace(record, standing=at + 1, ours=(*record.ours, True))
            return Advance(turn_back(record, status.why), what)


def _backward(record: FolderRecord, tree: Tree) -> Apply | Advance | Stuck:
    plan, at = record.plan, record.standing
    if at == 0:
        return Advance(replace(record, direction=Direction.BEFORE), "Everything that was done is taken back")
    first = plan.steps[at - 1]
    less = replace(record, standing=at - 1, asked=False, ours=record.ours[:-1])
    if not record.ours[at - 1]:
        return Advance(less, f"Step {at}, {first}: was done by somebody else and stays")
    step = _followed(plan, first.inverse, tree)
    status = status_of(step, tree, plan.mark_of(first))
    match status.state:
        case FolderStepState.TO_DO:
            return Apply(step, replace(record, asked=True))
        case FolderStepState.DONE:
            return Advance(less, f"Step {at}, {first}: taken back")
        case FolderStepState.BLOCKED if step.kind is FolderStepKind.DELETE:
            return Advance(less, f"Step {at}, {first}: stays, {status.why}")
        case FolderStepState.BLOCKED:
            return Stuck(status.why)


def _followed(plan: Plan, step: FolderStep, tree: Tree) -> FolderStep:
    """Return the inverse of a move from where its folder is now, if somebody has moved it on."""
    mark = plan.mark_of(step)
    if step.kind is not FolderStepKind.MOVE or mark is None or tree.folder(step.source) or tree.folder(step.target):
        return step
    where = place_of(mark, tree)
    return step if where is None else FolderStep(FolderStepKind.MOVE, str(where), step.to)


def _was_moved_on(plan: Plan, step: FolderStep, tree: Tree) -> bool:
    """Tell whether a folder that we may have moved is somewhere else now: it is to be brought back from there."""
    mark = plan.mark_of(step)
    if step.kind is not FolderStepKind.MOVE or mark is None or tree.folder(step.source) or tree.folder(step.target):
        return False
    return place_of(mark, tree) is not None


def _fit(tree: Tree, path: ContentPath, *, must_be_there: bool) -> None:
    entry = tree.folder(path)
    if entry is None and must_be_there:
        what = "is a report, not a folder" if tree.report(path) is not None else "is not there"
        raise _refused(f"{path} {what}", "Check the path; names distinguish upper and lower case.")
    if entry is not None and entry.read_only:
        raise _refused(entry.why_closed, "Use another role.")


def _refused(problem: str, advice: str) -> Rejected:
    return Rejected(f"the promotion was refused: {problem}", vendor=VENDOR, advice=f"{NOTHING_DONE} {advice}")
