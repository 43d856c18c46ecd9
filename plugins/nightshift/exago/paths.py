"""Paths of folders and reports in Exago's tree (Exago reference, sections 3.4 and 6)."""

from __future__ import annotations

from typing import Self

import msgspec

from nightshift.errors import Rejected
from nightshift.exago.source import EXAGO
from nightshift.http.address import segment

VENDOR = "Exago"
DEFAULT_CONN = EXAGO.default_connection
SEPARATORS = ("\\", "/")
MAX_LEVEL = 255
RESERVED = "rename"


class ContentPath(msgspec.Struct, frozen=True, order=True):
    """Where a folder or a report is: the names from the root down. Names distinguish upper and lower case.

    The constructor takes any names, as a server may have them; what goes to a server comes from :meth:`parse`.

    :param levels: the names, the outermost first
    """

    levels: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a path as people and the vendor write it: levels split by ``/`` or by a backslash.

        :param text: for instance ``Sales/Daily``; one separator at either end is ignored
        :raises Rejected: a level is empty, a dot segment, longer than 255 characters, or has control characters
        """
        plain = text.replace("\\", "/")
        levels = tuple(plain.removeprefix("/").removesuffix("/").split("/"))
        for level in levels:
            if problem := _problem_of(level):
                raise Rejected(
                    f"{text!r} is not the path of a folder: {problem}",
                    vendor=VENDOR,
                    advice="Nothing was sent. Correct the path; levels are separated by / or a backslash.",
                )
        return cls(levels)

    def __str__(self) -> str:
        return "/".join(self.levels)

    @property
    def name(self) -> str:
        """The last level."""
        return self.levels[-1]

    @property
    def parent(self) -> ContentPath | None:
        """The folder that this is in; ``None`` at the root."""
        return ContentPath(self.levels[:-1]) if len(self.levels) > 1 else None

    @property
    def ancestors(self) -> tuple[ContentPath, ...]:
        """The folders that this is in, the outermost first."""
        return tuple(ContentPath(self.levels[:depth]) for depth in range(1, len(self.levels)))

    @property
    def is_reserved(self) -> bool:
        """Whether the server would read the request to create this folder as another request."""
        return len(self.levels) == 1 and self.name.lower() == RESERVED

    def is_in(self, folder: ContentPath) -> bool:
        """Tell whether this is the folder or anything below it."""
        return self.levels[: len(folder.levels)] == folder.levels

    def overlaps(self, other: ContentPath) -> bool:
        """Tell whether one of the two is the other, or below it."""
        return self.is_in(other) or other.is_in(self)

    def below(self, folder: ContentPath) -> tuple[str, ...]:
        """Return the levels of this under ``folder``; empty for the folder itself."""
        return self.levels[len(folder.levels) :]

    def moved(self, old: ContentPath, new: ContentPath) -> ContentPath:
        """Return where this is after ``old``, which it is in, has become ``new``."""
        return ContentPath((*new.levels, *self.below(old)))

    @property
    def in_url(self) -> str:
        """The path for a URL: each level encoded on its own, once; the slashes between them stay."""
        return "/".join(segment(level) for level in self.levels)

    def in_body(self, separator: str) -> str:
        """Return the path for a body, with the server's separator: a backslash on old ones, ``/`` from 2020.1."""
        return separator.join(self.levels)


def _problem_of(level: str) -> str | None:
    if not level:
        return "a level is empty"
    if level in (".", ".."):
        return f"{level!r} leads elsewhere"
    if len(level) > MAX_LEVEL:
        return f"a level has {len(level)} characters, at most {MAX_LEVEL} fit"
    if any(not character.isprintable() for character in level):
        return "a level has a character that cannot be printed"
    return None
