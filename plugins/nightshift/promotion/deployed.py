"""What a promotion brought to a stage, and whether somebody else has deployed there since."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from nightshift.errors import Rejected, VendorError
from nightshift.flexdeploy.lookup import Named, resolve
from nightshift.flexdeploy.vocabulary import ENDED, SUCCEEDED
from nightshift.promotion.due import back_of
from nightshift.promotion.history import History
from nightshift.promotion.record import Order, PromotionRecord, PromotionStep, Running, Version
from nightshift.promotion.rules.verification import deployment_in
from nightshift.promotion.servers import asked_of
from nightshift.promotion.target import Target
from nightshift.promotion.vocabulary import StepKind

if TYPE_CHECKING:
    from nightshift.flexdeploy.model import WorkflowRequest
    from nightshift.promotion.doubts import Doubt
    from nightshift.promotion.store import Records

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where FlexDeploy deploys for a stage.

    :param conn_id: id of the Airflow connection
    :param named: the project and the environment
    """

    conn_id: str
    named: Named


class Deployed(NamedTuple):
    """A version that was brought to a stage.

    :param since: when the deployment had ended
    :param requests: its workflow requests; none where it was there already
    :param order: of the step that brought it
    :param target: where it was brought, of which project
    """

    stage: str
    version: Version
    since: datetime
    run_id: str
    requests: tuple[int, ...]
    order: Order | None = None
    target: Target | None = None


def deployed_by(record: PromotionRecord, kind: StepKind, stage: str) -> Deployed:
    """Return what a promotion, or its roll-back, brought to a stage.

    :param kind: what the step does that looks at it
    :raises Rejected: the record tells of nothing
    """
    step = deployment_in(record, back_of(stage) if kind is StepKind.ROLL_BACK_VERIFICATION else stage)
    if step is None or step.version is None or step.ended is None:
        raise Rejected(
            f"the record tells of nothing that was brought to {stage}",
            advice=f"Nothing was looked at. Clear {stage}.deploy with all that follows.",
        )
    return Deployed(stage, step.version, step.ended, record.run_id, step.requests, step.order, step.target)


async def ran_before(
    before: Mapping[str, Running | None], doubts: Mapping[str, Doubt], conn_id: str
) -> dict[str, Running | None]:
    """Return stage → what runs there while other promotions have left it in doubt: their deployment, where FlexDeploy
    says that it came to a good end; what ran before it, where it failed; ``None`` where nobody knows.

    :param before: stage → what runs there, as the records tell
    :param doubts: stage → the deployment of another promotion that is not known to have ended well, with those before
        it
    :param conn_id: id of the Airflow connection to FlexDeploy
    """
    return {stage: await _ran_before(there, doubts.get(stage), conn_id) for stage, there in before.items()}


async def _ran_before(there: Running | None, doubt: Doubt | None, conn_id: str) -> Running | None:
    while doubt is not None:
        step = doubt.step
        if not step.has_ended_badly:
            requests = await _requests(step, conn_id)
            states, versions = {one.state for one in requests}, {one.project_version_id for one in requests}
            if not states or not states <= ENDED:
                return None
            if states <= SUCCEEDED:
                (number, *others), name = versions, requests[-1].project_version_name
                if number is None or others:
                    return None
                since = step.ended or step.started
                return Running(
                    version=Version(id=number, name=name), since=since, run_id=doubt.run_id, target=step.target
                )
        doubt = doubt.before
    return there


async def _requests(step: PromotionStep, conn_id: str) -> list[WorkflowRequest]:
    """Return the workflow requests of a step; none where there is none, or FlexDeploy does not tell of one."""
    try:
        async with asked_of(step, conn_id) as hook:
            return [await hook.workflow_request(number) for number in step.requests]
    except VendorError as error:
        which = ", ".join(map(str, step.requests))
        log.warning("FlexDeploy does not tell what became of workflow request %s: %s", which, error)
        return []


async def overtaken(records: Records, here: Deployed, place: Place | None = None) -> str:
    """Return what else was deployed to the stage since, by the records or FlexDeploy's own list; empty where nothing
    was.

    :param place: where FlexDeploy is asked, if its connection names the route of its latest executions
    :raises VendorError: FlexDeploy would tell, and does not answer
    """
    of = None if here.target is None else {here.stage: here.target}
    found = (await (await History.read(records)).running([here.stage], of=of))[here.stage]
    if found is not None and (found.run_id, found.version.id) != (here.run_id, here.version.id):
        return f"run {found.run_id} brought {found.version} to {here.stage} at {found.since:%Y-%m-%d %H:%M} UTC"
    return "" if place is None or not here.requests else await _by_flexdeploy(here, place)


async def _by_flexdeploy(here: Deployed, place: Place) -> str:
    from nightshift.flexdeploy.hook import FlexDeployHook
    from nightshift.flexdeploy.routes import Call

    async with FlexDeployHook(place.conn_id) as hook:
        if hook.routes.get(Call.RECENT_EXECUTIONS) is None:
            return ""
        ids = await resolve(hook, place.named)
        later = [
            one
            for one in await hook.recent_executions(ids.project)
            if one.is_deployment_to(ids.project, ids.environment)
            and one.succeeded
            and int(one.request_id or 0) > max(here.requests)
        ]
    newest = max(later, key=lambda one: int(one.request_id or 0), default=None)
    if newest is None or newest.project_version_id in (None, here.version.id):
        return ""
    return f"workflow request {newest.request_id} brought version {newest.project_version_id} to {here.stage}"
