"""Freezes of the calendar: those that are on, and the next ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from nightshift.board.models import BoardPart, FreezeLine, Trouble
from nightshift.config.freezes import Freeze, FreezeRules
from nightshift.promotion.rules.freeze import spans

AHEAD = timedelta(days=30)
"""How far ahead a freeze is told."""


def freeze_lines(
    freezes: Iterable[Freeze], now: datetime, *, application: str | None = None, stages: Collection[str] = ()
) -> tuple[FreezeLine, ...]:
    """Return the freezes that are on or come next, the first one first.

    :param application: those that concern one of its stages; ``None``: all of them
    :param stages: labels of its stages
    """
    found = []
    for freeze in freezes:
        if application is not None and not any(freeze.concerns(application, stage) for stage in stages):
            continue
        whom = ", ".join((*freeze.applications, *freeze.stages))
        for begins, ends in spans([freeze], now, now + AHEAD):
            if ends > now and begins <= now + AHEAD:
                text = f"{freeze.reason} ({whom})" if whom else freeze.reason
                found.append(FreezeLine(name=freeze.name, begins=begins, ends=ends, on=begins <= now, text=text))
                break
    return tuple(sorted(found, key=lambda one: (one.begins, one.name)))


def unknown_freezes(rules: FreezeRules) -> tuple[Trouble, ...]:
    """Return what to say where nobody knows what is frozen: nothing is brought to any stage then."""
    if not rules.unknown:
        return ()
    text = f"Nobody knows what is frozen, so nothing is brought to any stage: {rules.unknown}"
    return (Trouble(part=BoardPart.HOLDS, of="freezes", text=text),)
