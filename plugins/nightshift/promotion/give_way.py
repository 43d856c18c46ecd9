"""The name by which waits that 0.1.0 deferred know :class:`~nightshift.promotion.triggers.SupersedeTrigger`."""

from __future__ import annotations

from nightshift.promotion.triggers import SupersedeTrigger as GiveWayTrigger

__all__ = ["GiveWayTrigger"]
