"""The reference of the command ``nightshift``, from the command itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from nightshift.cli.app import app

_TITLE = "The command `nightshift`, option by option"
_ABOUT = (
    "What each is for, with what it prints: [the command line](../cli.md). A setting in the column *or from* counts where the "
    "option is not given."
)


def commands() -> Iterator[str]:
    """Yield the page."""
    yield f"\n# {_TITLE}\n\n{_ABOUT}\n"
    yield from _command(typer.main.get_command(app), ["nightshift"])


def _command(command: Any, path: list[str]) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if len(path) > 1 and not (children and command.no_args_is_help):
        yield f"\n## {' '.join(path)}\n\n{_words(command.help)}\n"
        yield from _parameters(command)
    for name, child in sorted(children.items()):
        yield from _command(child, [*path, name])


def _parameters(command: Any) -> Iterator[str]:
    shown = [one for one in command.params if one.name != "help"]
    if not shown:
        return
    yield "\n| | what | or from |\n| --- | --- | --- |\n"
    for one in shown:
        is_option = one.param_type_name == "option"
        names = [*one.opts, *one.secondary_opts] if is_option else [_argument(one)]
        about = _words(getattr(one, "help", "") or "") + (" Required." if one.required and is_option else "")
        settings = [one.envvar] if isinstance(one.envvar, str) else (one.envvar or [])
        yield f"| {_code(names)} | {about} | {_code(settings)} |\n"


def _argument(one: Any) -> str:
    name = f"{(one.metavar or one.name).upper()}{'…' if one.nargs == -1 else ''}"
    return name if one.required else f"[{name}]"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _words(text: str | None) -> str:
    """Return a help text as markdown, its paragraphs kept."""
    paragraphs = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(" ".join(one.split()).replace("|", "\\|") for one in paragraphs)
