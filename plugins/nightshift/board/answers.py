"""Who has answered what to a question so far, as an image: Airflow keeps a question's text as it was first asked."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from fastapi.responses import Response

from nightshift.promotion.rules.people import Quorum, tally
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import StepKind

if TYPE_CHECKING:
    from nightshift.config.promotions import Application
    from nightshift.lake.store import Lake
    from nightshift.promotion.record import PromotionRecord, PromotionStep

WIDTH, ROOM, LINE = 300, 42, 16
"""Airflow's Markdown shows no image wider; characters of a line, and its height."""
MOST_LINES = 40
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STYLE = (
    "rect{fill:#fff;stroke:#d4d4d8}text{font:11px ui-monospace,monospace;fill:#27272a}"
    "@media(prefers-color-scheme:dark){rect{fill:#18181b;stroke:#3f3f46}text{fill:#e4e4e7}}"
)


def lines_of(step: PromotionStep, quorum: Quorum | None) -> list[str]:
    """Return how many more have to approve, what stands in the way, and who has answered what to a question, a line
    each.

    :param quorum: what the approval asks for; ``None``: its configuration cannot be read
    """
    found = [] if quorum is None or not quorum.is_strict else tally(step.answers, quorum, step.terms or "").lines
    for one in step.answers:
        why = f": {one.reason}" if one.reason else ""
        counts = "" if quorum is None or quorum.names(one) else " (not named in the approval, so it does not count)"
        counts = counts if one.terms == step.terms else " (to something else, so it does not count)"
        found.append(f"{one.name}: {one.word}{why}, {one.at:%Y-%m-%d %H:%M} UTC{counts}")
    return found if step.answers else [*found, "Nobody has answered yet."]


def quorum_of(application: Application | None, record: PromotionRecord, step: PromotionStep) -> Quorum | None:
    """Return what the approval of a step asks for, as it is configured."""
    if application is None:
        return None
    stage = next((one for one in application.stages if one.label == step.stage), None)
    if step.kind is StepKind.ROLL_BACK_APPROVAL:
        asks = application.roll_back.approval if application.roll_back else None
        users = application.users_back(stage) if stage else asks.users if asks else ()
    else:
        asks = stage.approval if stage else None
        users = asks.users if asks else ()
    if asks is None:
        return None
    return Quorum(asks.at_least, record.by if asks.not_requester else None, asks.is_strict, users)


async def answers_image(
    lake: Lake, name: str, run_id: str, task: str, application: Application | None = None
) -> Response:
    """Return the image; whatever is wrong is a text in it.

    :param name: of the application
    :param application: as it is configured; ``None``: that cannot be read
    """
    try:
        record = await Records(lake, name).read(run_id)
    except Exception as error:
        return image([f"The record of this promotion cannot be read ({type(error).__name__})."])
    step = None if record is None else record.step(task)
    if record is None or step is None:
        return image(["Nobody has been asked yet."])
    return image(lines_of(step, quorum_of(application, record, step)))


def image(texts: list[str]) -> Response:
    """Return texts as an image, each from a new line on. What people wrote is text in it, and nothing else."""
    told = [_UNFIT.sub("\ufffd", one) for one in texts]
    lines = [line for one in told for line in textwrap.wrap(one, ROOM)][:MOST_LINES]
    height = LINE * len(lines) + 16
    rows = "".join(f'<text x="12" y="{22 + LINE * at}">{escape(line)}</text>' for at, line in enumerate(lines))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img" '
        f"aria-label={quoteattr('; '.join(told))}><style>{_STYLE}</style>"
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>{rows}</svg>'
    )
    headers = {
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        "x-content-type-options": "nosniff",
    }
    return Response(svg, media_type="image/svg+xml", headers=headers)
