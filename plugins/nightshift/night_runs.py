"""The name by which waits that 0.1.0 deferred know :class:`~nightshift.nights.runs.NightRunsTrigger`."""

from __future__ import annotations

from nightshift.nights.runs import NightRunsTrigger

__all__ = ["NightRunsTrigger"]
