"""Texts of tickets, people and vendors inside of Markdown: shown as they are, and nothing more."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit


def code(text: object) -> str:
    """Return a text as a code span, in which Markdown knows no links, images, HTML, emphasis or addresses.

    What cannot be seen (line breaks, controls, marks that turn the direction of writing) is shown as its escape. Not for a
    cell of a table: there a ``|`` would still end the cell.
    """
    shown = visible(text)
    if not shown:
        return "(empty)"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    # One space on both sides is taken away again, so one that is part of the text stays.
    pad = " " if shown.strip() and (shown.startswith(("`", " ")) or shown.endswith(("`", " "))) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def visible(text: object) -> str:
    """Return a text in one line, with every character that cannot be seen (a line break, say) as its escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text))


def link(words: str, url: str | None) -> str:
    """Return words of ours as a link; without one where it leads to no web page.

    :param words: must not come from anybody else
    """
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return words
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return words
    return f"[{words}](<{quote(str(url), safe=':/?#@!$&*+,;=%~-._')}>)"
