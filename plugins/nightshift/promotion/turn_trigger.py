"""The name by which waits that 0.1.0 deferred know :class:`~nightshift.promotion.triggers.TurnTrigger`."""

from __future__ import annotations

from nightshift.promotion.triggers import TurnTrigger

__all__ = ["TurnTrigger"]
