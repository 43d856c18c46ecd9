"""The press that revokes what runs in a stage: whoever found it to be bad says so, and it goes nowhere any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import HTTPException

from nightshift.board import MOUNT
from nightshift.board.audit import write_down
from nightshift.board.models import ApiCall, Ask, Press, PressKind, Revoked, RevokeRequest
from nightshift.board.people import Person
from nightshift.promotion.history import History
from nightshift.promotion.record import PromotionRecord, Version
from nightshift.promotion.revoked import RunsAnother, report, what_follows
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import VerdictWord

if TYPE_CHECKING:
    from nightshift.config.promotions import Application
    from nightshift.lake.store import Lake

NEEDS = "permission to trigger the promotions of this application"


def revoke_press(
    record: PromotionRecord, stage: str, version: Version, application: Application | None
) -> Press | None:
    """Return the press; ``None`` where a person, or the check that came last, has found the version to be bad there.

    It is forbidden: whether the person may is for the one to say who knows the person.

    :param record: of the promotion that brought it
    :param application: as it is configured; ``None``: that cannot be read
    """
    said = [one for one in record.verdicts if (one.stage, one.version.id) == (stage, version.id)]
    if any(one.word is VerdictWord.REFUTED and (one.by is not None or one is said[-1]) for one in said):
        return None
    body = {
        "application": record.application,
        "stage": stage,
        "run_id": record.run_id,
        "version_id": version.id,
        "reason": "${reason}",
    }
    return Press(
        kind=PressKind.REVOKE,
        label=f"Revoke {version.name or version}",
        says=f"{version} goes to no stage of {record.application} any more, in no promotion, until a person gives a "
        f"reason in the field Emergency. {what_follows(record, stage, application)}",
        calls=(ApiCall(method="POST", path=f"{MOUNT.removeprefix('/')}/api/revoke", body=body),),
        asks=(Ask(name="reason", label="Why"),),
        allowed=False,
        needs=NEEDS,
        danger=True,
    )


async def revoke(
    lake: Lake, who: Person, asked: RevokeRequest, dag_id: str, application: Application | None
) -> Revoked:
    """Revoke what runs in a stage, in the person's own name.

    :param dag_id: of the application
    :raises HTTPException: 403: the person may not; 404: nothing runs there; 409: something else runs there by now; 422:
        no reason
    """
    if not await who.may(dag_id, "POST", DagAccessEntity.RUN):
        raise HTTPException(403, f"Nothing was changed: it takes the {NEEDS}.")
    records = Records(lake, asked.application)
    here = (await (await History.read(records)).running([asked.stage]))[asked.stage]
    if here is None:
        raise HTTPException(404, f"No record tells what runs in {asked.stage} of {asked.application}.")
    if (here.run_id, here.version.id) != (asked.run_id, asked.version_id):
        raise HTTPException(409, f"{asked.stage} runs {here.version} by now. Nothing was changed.")
    try:
        said = await report(records, here.run_id, asked.stage, here.version, by=who.name, why=asked.reason)
    except RunsAnother as error:
        raise HTTPException(409, f"{error}. Nothing was changed.") from None
    except ValueError as error:
        raise HTTPException(422, f"{error}. Nothing was changed.") from None
    extra = {"application": asked.application, "stage": asked.stage, "version": here.version.id, "reason": said.seen}
    await asyncio.to_thread(write_down, "nightshift_revoke", who, dag_id, extra)
    record = await records.read(here.run_id)
    follows = "" if record is None else what_follows(record, asked.stage, application)
    return Revoked(message=f"{here.version} is revoked. {follows}".strip())
