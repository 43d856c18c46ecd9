"""One thing that the doctor looked at: how it stands, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nightshift.cli.terminal import plain, print_rows, styled
from nightshift.redaction import redact


class Level(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    """Not as it should be, or it could not be told."""
    BAD = "bad"


_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red"}


@dataclass(frozen=True)
class Finding:
    """What was found.

    :param about: what was looked at
    :param text: what was seen
    :param fix: what to do; empty where nothing is
    """

    about: str
    level: Level
    text: str
    fix: str = ""

    def shape(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"about": self.about, "level": str(self.level), "text": clean(self.text), "fix": clean(self.fix) or None}


def clean(text: str) -> str:
    """Return a text without secrets and control characters."""
    return plain(redact(text))


def ok(about: str, text: str) -> Finding:
    """Return what is as it should be."""
    return Finding(about, Level.OK, text)


def warn(about: str, text: str, fix: str) -> Finding:
    """Return what may become worse, or could not be told."""
    return Finding(about, Level.WARN, text, fix)


def bad(about: str, text: str, fix: str) -> Finding:
    """Return what does not work."""
    return Finding(about, Level.BAD, text, fix)


def looked(about: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return what a look finds; one that ends with an error is a finding as well."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except Exception as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        found.append(bad(about, f"{type(error).__name__}: {text[:500]}", "Put right what it says, and look again."))
    return found


def show(findings: Iterable[Finding]) -> None:
    """Show findings to people."""
    rows = []
    for one in findings:
        text = clean(one.text) if not one.fix else f"{clean(one.text)}\n→ {clean(one.fix)}"
        rows.append([styled(one.level, _COLOURS[one.level]), styled(one.about, "bold"), text])
    print_rows(["", "about", "what"], rows)
