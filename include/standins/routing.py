"""Which route a request is for. Path parts are split before they are decoded, so ``%2F`` and ``%23`` stay inside a part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from include.standins.calls import Route

_REST = "*}"


@dataclass(frozen=True)
class Found:
    """What a request is for: the route and the decoded parts of its path, or the methods that the path has instead."""

    route: Route | None
    parts: dict[str, str]
    allowed: frozenset[str] = frozenset()


class Router:
    """The routes of a vendor; where two fit, the one with the fixed word goes first.

    :param root: context path in front of every route
    """

    def __init__(self, root: str, routes: Iterable[Route]) -> None:
        pairs = [(route, tuple((root + route.path).split("/"))) for route in routes]
        self._routes = sorted(pairs, key=lambda pair: tuple(part.startswith("{") for part in pair[1]))

    def find(self, origin: str, method: str, raw_path: str) -> Found:
        """Find the route of a request.

        :param origin: name of the listener; empty: the main one
        :param raw_path: the path as it came, still encoded, without the query
        """
        split = raw_path.split("/")
        allowed: set[str] = set()
        for route, pattern in self._routes:
            if route.origin != origin:
                continue
            parts = _fit(pattern, split)
            if parts is None:
                continue
            if route.method == method:
                return Found(route, parts)
            allowed.add(route.method)
        return Found(None, {}, frozenset(allowed))


def _fit(pattern: tuple[str, ...], split: list[str]) -> dict[str, str] | None:
    if pattern[-1].endswith(_REST):
        if len(split) < len(pattern):
            return None
        split = [*split[: len(pattern) - 1], "/".join(split[len(pattern) - 1 :])]
    if len(pattern) != len(split):
        return None
    parts: dict[str, str] = {}
    for expected, given in zip(pattern, split, strict=True):
        if expected.startswith("{"):
            parts[expected.strip("{}*")] = unquote(given)
        elif expected != unquote(given):
            return None
    return parts
