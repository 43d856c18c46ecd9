"""How commands speak: for people in tables, with ``--json`` for programs, and in exit codes for both.

What comes from the lake, a vendor or Airflow is data: no markup of it is read, and no control character reaches the
terminal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nightshift.config.document import ConfigError
from nightshift.errors import VendorError
from nightshift.fields import YEARS
from nightshift.lake.errors import LakeError
from nightshift.redaction import redact

AsJson = Annotated[
    bool,
    typer.Option("--json", help="One JSON object for programs; its keys: 'The command line' of the documentation."),
]
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Exit(IntEnum):
    """What the exit code says; 2 is a command that was not understood."""

    FINE = 0
    WRONG = 1
    """Something is wrong, and it was told what."""
    NOT_KNOWN = 3
    """It could not be told, or not be done to its end: the lake, Airflow or a permission is away, somebody interrupted
    it, or its result could not be written."""
    DIFFERENT = 4
    """Only of a rehearsal: something would change."""


class CannotTell(Exception):
    """What was asked for cannot be told or done now; the text says why, and last what to do."""


def out() -> Console:
    """Return the terminal that results go to."""
    return Console(highlight=False, markup=False)


def err() -> Console:
    """Return the terminal that is for people alone: progress, and what went wrong."""
    return Console(stderr=True, highlight=False, markup=False)


def can_show(text: str) -> bool:
    """Say whether the place that results go to has all signs of a text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def plain(value: object) -> str:
    """Return a value as text without control characters, among them those that turn a line around."""
    return _CONTROL.sub("\ufffd", str(value))


def styled(value: object, style: str = "") -> Text:
    """Return a value as it is, in a style."""
    return Text(plain(value), style=style)


def print_json(shape: Any) -> None:
    """Print one JSON object, times in ISO 8601."""
    print(json.dumps(shape, indent=2, ensure_ascii=True, default=_as_json))


def print_rows(head: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print a table; a cell that is a :class:`rich.text.Text` keeps its style."""
    table = Table(box=None, padding=(0, 2, 0, 0), title=title or None, title_justify="left", header_style="bold")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else styled("" if cell is None else cell) for cell in row))
    out().print(table)


def fail(text: str, code: Exit) -> NoReturn:
    """End the command with a sentence for people.

    :raises typer.Exit: always
    """
    err().print(f"nightshift: {plain(redact(text))}", soft_wrap=True)
    raise typer.Exit(code)


@contextmanager
def telling() -> Iterator[None]:
    """Tell of what goes wrong in one sentence and an exit code, never with a traceback."""
    try:
        yield
    except ConfigError as error:
        fail(str(error), Exit.WRONG)
    except (CannotTell, LakeError, VendorError) as error:
        fail(str(error), Exit.NOT_KNOWN)
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        # A pipe of ours: those to the lake, a vendor or Airflow come as errors of their clients.
        raise
    except KeyboardInterrupt:
        fail("interrupted; what was done before is done.", Exit.NOT_KNOWN)
    except Exception as error:
        fail(f"{_first_line(error)} Run it again; where it stays, look at `nightshift doctor`.", Exit.NOT_KNOWN)


class _ForPeople(logging.Handler):
    """Writes log lines beside the result, not into it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one."""
        err().print(plain(redact(f"{record.levelname.lower()}: {record.getMessage()}")), soft_wrap=True)


@contextmanager
def logs_beside() -> Iterator[None]:
    """Let warnings go to the terminal for people: Airflow writes its log where the result goes."""
    ours = logging.getLogger("nightshift")
    before, handler = (ours.propagate, ours.level), _ForPeople(logging.WARNING)
    ours.addHandler(handler)
    ours.propagate = False
    streams = [one for one in logging.root.handlers if getattr(one, "stream", None) in (sys.stdout, sys.__stdout__)]
    moved = [(one, one.setStream(sys.stderr)) for one in streams if isinstance(one, logging.StreamHandler)]
    try:
        yield
    finally:
        for one, stream in moved:
            one.setStream(stream)
        ours.removeHandler(handler)
        ours.propagate, ours.level = before


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a person; without a terminal nobody answers, and that is no.

    :param yes: it was answered on the command line
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        fail(f"{question} Nobody is here to answer; give --yes. Nothing was changed.", Exit.WRONG)
    return typer.confirm(question)


def night_option(text: str | None) -> date | None:
    """Read a night of the command line.

    :raises typer.BadParameter: no day of the calendar
    """
    if text is None:
        return None
    try:
        night = date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no night; give YYYY-MM-DD") from None
    if night.year not in YEARS:
        raise typer.BadParameter(f"{text!r} is no night of the years {YEARS[0]} to {YEARS[-1]}")
    return night


def _first_line(error: Exception) -> str:
    words = redact(str(error)).strip().splitlines() or [""]
    return f"{type(error).__name__}: {words[0][:500]}".rstrip(": ") + "."


def _as_json(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
