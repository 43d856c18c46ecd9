"""What every message of the provider keeps to, read from its source: an error does not know which try it ends."""

from __future__ import annotations

import ast
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2] / "plugins" / "nightshift"
PROMISES = ("tries again", "try again by itself", "starts over", "next attempt", "asked again later", "is retried")


def advices(path: Path) -> list[tuple[int, str]]:
    """The texts that a file gives to errors as advice, with their lines."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        given = [one.value for one in node.keywords if one.arg == "advice"] if isinstance(node, ast.Call) else []
        if isinstance(node, ast.Assign) and any(
            getattr(target, "id", "").lower().endswith("advice") for target in node.targets
        ):
            given = [node.value]
        for value in given:
            words = [
                one.value for one in ast.walk(value) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            found.append((node.lineno, "".join(words)))
    return found


def test_no_advice_promises_another_try() -> None:
    """What another attempt would do may be said beside what clearing the task does: one of them is true of each try."""
    found = [
        (str(path.relative_to(HOUSE)), line, text)
        for path in sorted(HOUSE.rglob("*.py"))
        for line, text in advices(path)
        if any(promise in text.replace("the next attempt, or clearing the task,", "") for promise in PROMISES)
    ]
    assert found == []


def test_there_are_advices_to_look_at() -> None:
    assert sum(len(advices(path)) for path in HOUSE.rglob("*.py")) > 100
