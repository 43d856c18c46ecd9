"""Freezes of the calendar: those that are on, and the next ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from nightshift.board.models import BoardPart, FreezeLine, Trouble
from nightshift.config.freezes import Freeze, FreezeRules
from nightshift.promotion.rules.freeze import spans

AHEAD = timedelta(days=30)
"""How far ahead a freeze is told."""


def freeze_lines(
    freezes: Iterable[Freeze],
    now: datetime,
    sees: Callable[[str], bool],
    *,
    application: str | None = None,
    stages: Collection[str] = (),
) -> tuple[FreezeLine, ...]:
    """Return the freezes that are on or come next, the first one first.

    :param sees: whether the person may see an application; of a freeze of others nothing is told
    :param application: those that concern one of its stages; ``None``: all of them
    :param stages: labels of its stages
    """
    found = []
    for freeze in freezes:
        if application is not None and not any(freeze.concerns(application, stage) for stage in stages):
            continue
        seen = tuple(filter(sees, freeze.applications))
        if freeze.applications and not seen:
            continue
        whom = ", ".join((*seen, *freeze.stages))
        for begins, ends in spans([freeze], now, now + AHEAD):
            if ends > now and begins <= now + AHEAD:
                text = f"{freeze.reason} ({whom})" if whom else freeze.reason
                found.append(FreezeLine(name=freeze.name, begins=begins, ends=ends, on=begins <= now, text=text))
                break
    return tuple(sorted(found, key=lambda one: (one.begins, one.name)))


def unknown_freezes(rules: FreezeRules, *, sees_all: bool) -> tuple[Trouble, ...]:
    """Return what to say where nobody knows what is frozen: nothing is brought to any stage then.

    :param sees_all: whether the person may see all applications; only then it is told why, which may name any
    """
    if not rules.unknown:
        return ()
    why = rules.unknown if sees_all else "why is told to those who may see all applications."
    text = f"Nobody knows what is frozen, so nothing is brought to any stage: {why}"
    return (Trouble(part=BoardPart.HOLDS, of="freezes", text=text),)
