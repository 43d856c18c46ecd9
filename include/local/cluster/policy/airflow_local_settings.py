"""Which worker does what: Airflow reads this file from the path. What publishes keeps a core busy, and goes to a queue
and a worker of its own; what waits for a vendor's network goes to the other.
"""

from __future__ import annotations

from typing import Any

PUBLISH = "publish"


def task_policy(task: Any) -> None:
    """Send what publishes to its queue."""
    if task.task_id.rpartition(".")[2] == PUBLISH:
        task.queue = PUBLISH
