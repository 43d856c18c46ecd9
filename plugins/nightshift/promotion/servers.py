"""FlexDeploy as an application has it: what its names stand for there, and whether it is the server that was asked."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from nightshift.errors import BadResponse, Forbidden, NotFound, NotShown, RateLimited, Rejected, Unreachable
from nightshift.flexdeploy.lookup import environment_id, project_id, stream_id
from nightshift.flexdeploy.vocabulary import ENDED, VENDOR
from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.promotion.rules.progress import is_settled
from nightshift.promotion.target import Target, server_of, targets_of

if TYPE_CHECKING:
    from nightshift.config.promotions import Application
    from nightshift.flexdeploy.hook import FlexDeployHook
    from nightshift.promotion.record import PromotionStep

log = logging.getLogger(__name__)


class OtherServer(Rejected):
    """The connection leads to another server than the one that was asked."""


class OtherTarget(Rejected):
    """What would be deployed is of another project, environment or server than what is configured by now."""


async def looked_up(config: Application) -> Mapping[str, Target]:
    """Return what is configured: stage, or ``build`` → its target, with the ids of what has a name, as far as
    FlexDeploy tells them now.

    :raises AuthFailed: the credentials are refused
    """
    from nightshift.flexdeploy.hook import FlexDeployHook

    async with FlexDeployHook(config.connection) as hook:
        server = server_of(hook.base_url)
        found = {at: one.changed(server=server) for at, one in targets_of(config).items()}
        try:
            return await _with_ids(hook, found)
        except (Unreachable, RateLimited) as error:
            log.warning("FlexDeploy could not be asked what the names in promotions.yaml stand for: %s", error)
    return found


async def _with_ids(hook: FlexDeployHook, found: Mapping[str, Target]) -> Mapping[str, Target]:
    one = next(iter(found.values()))
    project = one.project_id if one.project is None else await _told(project_id(hook, one.project))
    whole: dict[str, Target] = {}
    for at, target in found.items():
        ids: dict[str, int | None] = {"project_id": project}
        if target.environment is not None:
            ids["environment_id"] = await _told(environment_id(hook, target.environment))
        if target.stream is not None and project is not None:
            ids["stream_id"] = await _told(stream_id(hook, project, target.stream))
        whole[at] = target.changed(**ids)
    return whole


async def _told(asked: Awaitable[int]) -> int | None:
    try:
        return await asked
    except (NotFound, Rejected, Forbidden, BadResponse) as error:
        log.info("FlexDeploy does not tell an id: %s", error.problem)
        return None


@asynccontextmanager
async def asked_of(step: PromotionStep, conn_id: str) -> AsyncIterator[FlexDeployHook]:
    """Open the FlexDeploy that a step was asked of: by the connection that is configured, or by the step's own, where
    only that leads there; of a step whose record does not tell, the one that is configured.

    :param conn_id: id of the Airflow connection that is configured
    :raises OtherServer: neither does; the server there has other requests of the same ids
    """
    from airflow.sdk.exceptions import AirflowNotFoundException

    from nightshift.flexdeploy.hook import FlexDeployHook

    own = conn_id if step.target is None else step.target.connection
    async with AsyncExitStack() as stack:
        hook = await stack.enter_async_context(FlexDeployHook(conn_id))
        if own != conn_id and is_other(step, hook):
            with suppress(AirflowNotFoundException):
                hook = await stack.enter_async_context(FlexDeployHook(own))
        refuse_other_server(step, hook)
        yield hook


async def at_work(step: PromotionStep, hook: FlexDeployHook) -> tuple[int, str] | None:
    """Return the first workflow request of a step that has not ended, and its status; empty where FlexDeploy does not
    show it: it may have been done, and may still be. ``None``: all have ended, or it is settled what became of them.
    """
    for number in step.requests:
        try:
            request = await hook.workflow_request(number)
        except (NotFound, NotShown):
            if is_settled(step):
                continue
            return number, ""
        if request.state not in ENDED:
            return number, request.status
    return None


def is_other(step: PromotionStep, hook: FlexDeployHook) -> bool:
    """Whether a connection leads to another server than a step was asked of, as far as its record tells."""
    return step.target is not None and step.target.server not in ("", server_of(hook.base_url))


def refuse_other_server(step: PromotionStep, hook: FlexDeployHook) -> None:
    """Make sure that a connection leads to the server that a step was asked of.

    :raises OtherServer: it does not
    """
    if step.target is None or not is_other(step, hook):
        return
    asked, what = step.target.server, f"workflow request {', '.join(map(str, step.requests))}"
    raise OtherServer(
        f"{what if step.requests else 'what was asked for'} of {step.task} is at {asked}, and the connection "
        f"{hook.conn_id} leads to {server_of(hook.base_url)} by now, where another one may have that id",
        vendor=VENDOR,
        advice=f"Nothing was asked of it. Let the connection lead to {asked} until that has ended. Where it has, add the "
        f'key {RESOLUTION_KEY!r} with {{"over": true, "by": …, "why": …}} to the Task State Store of {step.task}, and '
        "clear it alone; of a run that has ended, `nightshift settle` or the board takes your word that it is over.",
    )
