"""Change the tree step by step: ask the server for a step, see in the tree what came of it; and the folders that are
declared.

The tree may lag behind (Exago reference, 1.4 and 6).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator, Context

from nightshift.errors import (
    Ambiguous,
    BadResponse,
    NotFound,
    RateLimited,
    Redirected,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.exago.claims import Claims
from nightshift.exago.paths import DEFAULT_CONN, VENDOR, ContentPath
from nightshift.exago.responses import FolderStatus, SessionGone
from nightshift.exago.steps import LIST_LAG, FolderStep, FolderStepKind, FolderStepState, Mark, StepStatus, status_of
from nightshift.http.timing import SendWindow, sent_within
from nightshift.nights.place import lake_of_this_deployment

if TYPE_CHECKING:
    from nightshift.exago.hook import ExagoHook
    from nightshift.exago.tree import Tree

FIRST_LOOK, LONGEST_LOOK = 0.2, 5.0
SEND_SECONDS = 20.0
"""A request leaves within so many seconds of the look at the tree that it follows from, or not at all."""
PASSING = (Unreachable, RateLimited, BadResponse, Redirected, Ambiguous, SessionGone)


async def observe(hook: ExagoHook, step: FolderStep, mark: Mark | None, *, lag: float) -> tuple[Tree, StepStatus]:
    """Read the tree until it shows a step as done, for as long as a listing may lag behind; return the last look.

    :param hook: open
    :param step: the step
    :param mark: of the folder that a move moves
    :param lag: seconds that a listing may be old; 0 for one look
    """
    until = time.monotonic() + lag
    wait = FIRST_LOOK
    while True:
        tree = await hook.tree()
        status = status_of(step, tree, mark)
        left = until - time.monotonic()
        if status.state is FolderStepState.DONE or left <= 0:
            return tree, status
        await asyncio.sleep(min(wait, left))
        wait = min(2 * wait, LONGEST_LOOK)


async def apply_step(hook: ExagoHook, step: FolderStep, window: SendWindow) -> VendorError | None:
    """Ask for a step once; return what went wrong, instead of raising it: the tree decides.

    :param window: in which the request has to leave: a worker that was frozen must not change what others have changed
        since
    """
    try:
        with sent_within(window):
            await hook.apply(step)
    except VendorError as error:
        return error
    return None


def lag_after(trouble: VendorError | None, lag: float) -> float:
    """Return for how long to look for a step in the tree: a clear no is one look."""
    return lag if trouble is None or isinstance(trouble, PASSING) else 0.0


class Unseen(BadResponse):
    """The server's list contradicts its answers: it is later than ``list_lag`` says. Nothing follows from it."""


def says_it_is_gone(trouble: VendorError | None) -> bool:
    """Tell whether the server refused a step because what it changes is not there: it may have been done before."""
    return isinstance(trouble, NotFound) or (
        isinstance(trouble, Rejected) and str(FolderStatus.MISSING) in trouble.problem
    )


def unseen(step: FolderStep, status: StepStatus, lag: float) -> Unseen:
    """Return the error for a step that the server calls done, or done before, and the tree does not show."""
    why = f" ({status.why})" if status.why else ""
    return Unseen(
        f"the server says it did {step}, but after {lag:g} s the tree does not show it{why}",
        vendor=VENDOR,
        advice="Another attempt looks again and goes on from what it sees. If the server caches its list for longer, "
        "raise list_lag; then clear the task.",
    )


def settled(step: FolderStep, trouble: VendorError) -> VendorError:
    """Return the error for a step that the tree shows as not done: what was unclear is so no more."""
    if not isinstance(trouble, Ambiguous):
        return trouble
    return trouble.as_type(
        Unreachable,
        problem=f"{step} was not done: {trouble.problem}",
        advice="The tree was looked at and does not show it, so nothing was changed. Once the server answers, clear "
        "the task.",
    )


async def carry_out(hook: ExagoHook, step: FolderStep, *, lag: float, log: Any, window: SendWindow) -> None:
    """Ask for a step and see it done; a request whose answer was lost counts as done where the tree shows it.

    :param lag: seconds that a listing may be old
    :param log: logger of the task
    :param window: in which the request has to leave
    :raises VendorError: it was not done; nothing was changed, unless the message says otherwise
    """
    trouble = await apply_step(hook, step, window)
    _, status = await observe(hook, step, None, lag=lag_after(trouble, lag))
    if status.state is not FolderStepState.DONE:
        raise settled(step, trouble) if trouble else unseen(step, status, lag)
    log.info("Done: %s%s", step, f" (its answer was lost: {trouble.problem})" if trouble else "")


class ExagoEnsureFoldersOperator(BaseAsyncOperator):
    """Make the folders of a declared set that are missing, with the folders above them; nothing is ever removed.

    The plan is made from the tree, shown, and carried out step by step; every user of the server sees each step at
    once. Running it again makes what is still missing. Returns ``{"plan": […], "done": […]}``.

    :param folders: paths from the root (templated)
    :param dry_run: show the plan and change nothing (templated)
    :param list_lag: seconds that the server's list may be old
    :param exago_conn_id: id of the Airflow connection
    """

    ui_color = "#f5e6dc"
    template_fields: Sequence[str] = ("dry_run", "folders")

    def __init__(
        self,
        *,
        folders: Sequence[str],
        dry_run: Any = False,
        list_lag: float | None = None,
        exago_conn_id: str = DEFAULT_CONN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.folders = list(folders)
        # Takes the place of Airflow's method of that name, which only renders templates and which nothing here calls.
        self.dry_run = dry_run
        self.list_lag = LIST_LAG if list_lag is None else list_lag
        self.exago_conn_id = exago_conn_id

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Plan, show, and carry out."""
        from nightshift.exago.hook import ExagoHook

        async with ExagoHook(self.exago_conn_id) as hook:
            window = SendWindow(SEND_SECONDS)
            steps = self.plan(await hook.tree())
            self._show(steps)
            done: list[FolderStep] = []
            if steps and not is_true(self.dry_run):
                claims = Claims(lake_of_this_deployment(), hook.base_url)
                await claims.refuse_others([step.source for step in steps])
                for step in steps:
                    await carry_out(hook, step, lag=self.list_lag, log=self.log, window=window)
                    window = SendWindow(SEND_SECONDS)
                    done.append(step)
        return {"plan": [str(step) for step in steps], "done": [str(step) for step in done]}

    def plan(self, tree: Tree) -> list[FolderStep]:
        """Return what is missing, parents first.

        :raises Rejected: a folder cannot or must not be made; nothing was changed
        """
        whole = [ContentPath.parse(text) for text in self.folders]
        wanted = {path for one in whole for path in (*one.ancestors, one)}
        missing = sorted(path for path in wanted if tree.folder(path) is None)
        steps = [FolderStep(FolderStepKind.CREATE, str(path)) for path in missing]
        problems = [f"a folder {path} at the root cannot be made by REST" for path in missing if path.is_reserved]
        statuses = [status_of(step, tree) for step in steps]
        problems += [status.why for status in statuses if status.state is FolderStepState.BLOCKED]
        if problems:
            advice = "Nothing was changed. Give the role the right to write there, or declare other folders."
            raise Rejected("; ".join(problems), vendor=VENDOR, advice=advice)
        return steps

    def _show(self, steps: Sequence[FolderStep]) -> None:
        if not steps:
            self.log.info("Nothing to do: the tree is as it is wanted")
            return
        head = "Plan, not carried out (dry_run)" if is_true(self.dry_run) else "Plan"
        self.log.info("%s:\n%s", head, "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1)))


def is_true(given: Any) -> bool:
    """Read a templated switch: a bool, or the text of one."""
    return given if isinstance(given, bool) else str(given).strip().lower() in ("true", "1", "yes")
