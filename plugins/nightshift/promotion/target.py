"""Of what a version is, and where it was brought: FlexDeploy's server, project, stream and environment.

An application and its stages keep their names in ``promotions.yaml``, whatever is put behind them; and an id that
FlexDeploy gave says nothing of another project, stream, environment or server. So each build and each deployment keeps
what it was of, and is believed of that alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from nightshift.config.promotions import Application

BUILD = "build"
"""Stands for the build where stages have their labels; no stage has that one."""
Told = tuple[str, str, int | None, str | None, int | None, str | None, int | None, str | None]
"""A target as the index keeps it: its fields in their order."""
_PORTS = {"http": 80, "https": 443}


class Target(BaseModel):
    """Of what a version is, or where it was brought: each thing by its id, by its name in ``promotions.yaml``, or both.

    :param connection: id of the Airflow connection
    :param server: host, port and path of FlexDeploy, see :func:`server_of`; empty: not known
    :param environment_id: of a deployment
    :param stream_id: of a build
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    connection: str
    server: str = ""
    project_id: int | None = None
    project: str | None = None
    environment_id: int | None = None
    environment: str | None = None
    stream_id: int | None = None
    stream: str | None = None

    @property
    def words(self) -> str:
        """What is named in it, in words."""
        things = ("project", "environment", "stream")
        return ", ".join(_words(what, *named) for what in things if (named := _named(self, what)) != (None, None))

    @property
    def where(self) -> dict[str, Any]:
        """Project and environment as parameters of a step, each by its id where that is known."""
        found: dict[str, Any] = {}
        for what in ("project", "environment"):
            number, name = _named(self, what)
            found |= {what: name} if number is None else {f"{what}_id": number}
        return found

    @property
    def told(self) -> Told:
        """It, as the index keeps it."""
        return (
            self.connection,
            self.server,
            self.project_id,
            self.project,
            self.environment_id,
            self.environment,
            self.stream_id,
            self.stream,
        )

    @classmethod
    def of(cls, told: Told) -> Target:
        """Return what the index keeps as it is here."""
        return cls.model_validate(dict(zip(cls.model_fields, told, strict=True)))

    def changed(self, **changes: Any) -> Target:
        """Return a copy with some fields replaced."""
        return self.model_copy(update=changes)


def server_of(address: str) -> str:
    """Return a server as all spellings of its address have it: whether it is asked by TLS makes no other server.

    :param address: of FlexDeploy, with scheme and context path
    """
    parts = urlsplit(address)
    port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.hostname or ''}{port}{parts.path.rstrip('/')}"


def what_differs(kept: Target, wanted: Target) -> str:
    """Return what is another one in a target, in words; empty where it is the same.

    Ids decide, and names where one of the two has no id. A server is known by its address, whatever its connection is
    called; where an address is not known, by its connection. What only one of the two has is not compared.

    :param kept: what was built or deployed
    :param wanted: what is asked about
    """
    return "; ".join(_differences(kept, wanted))


def _differences(kept: Target, wanted: Target) -> Iterator[str]:
    if kept.server and wanted.server:
        if kept.server != wanted.server:
            yield f"FlexDeploy at {kept.server}, not {wanted.server}"
    elif kept.connection != wanted.connection:
        yield f"the connection {kept.connection}, not {wanted.connection}"
    for what in ("project", "environment", "stream"):
        mine, other = _named(kept, what), _named(wanted, what)
        ids, names = (mine[0], other[0]), (mine[1], other[1])
        if mine == (None, None) or other == (None, None):
            continue
        same = ids[0] == ids[1] if None not in ids else names[0] == names[1] and names[0] is not None
        if not same:
            yield f"{_words(what, *mine)}, not {_words(what, *other)}"


def _named(target: Target, what: str) -> tuple[int | None, str | None]:
    return getattr(target, f"{what}_id"), getattr(target, what)


def _words(what: str, number: int | None, name: str | None) -> str:
    if name is None:
        return f"{what} {number}"
    return f"{what} {name}" if number is None else f"{what} {name} ({number})"


def targets_of(config: Application) -> Mapping[str, Target]:
    """Return what is configured: stage, or :data:`BUILD` → its target. What has a name has no id here, and the address
    of the server is not known.
    """
    of_project = {"connection": config.connection, **config.what}
    stages = {stage.label: Target(**of_project, **stage.where) for stage in config.stages}
    return {BUILD: Target(**of_project, **config.on_stream), **stages}
