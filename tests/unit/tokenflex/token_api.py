"""The Execution API with Variables that can be written, in memory or in a folder that outlives a killed process."""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.execution_api import FakeExecutionApi, httpx


@dataclass
class TokenApi(FakeExecutionApi):
    """As its base; ``before_put`` is called with the key before a Variable is written, and may raise or never return;
    ``after_get`` after one was read.
    """

    variables: MutableMapping[str, str] = field(default_factory=dict)
    before_put: Callable[[str], None] = lambda key: None
    after_get: Callable[[str], None] = lambda key: None
    unreadable: set[str] = field(default_factory=set)
    run_type: str = "scheduled"
    puts: list[str] = field(default_factory=list)
    started: list[Any] = field(default_factory=list)
    """The conf of each run that was started."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        root, _, key = unquote(request.url.path).lstrip("/").partition("/")
        if root == "variables" and key == "keys":
            prefix = request.url.params.get("prefix", "")
            found = [one for one in sorted(self.variables) if one.startswith(prefix)]
            return httpx.Response(200, json={"keys": found, "total_entries": len(found)})
        if root == "variables" and request.method == "PUT":
            try:
                self.before_put(key)
            except ConnectionError:
                return httpx.Response(
                    409, json={"detail": {"reason": "unavailable", "message": "the database is away"}}
                )
            self.puts.append(key)
            self.variables[key] = json.loads(request.content)["val"]
            return httpx.Response(201, json={"message": "Variable successfully set"})
        if root == "dag-runs" and request.method == "POST":
            self.started.append(json.loads(request.content)["conf"])
        answer = (
            super().__call__(request) if key not in self.unreadable else httpx.Response(500, json={"detail": "away"})
        )
        if root == "variables":
            self.after_get(key)
        return answer

    def away(self) -> AbstractContextManager[Any]:
        """Let code outside a task, such as a hook, read the Variables."""
        return self.comms()

    def _dag_run(self) -> dict[str, Any]:
        return {**super()._dag_run(), "run_type": self.run_type}
