"""``nightshift config check``: what is wrong with the configuration files, before Airflow sees them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from nightshift.cli.terminal import AsJson, Exit, out, plain, print_json, styled, telling
from nightshift.config.reading import NOTIFY, PROMOTIONS, REPORTS, config_folder

config = typer.Typer(no_args_is_help=True, help="The configuration: reports.yaml, promotions.yaml and notify.yaml.")
_PLACE = re.compile(r"(?P<file>[^\n]+?\.ya?ml):(?:(?P<line>\d+):)? ?(?:(?P<field>[^\s:]+): )?(?P<text>.*)", re.DOTALL)
Folder = Annotated[
    Path | None,
    typer.Argument(help="The configuration folder.", envvar="NIGHTSHIFT_CONFIG", show_default="the checkout's"),
]


@config.command("check")
def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Say what is wrong, each mistake with file, line, field and the nearest name. Exit code: 0 nothing, 1 something.

    The files are judged as they stand. Nothing is written, and Airflow is not asked.
    """
    with telling():
        where = folder or config_folder()
        found = mistakes_in(where)
    if as_json:
        files = [str(where / name) for name in (REPORTS, PROMOTIONS, NOTIFY) if (where / name).exists()]
        print_json({"version": 1, "ok": not found, "files": files, "mistakes": [_parts(one) for one in found]})
    elif found:
        for one in found:
            out().print(styled(one, "red"), soft_wrap=True)
    else:
        out().print(styled(f"{where}: nothing is wrong", "green"), soft_wrap=True)
    raise typer.Exit(Exit.WRONG if found else Exit.FINE)


def mistakes_in(folder: Path) -> list[str]:
    """Return the mistakes of a configuration folder, one a text. What was once right there is not looked at."""
    with _nothing_kept():
        return mistakes_in_force(folder)


def mistakes_in_force(folder: Path | None = None) -> list[str]:
    """Return the mistakes of a configuration, one a text; what was right once and is gone is one, too.

    :param folder: default: this deployment's
    """
    from nightshift.configuration import all_mistakes

    return [line for one in all_mistakes(folder) for line in _each(one)]


def _each(told: str) -> Iterator[str]:
    """Find the single mistakes of a text; a line that names no place goes on with the one before."""
    found = ""
    for line in told.splitlines():
        if found and _PLACE.match(line):
            yield found
            found = ""
        found = f"{found}\n{line}" if found else line
    if found:
        yield found


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """Let what is kept of earlier configurations be nothing: a look from a laptop or a pipeline writes no lake."""
    before = os.environ.get("NIGHTSHIFT_KEPT")
    with tempfile.TemporaryDirectory(prefix="nightshift-check-") as folder:
        os.environ["NIGHTSHIFT_KEPT"] = folder
        try:
            yield
        finally:
            os.environ.pop("NIGHTSHIFT_KEPT")
            if before is not None:
                os.environ["NIGHTSHIFT_KEPT"] = before


def _parts(mistake: str) -> dict[str, Any]:
    found = _PLACE.fullmatch(mistake)
    if found is None:
        return {"file": None, "line": None, "field": None, "text": plain(mistake)}
    return {
        "file": found["file"],
        "line": int(found["line"]) if found["line"] else None,
        "field": found["field"],
        "text": plain(found["text"]),
    }
