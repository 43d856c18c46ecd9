"""The image "stage → version, since" of one application, for markdown inside Airflow's forms."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from nightshift.promotion.page.status import ApplicationStatus
from nightshift.promotion.page.words import plain, when, where_it_is

WIDTH = 300
"""Airflow's markdown shows no image wider than this; a wider one would be shrunk, and its text with it."""
MARGIN = 12
GAP = 12
CELL = 7.25
"""Width of a character of the monospaced 12 px font: 0.6 em, and a little for fonts that are wider."""
SMALL_CELL = 6.65
"""The same at 11 px."""
ROW = 38
HEAD = 28
LINE = 16
MOST_LINES = 8
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class TextLine(NamedTuple):
    """One line of text."""

    y: int
    text: str
    bad: bool


class StageRow(NamedTuple):
    """One stage.

    :param version: name of the version, or what stands in its place
    :param doubt: whether the newest deployment there did not end well
    """

    y: int
    stage: str
    version: str
    since: str
    since_x: float
    doubt: bool


def render(status: ApplicationStatus) -> str:
    """Return the image; where nothing can be told, a line of text in it says so."""
    if not status.stages:
        return render_problem(status.trouble or "There is no record of a promotion yet.")
    stage_cells = min(max(cells(stage) for stage in (*status.stages, "STAGE")), 16)
    version_x = MARGIN + stage_cells * CELL + GAP
    version_cells = int((WIDTH - MARGIN - version_x) / CELL)
    rows = []
    for number, stage in enumerate(status.stages):
        running, doubt = status.running.get(stage), stage in status.doubts
        name, since = "nothing yet", ""
        if running is not None:
            since = f"id {running.version.id}, {when(running.since)}"
            name = running.version.name or "no name"
        rows.append(
            StageRow(
                y=HEAD + ROW * number + (16 if since else 23),
                stage=cut(stage, stage_cells),
                version=cut(name, version_cells - 2 * doubt),
                since=since,
                since_x=round(min(version_x, WIDTH - MARGIN - len(since) * SMALL_CELL), 1),
                doubt=doubt,
            )
        )
    end = HEAD + ROW * len(rows)
    lines = _lines(_notes(status), end + 18)
    height = end + (LINE * len(lines) + 12 if lines else 1)
    label = f"What runs in each stage of {_fit(status.application)}"
    return _image(rows=rows, lines=lines, version_x=round(version_x, 1), end=end, height=height, label=label)


def render_problem(text: str) -> str:
    """Return an image that is a text."""
    lines = _lines([(text, False)], 22)
    return _image(rows=[], lines=lines, version_x=0, end=0, height=LINE * len(lines) + 16, label=_fit(text))


@cache
def style() -> str:
    """Return the style of the image."""
    return files(__package__).joinpath("versions.css").read_text(encoding="utf-8")


def cut(text: str, room: int) -> str:
    """Return a text that is at most so wide, in characters of a monospaced font, and fit for XML."""
    text = _fit(text)
    if cells(text) <= room:
        return text
    kept = ""
    for char in text:
        if cells(kept) + cells(char) + 1 > room:
            break
        kept += char
    return f"{kept}…"


def _image(**values: object) -> str:
    own = Markup(style())  # noqa: S704  # a file of this package
    return _template().render(width=WIDTH, margin=MARGIN, row=ROW, head=HEAD, style=own, **values)


def _notes(status: ApplicationStatus) -> list[tuple[str, bool]]:
    """Return what is to be said below the table, each with whether it is bad news."""
    doubts = [
        f"{stage} is in doubt: {step.task} {step.version or ''} {plain(step.outcome or step.state)}, "
        f"{when(step.started)}"
        for stage, step in status.doubts.items()
    ]
    underway = [f"Underway{_night(one.night)}: {where_it_is(one)}" for one in status.underway[:2]]
    trouble = [status.trouble] if status.trouble else []
    return [*((text, True) for text in (*trouble, *doubts)), *((text, False) for text in underway)]


def _night(night: str | None) -> str:
    return f", night {night}" if night else ""


def _lines(texts: list[tuple[str, bool]], y: int) -> list[TextLine]:
    """Break texts into lines of the width of the image, at most :data:`MOST_LINES` in all."""
    room = int((WIDTH - 2 * MARGIN) / SMALL_CELL)
    found: list[TextLine] = []
    for text, bad in texts:
        line = ""
        for word in _fit(text).split():
            if line and cells(f"{line} {word}") > room:
                found.append(TextLine(0, line, bad))
                line = ""
            line = cut(f"{line} {word}".strip(), room)
        found.append(TextLine(0, line, bad))
    if len(found) > MOST_LINES:
        last = found[MOST_LINES - 1]
        found = [*found[: MOST_LINES - 1], last._replace(text=f"{cut(last.text, room - 2)} …")]
    return [line._replace(y=y + LINE * number) for number, line in enumerate(found)]


def cells(text: str) -> int:
    """Return how wide a text is, in characters of a monospaced font."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _fit(text: str) -> str:
    """Replace what XML cannot hold: an image with one such character would not be shown at all."""
    return _UNFIT.sub("\ufffd", text)


@cache
def _template() -> Template:
    text = files(__package__).joinpath("versions.svg.jinja").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        text
    )
