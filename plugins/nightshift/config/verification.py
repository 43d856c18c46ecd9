"""The models of ``verify``: what has to be seen before a deployment counts as good; and how a probe says what it
expects: a path into the JSON answer, and a value in whose text ``${version}`` stands for what is known later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from nightshift.config.reports import ReportName, Section
from nightshift.config.scalars import Duration, Json, Text, Word, between, lasting
from nightshift.config.steps import UtilityStep, once
from nightshift.fields import nearest, refuse_twice

NEXT_NIGHT = "next_night"
"""Name of the check of the night after the deployment, which no probe or utility may take."""
LONGEST_PATH = 200
VERSION_NAMES = ("version", "version_id")
"""Names that stand for the version that was deployed: its name, and its id."""
LONGEST_SHOWN = 40
"""Characters of a mistaken name that are shown."""
_PART = re.compile(
    r"""\.?(?P<name>[A-Za-z_][\w-]*)|\[(?P<at>0|[1-9]\d{0,5})\]|\[(['"])(?P<quoted>[^'"\]]+)\3\]""", re.ASCII
)
_PLACEHOLDER = re.compile(
    rf"\$(?P<plain>\$)?(?:\{{(?P<name>[^{{}}]*)(?P<end>\}}?)|(?P<bare>{'|'.join(VERSION_NAMES)})\b)", re.IGNORECASE
)


def parts_of(path: str) -> tuple[str | int, ...]:
    """Return the names and positions of a path such as ``$.checks[0].state``, ``checks[0].state`` or ``$['a.b']``.

    It is the part of RFC 9535 that means exactly one value: no wildcards, no filters, no slices. ``$`` alone is the
    whole answer.

    :raises ValueError: it is no such path
    """
    rest, found = path.removeprefix("$"), list[str | int]()
    at, bare = 0, not path.startswith("$")
    while at < len(rest):
        part = _PART.match(rest, at)
        # Only the very first name of a path without $ stands without its dot.
        if part is None or (part["name"] and (rest[at] == ".") == (bare and at == 0)):
            raise ValueError("is not a path into JSON; give for instance $.version or checks[0].state")
        found.append(int(part["at"]) if part["at"] else part["name"] or part["quoted"])
        at = part.end()
    if not path or len(path) > LONGEST_PATH or (bare and not found):
        raise ValueError("is not a path into JSON; give for instance $.version or checks[0].state")
    return tuple(found)


def value_at(answer: Any, path: str) -> Any:
    """Return the value at a path.

    :raises LookupError: there is none; says where the path ends
    """
    for number, part in enumerate(parts := parts_of(path)):
        fits = isinstance(answer, dict) if isinstance(part, str) else isinstance(answer, list)
        if not fits or (part not in answer if isinstance(part, str) else part >= len(answer)):
            raise LookupError(f"nothing at {'.'.join(map(str, parts[: number + 1]))}")
        answer = answer[part]
    return answer


def check_placeholders(text: str) -> None:
    """Refuse a text with a ``${…}`` that stands for nothing; a ``$`` alone is a ``$``, and so is ``$$`` before a name.

    :raises ValueError: there is one; names what is like it
    """
    for found in _PLACEHOLDER.finditer(text):
        name = found["name"] if found["bare"] is None else found["bare"]
        if found["plain"] or (found["end"] and name in VERSION_NAMES):
            continue
        shown, valid = found[0][:LONGEST_SHOWN], [f"${{{one}}}" for one in VERSION_NAMES]
        raise ValueError(
            f"{shown!r} stands for nothing (where the answer itself has it, write {f'${shown}'!r})"
            f"{nearest(f'${{{name.strip().lower()}}}', valid)}"
        )


def filled(text: str, known: Mapping[str, Any]) -> Any:
    """Return a text with what its names stand for; a text that is one name alone is that value, a number also.

    :param known: name → its value
    """
    if (whole := _PLACEHOLDER.fullmatch(text)) is not None and not whole["plain"]:
        return known[whole["name"]]
    return _PLACEHOLDER.sub(lambda one: one[0][1:] if one["plain"] else str(known[one["name"]]), text)


def _path(given: str) -> str:
    parts_of(given)
    return given


def _scalar(given: Any) -> Any:
    if given is not None and not isinstance(given, str | int | float | bool):
        raise ValueError("must be one value: a text, a number, true, false or null")
    if isinstance(given, str):
        check_placeholders(given)
    return given


JsonPath = Annotated[Text, AfterValidator(_path)]
Wanted = Annotated[Json, AfterValidator(_scalar)]


class Probe(Section):
    """A request to what was deployed. Either ``url``, which is sent as it is and without credentials, or ``connection``
    and ``path``: an Airflow connection of the type ``http``, say, with its host, credentials and headers.

    Several tries are made before it counts as failed; between them it holds no worker.

    :param name: task id within the verification
    :param url: address, ``http`` or ``https``; no user and no password in it, and no secret in its query
    :param connection: id of an Airflow connection
    :param path: path under the connection's host; may have a query
    :param status: HTTP status of the answer
    :param expect: path into the JSON answer → the value there, such as ``$.version: ${version}`` or ``v${version}``.
        ``${version}`` stands for the name of the version that was deployed, ``${version_id}`` for its id, a number
        where it is the whole value. ``$$`` is a ``$`` before such a name. Text, number and switch are told apart;
        quotes make a text
    :param tries: how often it is asked before it counts as failed, 1 to 1000
    :param every: time from one try to the next, ``1s`` to ``1d``
    :param timeout: time that one try may take, ``1s`` to ``2m``
    """

    name: Word = "probe"
    url: Text | None = None
    connection: Text | None = None
    path: Text | None = None
    status: int = Field(default=200, ge=100, le=599)
    expect: dict[JsonPath, Wanted] = Field(default_factory=dict)
    tries: int = Field(default=10, ge=1, le=1000)
    every: Annotated[Duration, between("1s", "1d")] = lasting("30s")
    timeout: Annotated[Duration, between("1s", "2m")] = lasting("10s")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, given: str | None) -> str | None:
        if given is None:
            return None
        try:
            parts = urlsplit(given)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or not given.isprintable() or " " in given:
            raise ValueError("is not an address; give for instance https://portal.example.com/health")
        if parts.username is not None:
            raise ValueError("has a user in it; put the credentials into an Airflow connection, and give connection")
        if parts.fragment:
            raise ValueError("has a fragment (#…), which is never sent; leave it out")
        return given

    @field_validator("path")
    @classmethod
    def _is_below_the_host(cls, given: str | None) -> str | None:
        if given is not None and (not given.startswith("/") or given.startswith("//") or "#" in given):
            raise ValueError("begins with one slash and has no fragment; give for instance /health")
        return given

    @model_validator(mode="after")
    def _one_address(self) -> Probe:
        if (self.url is None) == (self.connection is None):
            raise ValueError("needs url, or connection and path; one of the two")
        if (self.connection is None) != (self.path is None):
            raise ValueError("connection and path go together")
        return self

    @property
    def longest(self) -> timedelta:
        """The time after which it has passed or failed, whatever happens to its tries."""
        return self.tries * (self.every + self.timeout)


class NextNight(Section):
    """The first night that began after the deployment: its reports are published and all of their checks hold.

    A night begins at midnight in the time zone of its source in ``reports.yaml``; it is over a day later, and there
    some hours after that. The lake is asked, not an event. A later night counts as well, as long as it is in time.

    :param reports: the reports, each ``<source>/<report>``, all for the same night
    :param within: time by which they have to be there, ``1d`` to ``60d``, counted from when that first night is over
        and the ``settle_hours`` of its sources have passed, which is one to three days after the deployment
    :param every: time from one look into the lake to the next, ``10s`` to ``1d``
    """

    reports: Annotated[tuple[ReportName, ...], once("report")] = Field(min_length=1)
    within: Annotated[Duration, between("1d", "60d")] = lasting("3d")
    every: Annotated[Duration, between("10s", "1d")] = lasting("10m")


class Verification(Section):
    """What has to be seen after a deployment and the steps after it, before anything goes on: all of it, in this order.

    :param probes: requests to what was deployed
    :param utilities: runs of utility projects that end well
    :param next_night: what the first night after the deployment has to bring
    """

    probes: tuple[Probe, ...] = ()
    utilities: tuple[UtilityStep, ...] = ()
    next_night: NextNight | None = None

    @model_validator(mode="after")
    def _sound(self) -> Verification:
        if not self.names:
            raise ValueError("has nothing in it; give probes, utilities or next_night, or leave verify out")
        refuse_twice("check", self.names)
        return self

    @property
    def names(self) -> list[str]:
        """The names of all checks, in their order."""
        names = [*(probe.name for probe in self.probes), *(step.name for step in self.utilities)]
        return names if self.next_night is None else [*names, NEXT_NIGHT]
