"""The promises of a promotion, held against what is true in a story; never against our own record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from tests.stories.world import Answer, Closed, Made, World


def no_version_twice(world: World) -> Iterator[str]:
    """No version twice in a stage by one promotion: but after the first one failed, another version came between, or a
    person cleared the deployment when it had ended.
    """
    for stage in world.rules:
        for first, second in pairwise(world.deploys(stage)):
            if (first.run, first.version) != (second.run, second.version):
                continue
            end = world.ended.get(first.request)
            if end is None or end.number > second.number:
                yield f"{second.run} deployed {second.version} to {stage} twice: {first.request}, {second.request}"
            elif end.status == "COMPLETED" and not _cleared(world, second, end.number):
                yield f"{second.run} deployed {second.version} to {stage} again: {first.request}, {second.request}"


def _cleared(world: World, one: Made, since: int) -> bool:
    """Whether a person cleared a deployment after a moment and before it was made again."""
    back = is_roll_back(world, one) or _is_asked_back(world, one)
    task = "roll_back.deploy" if back else f"{one.stage}.deploy"
    return any((each.run, each.task) == (one.run, task) and since <= each.after < one.number for each in world.cleared)


def no_stage_out_of_order(world: World) -> Iterator[str]:
    """No stage before the one before it has the version."""
    for one in world.deploys():
        before = world.before(one.stage)
        if before is None or is_roll_back(world, one) or _is_emergency(world, one):
            continue
        if not any(each.version == one.version and world.completed(each, one.number) for each in world.deploys(before)):
            yield f"{one.run} deployed {one.version} to {one.stage} before it was in {before} ({one.request})"


def nothing_but_what_was_built_and_approved(world: World) -> Iterator[str]:
    """Nothing is deployed but what this promotion built, or a person gave it, approved for that stage; or brought back,
    approved as well.
    """
    for one in world.deploys():
        rule = world.rules[one.stage]
        if is_roll_back(world, one):
            if not rule.back_by_rule and not approved(world, one, "roll_back.approve"):
                yield f"{one.run} brought {one.version} back to {one.stage} and nobody had approved it ({one.request})"
        elif not world.is_own(one):
            yield f"{one.run} deployed {one.version} to {one.stage}, which it did not build ({one.request})"
        elif rule.asks is not None and not approved(world, one, f"{rule.asks}.approve"):
            yield f"{one.run} deployed {one.version} to {one.stage} and nobody had approved it ({one.request})"


def no_change_inside_a_freeze_or_a_hold(world: World) -> Iterator[str]:
    """Nothing is asked of FlexDeploy that changes a stage while the line is held or the stage is frozen."""
    for one in world.in_stage():
        for closed in world.closed:
            if _is_shut(closed, one) and not _is_overridden(world, closed, one):
                yield f"{one.run}: {one.kind} in {one.stage} ({one.request}) although {closed.words}"


def _is_shut(closed: Closed, one: Made) -> bool:
    if one.stage not in closed.stages or one.number <= closed.after or one.at < closed.since + UNDERWAY:
        return False
    if closed.until is not None and one.at >= closed.until:
        return False
    return closed.lifted is None or one.number <= closed.lifted


def _is_overridden(world: World, closed: Closed, one: Made) -> bool:
    where = "roll_back" if one.kind == "deploy_made" and is_roll_back(world, one) else one.stage
    return not closed.hold_id and any(
        (run, task.partition(".")[0]) == (one.run, where) and after < one.number
        for run, task, after in world.overridden
    )


def no_stage_without_its_verification_and_soak(world: World) -> Iterator[str]:
    """Nothing comes to a stage before the version was seen to be good in the stages before, and again after the soak,
    and still is; and no version comes anywhere that a person found to be bad.
    """
    for one in world.in_stage():
        version = world.version_of(one.run, one.number) if one.kind == "utility_run" else one.version
        if version is None or (one.kind == "deploy_made" and (is_roll_back(world, one) or _is_asked_back(world, one))):
            continue
        for stage in _before(world, one):
            if world.rules[stage].verified and (why := _unseen(world, one, stage, version)):
                yield f"{one.run}: {one.kind} in {one.stage} ({one.request}), and {version} {why} in {stage}"
        given = world.given.get(one.run)
        for said in world.reported:
            pardoned = given is not None and given.emergency and said.at <= given.at
            if said.version == version and said.after < one.number and one.at > said.at + UNDERWAY and not pardoned:
                yield (
                    f"{one.run}: {one.kind} in {one.stage} ({one.request}), and {version} was reported to be bad in "
                    f"{said.stage}"
                )


def _is_asked_back(world: World, one: Made) -> bool:
    """Whether a person's last word in a promotion was that a version is brought back: also one that the promotion had
    built itself before it was cleared.
    """
    said = [each for each in world.answers if each.run == one.run and each.after < one.number]
    return bool(said) and (said[-1].task, said[-1].option) == ("roll_back.approve", "Approve")


def _before(world: World, one: Made) -> list[str]:
    """Return the stages that a version has to be through: of an emergency, without those before its first one."""
    labels = list(world.rules)
    given = world.given.get(one.run)
    first = labels.index(given.from_stage) if given is not None and given.emergency else 0
    return labels[first : labels.index(one.stage)]


def _unseen(world: World, one: Made, stage: str, version: int) -> str:
    """Return why a version was not seen to be good in a stage; empty where it was."""
    there = [each for each in world.deploys(stage) if each.version == version and world.completed(each, one.number)]
    if not there:
        return ""
    given = world.given.get(one.run)
    elsewhere = given is not None and given.from_stage != next(iter(world.rules))
    # What an earlier promotion has seen may have been brought back since, which does not soak again.
    ends = sorted(world.ended[each.request].number for each in there)
    end = world.ended[next(r.request for r in there if world.ended[r.request].number == ends[0 if elsewhere else -1])]
    seen = [
        each
        for each in world.probed
        if (each.stage, each.version) == (stage, version) and end.number < each.number < one.number
    ]
    if elsewhere:
        seen = [each for each in seen if each.good]
    if not seen or not seen[-1].good:
        return "was not seen to be good"
    return "has not soaked" if seen[-1].at < end.at + world.rules[stage].soak - CLOCKS else ""


def no_approval_by_too_few_or_for_anything_else(world: World) -> Iterator[str]:
    """A stage gets a version when enough people have said yes to it, none of them who asked for it, nobody no, and to
    these tickets.
    """
    for one in world.deploys():
        rule = world.rules[one.stage]
        if rule.asks is None or is_roll_back(world, one):
            continue
        task = f"{rule.asks}.approve"
        said = [
            each
            for each in world.answers
            if (each.run, each.task, each.version) == (one.run, task, one.version) and each.after < one.number
        ]
        # A clear asks anew: a no of before stands in no one's way.
        asked_anew = max((each.turn for each in world.cleared if (each.run, each.task) == (one.run, task)), default=0)
        requester = world.started_by.get(one.run) if rule.not_requester else None
        last = {each.by: each for each in said if each.by != requester}
        yes = [each for each in last.values() if each.option == "Approve"]
        shown = [each for each in yes if each.tickets == one.tickets]
        what = f"{one.run} deployed {one.version} to {one.stage}"
        if len(yes) < rule.at_least:
            yield f"{what} ({one.request}) by {len(yes)} of {rule.at_least}"
        elif len(shown) < rule.at_least:
            yield f"{what} with {one.tickets} ({one.request}), and that was not shown"
        elif against := [each.by for each in last.values() if _stands(each, asked_anew)]:
            yield f"{what} ({one.request}) against the word of {', '.join(against)}"


def no_green_that_is_not_true(world: World) -> Iterator[str]:
    """A run is green as a promotion where its version is what it brought to each of its stages last, and came there
    well; nothing of it is underway there.
    """
    for claim in world.claimed:
        for stage in claim.stages:
            mine = [one for one in world.deploys(stage) if one.run == claim.run and one.number <= claim.after]
            if open_yet := [one.request for one in mine if not _has_ended(world, one, claim.after)]:
                yield f"{claim.run} is green, and {stage} is being deployed to: {open_yet}"
                continue
            last = max(mine, key=lambda one: world.ended[one.request].number, default=None)
            there = world.ran_before(stage, claim.after + 1) if last is None else last.version
            if there != claim.version or (last is not None and not world.completed(last)):
                what = f"({last.request}, {world.ended[last.request].status})" if last else ""
                yield f"{claim.run} is green with {claim.version}, and {stage} has {there} {what}".rstrip()


def _has_ended(world: World, one: Made, by: int) -> bool:
    end = world.ended.get(one.request)
    return end is not None and end.number <= by


def _stands(answer: Answer, asked_anew: int) -> bool:
    """Whether a no is in the way."""
    return answer.option != "Approve" and answer.turn > asked_anew


UNDERWAY = 35.0
"""Seconds after a word in which a request may still leave that was let go before it: our client sends none later."""
CLOCKS = 900.0
"""Seconds by which the clocks of a story may have been put back."""


def is_roll_back(world: World, one: Made) -> bool:
    """Whether a deployment brings back what ran in its stage before this promotion."""
    return not world.is_own(one) and one.version in before(world, one)


def before(world: World, one: Made) -> set[int]:
    """Return the versions that ran in the stage before this promotion changed it: it begins anew where a person clears
    its first task, and what it had asked for before that may only end then.
    """
    mine = [each for each in world.deploys(one.stage) if each.run == one.run and each.number <= one.number]
    begun = [0, *(each.after for each in world.cleared if (each.run, each.task) == (one.run, "begin"))]
    first = [min((each for each in mine if each.number > at), key=_number, default=one) for at in begun]
    return {world.ran_before(one.stage, each.number) for each in first}


def approved(world: World, one: Made, task: str) -> bool:
    """Whether the last answers before a deployment allow it."""
    asked = [each for each in world.answers if (each.run, each.task) == (one.run, task) and each.after < one.number]
    if task != "roll_back.approve":
        asked = [each for each in asked if each.version == one.version]
    return bool(asked) and asked[-1].option == "Approve"


def _is_emergency(world: World, one: Made) -> bool:
    given = world.given.get(one.run)
    return given is not None and bool(given.emergency) and given.from_stage == one.stage


def _number(one: Made) -> int:
    return one.number


PROMISES: Mapping[str, Callable[[World], Iterator[str]]] = {
    "no version twice in a stage by one promotion": no_version_twice,
    "no stage out of order": no_stage_out_of_order,
    "nothing but what was built and approved": nothing_but_what_was_built_and_approved,
    "no change inside a freeze or a hold": no_change_inside_a_freeze_or_a_hold,
    "no stage without its verification and soak": no_stage_without_its_verification_and_soak,
    "no approval by too few, by the requester, or for anything else": no_approval_by_too_few_or_for_anything_else,
    "no green that is not true": no_green_that_is_not_true,
}


def broken(world: World) -> dict[str, list[str]]:
    """Return the promises that a story broke, each with how."""
    found = {name: list(promise(world)) for name, promise in PROMISES.items()}
    return {name: how for name, how in found.items() if how}
