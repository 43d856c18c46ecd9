"""Ask the server for a step, and see in the tree what came of it; the tree may lag behind (Exago reference, 1.4 and 6)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from nightshift.errors import Ambiguous, BadResponse, NotFound, RateLimited, Rejected, Unreachable, VendorError
from nightshift.exago.paths import VENDOR
from nightshift.exago.responses import FolderStatus, SessionGone
from nightshift.exago.steps import Mark, Reading, Standing, Step, read_step
from nightshift.http.timely import Window, sent_within

if TYPE_CHECKING:
    from nightshift.exago.hook import ExagoHook
    from nightshift.exago.tree import Tree

LIST_LAG = 30.0
FIRST_LOOK, LONGEST_LOOK = 0.2, 5.0
SEND_SECONDS = 20.0
"""A request leaves within so many seconds of the look at the tree, or of the record, that it follows from, or not at all."""
PASSING = (Unreachable, RateLimited, BadResponse, Ambiguous, SessionGone)


async def see(hook: ExagoHook, step: Step, mark: Mark | None, *, lag: float) -> tuple[Tree, Reading]:
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
        reading = read_step(step, tree, mark)
        left = until - time.monotonic()
        if reading.standing is Standing.DONE or left <= 0:
            return tree, reading
        await asyncio.sleep(min(wait, left))
        wait = min(2 * wait, LONGEST_LOOK)


async def ask(hook: ExagoHook, step: Step, window: Window) -> VendorError | None:
    """Ask for a step once; return what went wrong, instead of raising it: the tree decides.

    :param window: in which the request has to leave: a worker that was frozen must not change what others have changed since
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
    """The server's list contradicts its answers: it is later than ``list_lag`` says. Nothing may be concluded from it."""


def says_it_is_gone(trouble: VendorError | None) -> bool:
    """Tell whether the server refused a step because what it changes is not there: perhaps an earlier request did it."""
    return isinstance(trouble, NotFound) or (
        isinstance(trouble, Rejected) and str(FolderStatus.MISSING) in trouble.problem
    )


def unseen(step: Step, reading: Reading, lag: float) -> Unseen:
    """Return the error for a step that the server calls done, or done before, and the tree does not show."""
    why = f" ({reading.why})" if reading.why else ""
    return Unseen(
        f"the server says it did {step}, but after {lag:g} s the tree does not show it{why}",
        vendor=VENDOR,
        advice="Another attempt looks again and goes on from what it sees. If the server caches its list for longer, "
        "raise list_lag; then clear the task.",
    )


def settled(step: Step, trouble: VendorError) -> VendorError:
    """Return the error for a step that the tree shows as not done: what was unclear is so no more, and may be tried
    again.
    """
    if not isinstance(trouble, Ambiguous):
        return trouble
    return Unreachable(
        f"{step} was not done: {trouble.problem}", vendor=VENDOR, method=trouble.method, path=trouble.path,
        status=trouble.status, attempt=trouble.attempt, detail=trouble.detail,
        advice="The tree was looked at and does not show it, so nothing was changed. Once the server answers, clear the task.",
    )  # fmt: skip


async def carry_out(
    hook: ExagoHook, step: Step, *, mark: Mark | None = None, lag: float, log: Any, window: Window | None = None
) -> Tree:
    """Ask for a step and see it done; a request whose answer was lost counts as done where the tree shows it.

    :param lag: seconds that a listing may be old
    :param log: logger of the task
    :param window: in which the request has to leave; default: from now on
    :return: the tree that shows it
    :raises VendorError: it was not done; nothing was changed, unless the message says otherwise
    """
    trouble = await ask(hook, step, window or Window(SEND_SECONDS))
    tree, reading = await see(hook, step, mark, lag=lag_after(trouble, lag))
    if reading.standing is Standing.DONE:
        log.info("Done: %s%s", step, f" (its answer was lost: {trouble.problem})" if trouble else "")
        return tree
    raise settled(step, trouble) if trouble else unseen(step, reading, lag)
