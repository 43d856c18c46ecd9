"""The press that ends a doubt: whoever looked at FlexDeploy says that it is over, and the next promotion may begin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import HTTPException

from nightshift.board import MOUNT
from nightshift.board.audit import write_down
from nightshift.board.models import ApiCall, Ask, Press, PressKind, Settled, SettleRequest
from nightshift.board.people import Person
from nightshift.board.revoking import NEEDS
from nightshift.promotion import doubts
from nightshift.promotion.record import PromotionRecord, PromotionStep
from nightshift.promotion.store import Records

if TYPE_CHECKING:
    from nightshift.lake.store import Lake


def settle_press(record: PromotionRecord, step: PromotionStep) -> Press:
    """Return the press.

    It is forbidden: whether the person may is for the one to say who knows the person.

    :param record: of the promotion that left the step in doubt
    """
    body = {"application": record.application, "run_id": record.run_id, "task": step.task, "reason": "${reason}"}
    return Press(
        kind=PressKind.SETTLE,
        label=f"{step.task} is over",
        says=f"The next promotion of {record.application} may begin. Press it only when you have seen in FlexDeploy that "
        f"nothing of {step.task} is underway there or can begin any more. What runs in {step.stage} stays told as in "
        "doubt until something is deployed there.",
        calls=(ApiCall(method="POST", path=f"{MOUNT.removeprefix('/')}/api/doubts/settle", body=body),),
        asks=(Ask(name="reason", label="What you saw"),),
        allowed=False,
        needs=NEEDS,
        danger=True,
    )


async def settle(lake: Lake, who: Person, asked: SettleRequest, dag_id: str) -> Settled:
    """End a doubt, in the person's own name.

    :param dag_id: of the application
    :raises HTTPException: 403: the person may not; 409: it is not in doubt, or its promotion is underway; 422: nothing
        is said
    """
    if not await who.may(dag_id, "POST", DagAccessEntity.RUN):
        raise HTTPException(403, f"Nothing was changed: it takes the {NEEDS}.")
    if not asked.reason.strip():
        raise HTTPException(422, "Say what you saw. Nothing was changed.")
    records = Records(lake, asked.application)
    try:
        await doubts.settle(records, asked.run_id, asked.task, by=who.name, why=asked.reason)
    except ValueError as error:
        raise HTTPException(409, f"{error}. Nothing was changed.") from None
    extra = {"application": asked.application, "run_id": asked.run_id, "task": asked.task, "reason": asked.reason}
    await asyncio.to_thread(write_down, "nightshift_settle", who, dag_id, extra)
    return Settled(message=f"{asked.task} of {asked.run_id} is over. The next promotion may begin.")
