"""What has to be true of a run that was struck: judged by the vendors' ledgers, by the lake and by Airflow's database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from nightshift.lake.store import Lake
from tests.cluster.carriers import APPLICATIONS, Carrier
from tests.cluster.world import World

MADE = ("build_made", "deploy_made", "utility_run")
OPEN = (
    "queued",
    "running",
    "deferred",
    "scheduled",
    "restarting",
    "up_for_retry",
    "up_for_reschedule",
    "awaiting_input",
)


def judge(world: World, lake: Lake, carriers: Iterable[Carrier]) -> None:
    """Write what does not hold to each run."""
    for one in carriers:
        if one.state and one.state != "success" and not one.broken:
            one.broken.append(f"it ended in {one.state}")
        one.broken += nothing_is_left(world, one)
        if one.application:
            one.broken += each_job_once(world, lake, one)
        else:
            one.broken += green_only_if_there(world, lake, one)
        if one.flow == "tokenflex":
            one.broken += one_export(world, one)


def nothing_is_left(world: World, one: Carrier) -> Iterator[str]:
    """Nothing of a run that has ended is left queued, running or deferred."""
    rows = world.airflow.postgresql.rows(
        "SELECT task_id, state, try_number FROM task_instance WHERE dag_id = %s AND run_id = %s", one.dag_id, one.run_id
    )
    for task, state, tries in rows:
        if state in OPEN or state is None:
            yield f"{task} is left {state}, try {tries}"


def green_only_if_there(world: World, lake: Lake, one: Carrier) -> Iterator[str]:
    """A publish that is green has its night in the table; the manifest, the note of the commit and the rows agree."""
    from nightshift.lake.delta import published_night

    ((state,),) = world.airflow.postgresql.rows(
        "SELECT state FROM task_instance WHERE dag_id = %s AND run_id = %s AND task_id = %s",
        one.dag_id,
        one.run_id,
        one.task_id("publish"),
    ) or ((None,),)
    there = published_night(lake, one.flow, one.report, str(one.night))
    if state == "success" and there is None:
        yield f"publish is green and the night {one.night} is not in the table"
    if state != "success" and one.state == "success":
        yield f"the run is green and publish is {state}"


def one_export(world: World, one: Carrier) -> Iterator[str]:
    """One export is made for a night of a report."""
    wanted = f"{one.report} {one.night}"
    made = [
        effect
        for effect in world.tokenflex.ledger.effects(kind="export_created")
        if str(effect.detail["downloadFileName"]).startswith(wanted)
    ]
    if len(made) != 1:
        yield f"{len(made)} exports for {wanted}: {[effect.key for effect in made]}"


def values_of(inputs: Any) -> set[str]:
    """Return all that a request's inputs name."""
    return {str(value) for one in inputs for value in one.values()}


def made_for(world: World, one: Carrier) -> list[Any]:
    """Return what FlexDeploy made for an application since its run began, until the next run of it did."""
    project, service = APPLICATIONS[one.application], one.application.replace("_", "-")
    later = [effect for effect in world.flexdeploy.ledger.effects(since=one.effects_before) if effect.kind in MADE]
    return [
        effect
        for effect in later
        if effect.detail["project"] == project or service in values_of(effect.detail["inputs"])
    ]


def each_job_once(world: World, lake: Lake, one: Carrier) -> Iterator[str]:
    """The record names one build, one deployment a stage and one utility run, all of them made, each once; its version
    is the one that was built, and runs where the record says.
    """
    from nightshift.promotion.store import Records

    record = asyncio.run(Records(lake, one.application).read(one.run_id))
    if record is None:
        yield "it has no record"
        return
    if str(record.outcome) != "promoted" and one.state == "success":
        yield f"green, and its record says {record.outcome}: {record.reason}"
    known = [number for step in record.steps for number in step.requests]
    for number, times in Counter(known).items():
        if times > 1:
            yield f"two steps hold the request {number}"
    effects = {int(effect.key): effect for effect in world.flexdeploy.ledger.effects() if effect.kind in MADE}
    kinds = Counter(
        (effects[number].kind, effects[number].detail.get("environment")) for number in known if number in effects
    )
    for kind, times in kinds.items():
        if times > 1:
            yield f"{times} times {kind}"
    if one.state == "success" and sum(kinds.values()) != 4:
        yield f"jobs of a whole promotion: {dict(kinds)}"


def orphans(world: World, lake: Lake, carriers: Iterable[Carrier]) -> list[str]:
    """Return what FlexDeploy made and no record names."""
    from nightshift.promotion.store import Records

    known: set[int] = set()
    for one in carriers:
        if one.application and (record := asyncio.run(Records(lake, one.application).read(one.run_id))):
            known |= {number for step in record.steps for number in step.requests}
    made = [effect for effect in world.flexdeploy.ledger.effects() if effect.kind in MADE]
    return [f"{effect.kind} {effect.key} {effect.detail}" for effect in made if int(effect.key) not in known]
