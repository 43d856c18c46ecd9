"""The promises of a promotion, held against what is true in a story; never against our own record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from tests.stories.world import Made, World


def no_version_twice(world: World) -> Iterator[str]:
    """No version twice in a stage by one promotion: but after the first one failed, another version came between, or a
    person cleared the deployment when it had ended.
    """
    for stage in {one.stage for one in world.deploys()}:
        deploys = [one for one in world.deploys() if one.stage == stage]
        for first, second in pairwise(deploys):
            if (first.run, first.version) != (second.run, second.version):
                continue
            end = world.ended.get(first.request)
            if end is None or end.number > second.number:
                yield f"{second.run} deployed {second.version} to {stage} twice: {first.request}, {second.request}"
            elif end.status == "COMPLETED" and not _cleared(world, second, end.number):
                yield f"{second.run} deployed {second.version} to {stage} again: {first.request}, {second.request}"


def _cleared(world: World, one: Made, since: int) -> bool:
    """Whether a person cleared a deployment after a moment and before it was made again."""
    task = f"{one.stage}.deploy"
    return any((run, name) == (one.run, task) and since <= at < one.number for run, name, at in world.cleared)


def no_stage_out_of_order(world: World) -> Iterator[str]:
    """No stage before the one before it has the version."""
    for one in world.deploys():
        if one.stage != "TEST" or is_roll_back(world, one):
            continue
        through = (
            first
            for first in world.deploys()
            if (first.stage, first.version) == ("DEV", one.version) and world.completed(first, one.number)
        )
        if next(through, None) is None:
            yield f"{one.run} deployed {one.version} to TEST before it was in DEV ({one.request})"


def nothing_but_what_was_built_and_approved(world: World) -> Iterator[str]:
    """Nothing is deployed but what this promotion built, approved for that stage; or brought back, approved as well."""
    for one in world.deploys():
        if is_roll_back(world, one):
            if one.stage not in world.rules.rolled_back_by_rule and not approved(world, one, "roll_back.approve"):
                yield f"{one.run} brought {one.version} back to {one.stage} and nobody had approved it ({one.request})"
        elif world.built_by(one.version) != one.run:
            yield f"{one.run} deployed {one.version} to {one.stage}, which it did not build ({one.request})"
        elif one.stage == "TEST" and not approved(world, one, "TEST.approve"):
            yield f"{one.run} deployed {one.version} to TEST and nobody had approved it ({one.request})"


def no_change_inside_a_freeze_or_a_hold(world: World) -> Iterator[str]:
    """Nothing is asked of FlexDeploy that changes a stage while the line is held or the stage is frozen."""
    for one in world.in_stage():
        for closed in world.closed:
            if one.stage not in closed.stages or one.number <= closed.after:
                continue
            if one.at < closed.since + UNDERWAY or (closed.until is not None and one.at >= closed.until):
                continue
            if closed.lifted is not None and one.number > closed.lifted:
                continue
            if closed.after == 0 and any(
                (run, stage) == (one.run, one.stage) and after < one.number for run, stage, after in world.overridden
            ):
                continue
            yield f"{one.run}: {one.kind} in {one.stage} ({one.request}) although {closed.words}"


def no_stage_without_its_verification_and_soak(world: World) -> Iterator[str]:
    """Nothing comes to TEST before the version was seen to be good in DEV, and again after its soak, and still is."""
    if not world.rules.verified:
        return
    for one in world.in_stage():
        version = world.newest_build(one.run, one.number) if one.kind == "utility_run" else one.version
        if one.stage != "TEST" or version is None or (one.kind == "deploy_made" and is_roll_back(world, one)):
            continue
        there = [each for each in world.deploys() if (each.stage, each.version) == ("DEV", version)]
        ends = [world.ended[each.request] for each in there if world.completed(each, one.number)]
        if not ends:
            continue
        end = max(ends, key=lambda each: each.number)
        seen = [
            each
            for each in world.probed
            if (each.stage, each.version) == ("DEV", version) and end.number < each.number < one.number
        ]
        if not seen or not seen[-1].good:
            yield f"{one.run}: {one.kind} in TEST ({one.request}), and {version} was not seen to be good in DEV"
        elif world.rules.soak and seen[-1].at < end.at + world.rules.soak - CLOCKS:
            yield f"{one.run}: {one.kind} in TEST ({one.request}), and {version} has not soaked in DEV"
        for number, stage, after, at in world.reported:
            if (number, stage) == (version, "DEV") and after < one.number and one.at > at + UNDERWAY:
                yield f"{one.run}: {one.kind} in TEST ({one.request}), and {version} was reported to be bad in DEV"


def no_approval_by_too_few_or_for_anything_else(world: World) -> Iterator[str]:
    """TEST gets a version when enough people have said yes to it, none of them who asked for it, and to these
    tickets.
    """
    for one in world.deploys():
        if one.stage != "TEST" or is_roll_back(world, one):
            continue
        said = [
            each
            for each in world.answers
            if (each.run, each.task, each.version) == (one.run, "TEST.approve", one.version) and each.after < one.number
        ]
        last = {each.by: each for each in said}
        asked = world.started_by.get(one.run) if world.rules.not_requester else None
        yes = [each for each in last.values() if each.option == "Approve" and each.by != asked]
        shown = [each for each in yes if each.tickets == one.tickets]
        if len(yes) < world.rules.at_least:
            yield f"{one.run} deployed {one.version} to TEST ({one.request}) by {len(yes)} of {world.rules.at_least}"
        elif len(shown) < world.rules.at_least:
            yield f"{one.run} deployed {one.version} to TEST with {one.tickets} ({one.request}), and that was not shown"


UNDERWAY = 35.0
"""Seconds after a word in which a request may still leave that was let go before it: our client sends none later."""
CLOCKS = 900.0
"""Seconds by which the clocks of a story may have been put back."""


def is_roll_back(world: World, one: Made) -> bool:
    """Whether a deployment brings back what ran in its stage before this promotion."""
    return world.built_by(one.version) != one.run and one.version == before(world, one)


def before(world: World, one: Made) -> int:
    """Return the version that ran in the stage before this promotion changed it."""
    first = min((each for each in world.deploys() if (each.run, each.stage) == (one.run, one.stage)), key=_number)
    return world.ran_before(one.stage, first.number)


def approved(world: World, one: Made, task: str) -> bool:
    """Whether the last answers before a deployment allow it."""
    asked = [each for each in world.answers if (each.run, each.task) == (one.run, task) and each.after < one.number]
    if task == "TEST.approve":
        asked = [each for each in asked if each.version == one.version]
    return bool(asked) and asked[-1].option == "Approve"


def _number(one: Made) -> int:
    return one.number


PROMISES: Mapping[str, Callable[[World], Iterator[str]]] = {
    "no version twice in a stage by one promotion": no_version_twice,
    "no stage out of order": no_stage_out_of_order,
    "nothing but what was built and approved": nothing_but_what_was_built_and_approved,
    "no change inside a freeze or a hold": no_change_inside_a_freeze_or_a_hold,
    "no stage without its verification and soak": no_stage_without_its_verification_and_soak,
    "no approval by too few, by the requester, or for anything else": no_approval_by_too_few_or_for_anything_else,
}


def broken(world: World) -> dict[str, list[str]]:
    """Return the promises that a story broke, each with how."""
    found = {name: list(promise(world)) for name, promise in PROMISES.items()}
    return {name: how for name, how in found.items() if how}
