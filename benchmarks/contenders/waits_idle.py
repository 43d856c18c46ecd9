"""The floor for lateness: the same loop with no wait at all, on this machine as busy as it is now."""

from __future__ import annotations

from benchmarks.contenders.triggerer import loop_of_this_process

loop_of_this_process()[1].run(None)
