"""What is said about a mistake in a configuration file, and where it is."""

from __future__ import annotations

import difflib
from collections.abc import Collection

Location = tuple[str | int, ...]
"""The way to a value: keys of mappings and places in lists."""


class ConfigError(ValueError):
    """One or more mistakes in a configuration file; the text has a line for each: ``file:line: field: what to do``."""


class NoFileError(ConfigError):
    """There is no such file."""


def nearest(word: str, valid: Collection[str], *, few: bool = False) -> str:
    """Return what to add to a mistake: the valid word that is most like it, else all.

    :param word: what was found
    :param valid: what may be there
    :param few: where none is like it, name no more than a few
    """
    near = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    if not (shown := sorted(valid)):
        return "; there are none"
    return f"; valid: {', '.join(shown[:10] if few else shown)}{' …' if few and len(shown) > 10 else ''}"


def dotted(at: Location) -> str:
    """Return a place as people write it: ``flexnet.reports[0].name``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at).lstrip(".")
