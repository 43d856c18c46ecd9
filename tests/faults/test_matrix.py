"""One fault of each kind, at one operator that can meet it; all at all by ``make faults``."""

from __future__ import annotations

from functools import cache
from itertools import cycle

import pytest

from include.standins.faults import FaultKind
from nightshift.sources import VENDORS
from tests.faults.hurry import SPEED, hurried
from tests.faults.matrix import STATUSES, Broken, Length, Trouble, Verdict, calls_of, meet, troubles, undisturbed
from tests.faults.scenes import SCENES, Scene, public_operators

QUICK = ("FlexNetExtractOperator", "TokenFlexRequestExportOperator", "ExagoEnsureFoldersOperator")
"""Operators that the faults of all vendors are tried with here, in turn; slower ones are tried by the command."""


SLOW = {"oversize", *(f"status {status}" for status in STATUSES if status not in (401, 429, 503))}
"""Faults that the command alone tries: other statuses, and a body of 64 MiB."""


def test_every_operator_of_every_vendor_has_a_scene() -> None:
    named = {scene.name for scene in SCENES}
    assert {operator.__name__ for operator in public_operators()} == named
    assert {scene.vendor for scene in SCENES} == set(VENDORS)
    assert all(bool(scene.silent) == (scene.task is None) for scene in SCENES)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_faults_are_those_that_the_stand_in_knows(vendor: str) -> None:
    found = troubles(vendor)
    own = {one.name for one in found if one.own}
    assert {one.fault.kind for one in found if not one.own} == set(FaultKind)
    assert own == set(next(scene for scene in SCENES if scene.vendor == vendor and scene.task).start().fault_kinds)


@cache
def _truth(scene: Scene):
    return undisturbed(scene)


_SCENES = {scene.name: scene for scene in SCENES}
_GENERAL = [
    (scene, trouble)
    for trouble, scene in zip(
        [one for one in troubles("flexnet") if not one.own and one.name not in SLOW],
        cycle(_SCENES[name] for name in QUICK),
        strict=False,
    )
]


@pytest.mark.parametrize(("scene", "trouble"), _GENERAL, ids=lambda one: one.name)
def test_what_may_happen_to_any_vendor(scene: Scene, trouble: Trouble) -> None:
    call = calls_of(scene)[-1]
    ended = meet(scene, trouble, Length.ONCE, call, _truth(scene))
    assert ended.verdict is not Verdict.NEVER


@pytest.mark.parametrize(
    "trouble",
    [one for vendor in VENDORS for one in troubles(vendor) if one.own],
    ids=lambda one: f"{one.vendor}-{one.name}",
)
def test_what_only_this_vendor_does(trouble: Trouble) -> None:
    for scene in (one for one in SCENES if one.vendor == trouble.vendor and not one.silent):
        if not any(call.is_for(trouble.fault) for call in calls_of(scene)):
            continue
        for call in calls_of(scene)[::-1] if trouble.fault.path is None else (None,):
            if meet(scene, trouble, Length.ONCE, call, _truth(scene)).verdict is not Verdict.NEVER:
                return
    assert trouble.name == "query_status", "no operator can meet it"


def test_an_answer_that_is_taken_for_another_is_found() -> None:
    scene = _SCENES["FlexNetExtractOperator"]
    trouble = next(one for one in troubles("flexnet") if one.name == "delay")
    truth = _truth(scene)
    assert truth.table is not None
    other = type(truth)(truth.effects, truth.landed, truth.table[1:], truth.keys, None)
    with pytest.raises(Broken, match="the table is not that of an undisturbed run"):
        meet(scene, trouble, Length.ONCE, calls_of(scene)[-1], other)


def test_a_hurried_loop_waits_a_part_of_what_it_is_told() -> None:
    import asyncio
    import time

    began = time.monotonic()
    with hurried() as waits:
        asyncio.run(asyncio.sleep(SPEED))
    assert time.monotonic() - began < SPEED / 5
    assert waits.seconds >= SPEED * 0.9


def test_a_long_wait_is_passed_over_and_told_whole() -> None:
    import asyncio
    import time

    began = time.monotonic()
    with hurried() as waits:
        asyncio.run(asyncio.sleep(3600))
    assert time.monotonic() - began < 10
    assert 3590 < waits.seconds < 3700
