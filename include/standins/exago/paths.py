"""Paths: those of requests, whose words may be written in any letter case, and those of folders, in URLs and in
bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import unquote

from include.standins.exago.switches import ExagoSwitches, Separator, Version
from include.standins.routing import Found, Route, Router

PRINTED = frozenset({"rest", "sessions", "reports", "list", "folders", "rename", "StorageMgmt", "Reports", "Execute"})
"""The words of the paths as the reference prints them."""

_SECOND = {"folders": frozenset({"rename"}), "reports": frozenset({"list", "execute"})}


class NotAPath(ValueError):
    """A folder's path that no folder can have; the text says why."""


class WordRouter(Router):
    """Routes whose words are lower-case, for requests that may write them otherwise.

    :param root: context path of the web service
    :param strict: whether words have to be written as the reference prints them
    """

    def __init__(self, root: str, routes: Iterable[Route], strict: Callable[[], bool]) -> None:
        super().__init__(root, routes)
        self._strict = strict

    def find(self, origin: str, method: str, raw_path: str) -> Found:
        below, _, rest = raw_path.partition("/rest/") if self._strict() else _split_rest(raw_path)
        if not rest:
            return super().find(origin, method, raw_path)
        return super().find(origin, method, f"{below}/rest/{'/'.join(self._words(rest.split('/')))}")

    def _words(self, parts: list[str]) -> list[str]:
        found = [self._word(parts[0]), *parts[1:]]
        # Only a whole path is a word of ours: "folders/rename/x" is a folder.
        if (
            len(parts) > 1
            and parts[1].lower() in _SECOND.get(found[0], ())
            and (found[0] != "folders" or len(parts) == 2)
        ):
            found[1] = self._word(parts[1])
        return found

    def _word(self, part: str) -> str:
        return part.lower() if not self._strict() or part in PRINTED else f"?{part}"


def _split_rest(raw_path: str) -> tuple[str, str, str]:
    at = raw_path.lower().find("/rest/")
    return (raw_path, "", "") if at < 0 else (raw_path[:at], "/rest/", raw_path[at + 6 :])


def url_levels(raw: str) -> tuple[str, ...]:
    """Return the levels of a folder's path in a URL: split at ``/``, each decoded once.

    :raises NotAPath: a ``%`` that encodes nothing, an empty level, or one that holds a separator
    """
    levels = []
    for part in raw.split("/"):
        if any(not _is_hex(code[:2]) for code in part.split("%")[1:]):
            raise NotAPath("A % in the path does not encode a character.")
        levels.append(unquote(part))
    return _checked(levels)


def body_levels(text: str, switches: ExagoSwitches) -> tuple[str, ...]:
    r"""Return the levels of a folder's path in a body: split at ``\`` before 2020.1, at either separator from then on.

    :raises NotAPath: an empty level, or one that holds a separator
    """
    old = switches.version is Version.V2019
    separator = switches.separator or (Separator.BACKSLASH if old else Separator.EITHER)
    if separator is Separator.EITHER:
        return _checked(text.replace("\\", "/").split("/"))
    return _checked(text.split("\\" if separator is Separator.BACKSLASH else "/"))


def _checked(levels: list[str]) -> tuple[str, ...]:
    if not all(levels):
        raise NotAPath("A level of the path is empty.")
    if any("/" in level or "\\" in level for level in levels):
        raise NotAPath("A level of the path holds a separator.")
    return tuple(levels)


def _is_hex(code: str) -> bool:
    return len(code) == 2 and all(one in "0123456789abcdefABCDEF" for one in code)
