"""Where the lake is: one URL and one set of options, for landing objects and tables alike."""

from __future__ import annotations

import atexit
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from nightshift.fields import night_of
from nightshift.lake.errors import UnfitStore

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PRIVATE = frozenset({"promotions", "claims", "incidents"})
"""Folders of a lake on this machine that only their owner and its group may enter."""
CLOUD_SCHEMES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"})
CLIENT_KEYS = frozenset({"timeout", "connect_timeout", "proxy_url"})
LAST_ANSWER_SECONDS = 0.1


@atexit.register
def _let_answers_end() -> None:
    """Give obstore's threads the interpreter once more before a process ends.

    One that has handed over the last answer of an asynchronous call needs it to return. If the interpreter has ended by
    then, Python before 3.14 ends the thread, and that aborts the process: its work is done, and its exit code says
    SIGABRT.
    """
    if "obstore" in sys.modules:
        time.sleep(LAST_ANSWER_SECONDS)


def segment(name: str, what: str) -> str:
    """Return ``name`` if it is safe as one part of a path: a source, report or extract.

    :raises ValueError: empty, longer than 128, or with anything but letters, digits, ``.``, ``_`` and ``-``, or
        beginning with a dot
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", name):
        raise ValueError(f"{name!r} cannot be the name of a {what}: use letters, digits, '.', '_' and '-', at most 128")
    return name


def night_segment(night: str) -> str:
    """Return ``night=YYYY-MM-DD``.

    :raises ValueError: not a day of the calendar
    """
    return f"night={night_of(night)}"


def _refuse_unmeant(url: str) -> None:
    """Refuse what would be a folder of a strange name beside the process, where another place is meant."""
    if found := re.match(r"""\s|["'$]""", url) or re.search(r"\s$", url):
        raise ValueError(
            f"the lake's URL begins or ends with {found[0]!r}: blanks, quotes and variables are taken as they stand; "
            "write the path or URL alone"
        )
    found = re.match(r"([a-z][a-z0-9+.-]*):(?!//)(/?)", url, re.IGNORECASE)
    scheme = found[1].lower() if found else ""
    if found and (found[2] or scheme == "file" or scheme in CLOUD_SCHEMES):
        right = "file:///, or the path alone" if scheme == "file" else f"{scheme}://"
        raise ValueError(f"the lake's URL begins with {found[0]}, which is a folder of that name here; write {right}")


def _local(path: Path) -> str:
    _refuse_ambiguous(str(path.absolute()))
    return path.absolute().as_uri()


def _refuse_ambiguous(path: str) -> None:
    """Refuse a path that the library of the tables takes for another one than the library of the objects does."""
    if found := re.search(r"%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f\\\[\]^|]", path):
        raise ValueError(
            f"the lake cannot be at {path!r}: the tables would be looked for elsewhere because of {found[0]!r} in it; "
            "choose a path without, for instance a symbolic link to the folder"
        )


@dataclass(frozen=True)
class Lake:
    """A lake: its base URL and the options of its object store.

    :param url: absolute URL without user part and without a slash at the end, for instance ``s3://bucket/prefix``
    :param options: keys of the object store (``aws_access_key_id``, ``aws_endpoint``, ``aws_region``,
        ``aws_allow_http`` …); never shown
    :param connection_id: id of the connection that the URL names, for the caller to resolve into options
    """

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    connection_id: str | None = None

    @classmethod
    def from_url(cls, url: str, options: Mapping[str, str] | None = None) -> Self:
        """Return the lake at ``url``: a local path, ``file://``, ``s3://``, ``gs://``, ``az://`` or ``abfss://``.

        :param url: ``s3://my_aws@bucket/prefix`` names the connection ``my_aws``; the name is kept apart from the URL.
            In ``abfss://container@account.dfs.core.windows.net`` the part before ``@`` is the container, as ever. A
            path that begins with ``~`` is in the home of this process's user
        :param options: keys of the object store
        :raises ValueError: another scheme, no bucket, a password in the URL (which is not repeated in the message), a
            path that the libraries below do not agree on, or something that looks like a URL and is none
        """
        kept = MappingProxyType({key.lower(): str(value) for key, value in (options or {}).items()})
        _refuse_unmeant(url)
        if "://" not in url:
            try:
                return cls(_local(Path(url).expanduser()), kept)
            except RuntimeError:
                raise ValueError(
                    f"the lake cannot be at {url!r}: there is no such home; write the path itself"
                ) from None
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError(
                f"the URL of the lake at {parts.scheme}:// has a '?' or '#' in it, which ends its path; choose a path "
                "without, or give a folder as a plain path"
            )
        if parts.scheme == "file" and (host := parts.netloc.rpartition("@")[2]) not in ("", "localhost"):
            raise ValueError(
                f"behind file:// in the URL of the lake stands the name of a machine, {host!r}, and only folders of "
                f"this one can be a lake; write file:///{host}{parts.path}, or the path alone"
            )
        if parts.scheme == "file":
            return cls(_local(Path(unquote(parts.path))), kept)
        if parts.scheme not in CLOUD_SCHEMES:
            raise ValueError(
                f"a lake cannot be at {parts.scheme}://; use a path, file://, s3://, gs://, az:// or abfss://"
            )
        if parts.password is not None:
            raise ValueError(
                f"the URL of the lake at {parts.scheme}:// has a password in it; name a connection instead"
            )
        _refuse_ambiguous(parts.path)
        user, at, host = parts.netloc.rpartition("@")
        if parts.scheme.startswith("abfs"):
            user, host = "", parts.netloc
        if not host or (at and not user and not parts.scheme.startswith("abfs")):
            raise ValueError(f"the URL of the lake at {parts.scheme}:// names no bucket, or an empty connection")
        return cls(urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")), kept, unquote(user) or None)

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine."""
        return self.url.startswith("file://")

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that the lake is; ``None`` where it is none."""
        return Path(unquote(urlsplit(self.url).path)) if self.is_local else None

    def objects(self, *path: str) -> ObjectStore:
        """Return the object store rooted at ``path`` under the lake.

        :raises UnfitStore: the folder is not there and cannot be made
        """
        from obstore.store import LocalStore, from_url

        if self.folder is not None:
            folder = self.folder.joinpath(*path)
            try:
                self._make(folder, path)
            except OSError as error:
                raise UnfitStore(
                    f"The lake cannot be written: the folder {folder} is not there and cannot be made "
                    f"({error.strerror}). Nothing was changed. Set NIGHTSHIFT_LAKE to a folder that the user of "
                    "Airflow's workers may write, or give it the right, then clear the task."
                ) from None
            return LocalStore(folder)
        config: dict[str, Any] = {key: value for key, value in self.options.items() if not key.endswith("allow_http")}
        client: dict[str, Any] = {key: config.pop(key) for key in CLIENT_KEYS & config.keys()}
        if allowed := [value for key, value in self.options.items() if key.endswith("allow_http")]:
            client["allow_http"] = allowed[0].lower() in {"true", "1", "yes"}
        return from_url("/".join((self.url, *path)), config=config or None, client_options=client or None)  # type: ignore[arg-type]

    def _make(self, folder: Path, path: tuple[str, ...]) -> None:
        """Make a folder of a lake on this machine; who is asked for what, and by whom, is nothing for strangers."""
        if path and path[0] in PRIVATE:
            top = folder.parents[len(path) - 2] if len(path) > 1 else folder
            top.parent.mkdir(parents=True, exist_ok=True)
            top.mkdir(exist_ok=True)
            mode = top.stat().st_mode
            if mode & 0o007:
                top.chmod(mode & 0o770)
        folder.mkdir(parents=True, exist_ok=True)

    def table_url(self, source: str, report: str) -> str:
        """Return the URL of a report's table.

        :raises ValueError: a name that is not safe as a part of a path
        """
        return f"{self.url}/tables/{segment(source, 'source')}/{segment(report, 'report')}"

    def table_options(self) -> dict[str, str] | None:
        """Return the options as ``deltalake`` takes them.

        Commits on object stores are safe as they are: the log entry is put on the condition that it does not exist.
        ``AWS_S3_ALLOW_UNSAFE_RENAME`` is therefore never set here.
        """
        return dict(self.options) or None
