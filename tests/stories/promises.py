"""The promises of a promotion, held against what is true in a story; never against our own record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from tests.stories.world import Made, World


def no_version_twice(world: World) -> Iterator[str]:
    """No version twice in a stage by one promotion: but after the first one failed, or another version came between."""
    for stage in {one.stage for one in world.deploys()}:
        deploys = [one for one in world.deploys() if one.stage == stage]
        for first, second in pairwise(deploys):
            if (first.run, first.version) != (second.run, second.version):
                continue
            end = world.ended.get(first.request)
            if end is None or end.number > second.number or end.status == "COMPLETED":
                yield f"{second.run} deployed {second.version} to {stage} twice: {first.request}, {second.request}"


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
            if not approved(world, one, "roll_back.approve"):
                yield f"{one.run} brought {one.version} back to {one.stage} and nobody had approved it ({one.request})"
        elif world.built_by(one.version) != one.run:
            yield f"{one.run} deployed {one.version} to {one.stage}, which it did not build ({one.request})"
        elif one.stage == "TEST" and not approved(world, one, "TEST.approve"):
            yield f"{one.run} deployed {one.version} to TEST and nobody had approved it ({one.request})"


def is_roll_back(world: World, one: Made) -> bool:
    """Whether a deployment brings back what ran in its stage before this promotion."""
    return one.force and world.built_by(one.version) != one.run and one.version == before(world, one)


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
}


def broken(world: World) -> dict[str, list[str]]:
    """Return the promises that a story broke, each with how."""
    found = {name: list(promise(world)) for name, promise in PROMISES.items()}
    return {name: how for name, how in found.items() if how}
