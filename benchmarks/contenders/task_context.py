"""As much of a task's context as our operators ask for, outside Airflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class StateStore(dict[str, Any]):
    """The task state store, in memory."""

    set = dict.__setitem__

    def delete(self, key: str) -> None:
        """Forget a key."""
        self.pop(key, None)


def context() -> Any:
    """Return the context of a first attempt."""
    return {"ti": SimpleNamespace(try_number=1), "task_state_store": StateStore()}
