"""What the attempts before have left of a step's job, by Airflow's store of its task: begun, ended, or cleared away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from nightshift.jobs.instance import run_identity
from nightshift.jobs.record import JobRecord, JobStore
from nightshift.jobs.state import SUCCEEDED, TERMINAL, Intent
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import StepState

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def was_requested(context: Context) -> bool:
    """Whether FlexDeploy may have taken what an attempt before this one asked for; a clear begins anew, and so does
    whoever was refused.
    """
    record = JobStore(context["task_state_store"]).load()
    return record is not None and not record.refused and record.max_tries >= context["ti"].max_tries


def may_be_underway(context: Context) -> bool:
    """Whether FlexDeploy may still be at work for an attempt before a clear."""
    record = JobStore(context["task_state_store"]).load()
    if record is None or record.done or record.refused:
        return False
    return record.status is None or record.status.state not in TERMINAL


def ending_left(context: Context) -> Literal[StepState.DONE, StepState.FAILED] | None:
    """Return how what was asked for last has ended; ``None``: nothing was, or nobody has taken note of its end."""
    record = JobStore(context["task_state_store"]).load()
    if record is None or record.refused or record.id is None:
        return None
    if record.done:
        return StepState.DONE
    has_failed = record.status is not None and record.status.state in TERMINAL - SUCCEEDED
    return StepState.FAILED if has_failed else None


async def restore(context: Context, application: str) -> None:
    """Take what FlexDeploy was asked for from the record, where a clear has emptied Airflow's store, as it does from
    3.4 on unless whoever clears says otherwise. Without a clear, an empty store says that nothing was asked for.
    """
    store, ti = JobStore(context["task_state_store"]), context["ti"]
    if ti.try_number == 1 or store.load() is not None:
        return
    record = await Records(lake_of_this_deployment(), application).read(ti.run_id)
    step = record.step(ti.task_id) if record is not None else None
    if step is None or step.state not in (StepState.STARTED, StepState.FAILED) or step.cleared >= ti.max_tries:
        return
    if step.asked is None and not step.requests:
        return
    run, at = run_identity(context), (step.asked or step.started).timestamp()
    intent = Intent(
        marker=run.marker(ti.try_number),
        generation=ti.try_number,
        payload_hash="",
        at=at,
        attempt=step.attempt,
        run=run,
    )
    known = ",".join(map(str, step.requests)) if step.asked is None else None
    log.warning("Airflow's store of this task is empty; going on with what the record of the promotion tells.")
    store.save(
        JobRecord(
            intent=intent,
            id=known,
            max_tries=step.cleared,
            attempt=step.attempt,
            attempt_at=at,
            anchor=at,
        )
    )
