"""The extras of a connection that every vendor's client honours."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from msgspec import Struct

from nightshift.errors import Rejected


class ClientSettings(Struct, frozen=True):
    """How a client talks to one vendor; read from the connection's extras with :func:`read_settings`.

    :param headers: sent with every request to the vendor itself, never to a download host
    :param verify: whether the server's certificate must be trusted, or the path of a CA file or folder
    :param proxy: URL of an HTTP proxy by scheme of the target; empty: none
    :param timeout: seconds for one attempt of a request as a whole; downloads have no such limit
    :param connect_timeout: seconds to connect, with TLS
    :param read_timeout: seconds without a byte
    :param requests_per_minute: the most that this process sends on the connection; ``None``: no limit
    :param max_connections: TCP connections at a time
    :param trust_env: whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY count where ``proxy`` names none; never ~/.netrc
    """

    headers: Mapping[str, str] = {}
    verify: bool | str = True
    proxy: Mapping[str, str] = {}
    timeout: float = 120.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    requests_per_minute: float | None = None
    max_connections: int = 32
    trust_env: bool = False

    def proxy_for(self, url: str) -> str | None:
        """Return the URL of the proxy that a request goes through; ``None``: it goes straight to the vendor.

        The HTTP library would look it up too, and with it a login for each host in ~/.netrc, which is nobody's here.
        """
        scheme = url.partition(":")[0].lower()
        if (named := self.proxy.get(scheme)) or not self.trust_env or proxy_bypass(urlsplit(url).hostname or ""):
            return named
        named = getproxies().get(scheme)
        return f"http://{named}" if named and "://" not in named else named

    def __repr__(self) -> str:
        return f"ClientSettings(timeout={self.timeout}, requests_per_minute={self.requests_per_minute})"


_ALIASES = {"verify_ssl": "verify", "proxies": "proxy"}
SHARED_EXTRAS = frozenset({*ClientSettings.__struct_fields__, *_ALIASES})
"""The extras that every vendor's connection has."""
_ALIKE = 0.75
_log = logging.getLogger(__name__)


def check_names(extras: Mapping[str, Any], own: Collection[str], *, vendor: str = "") -> None:
    """Refuse an extra that is one of ours but for a slip, and tell of one that nobody reads.

    :param extras: the extras of a connection
    :param own: those that the vendor has besides the shared ones
    :raises Rejected: an extra is mistyped
    """
    known = SHARED_EXTRAS | set(own)
    for name in extras:
        if name in known:
            continue
        if near := difflib.get_close_matches(name.lower(), known, n=1, cutoff=_ALIKE):
            raise Rejected(
                f"the extra {name!r} of the Airflow connection is not known; did you mean {near[0]!r}?",
                vendor=vendor,
                advice="Correct the name of the extra in the Airflow connection; nothing was sent.",
            )
        _log.warning(
            "%s: nobody reads the extra %r of the Airflow connection; known: %s",
            vendor or "Nightshift",
            name,
            ", ".join(sorted(known)),
        )


def read_settings(extras: Mapping[str, Any], *, vendor: str = "") -> ClientSettings:
    """Read the extras that are ours; ``None`` and an empty text mean the default, and other extras are left alone.

    :raises Rejected: an extra has the wrong type, the message names the extra, not its value; or certificates are not
        checked behind a proxy, where anybody who may edit the connection, but not read its password, could have it sent
    """
    readers: dict[str, Callable[[Any], Any]] = {
        "headers": _headers,
        "verify": _verify,
        "proxy": _proxy,
        "timeout": _positive,
        "connect_timeout": _positive,
        "read_timeout": _positive,
        "requests_per_minute": _positive,
        "max_connections": _count,
        "trust_env": _switch,
    }
    given: dict[str, Any] = {}
    for extra in (*_ALIASES, *readers):
        value = extras.get(extra)
        if value is None or value == "":
            continue
        name = _ALIASES.get(extra, extra)
        try:
            given[name] = readers[name](value)
        except ValueError as error:
            raise Rejected(
                f"the extra {extra!r} of the Airflow connection must be {error}",
                vendor=vendor,
                advice="Correct the extra in the Airflow connection; nothing was sent.",
            ) from None
    settings = ClientSettings(**given)
    if settings.proxy and settings.verify is False:
        raise Rejected(
            "the extras 'proxy' and 'verify': false together would show the credentials to whoever runs the proxy",
            vendor=vendor,
            advice="Nothing was sent. Leave the extra 'verify' out, or put the path of the CA file into it that the "
            "proxy's certificates are signed with.",
        )
    return settings


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and isinstance(text, str | int | float) and not set("\r\n\0") & set(f"{name}{text}")
        for name, text in value.items()
    ):
        raise ValueError("an object of header names and texts")
    return {name: str(text) for name, text in value.items()}


def _verify(value: Any) -> bool | str:
    try:
        return _switch(value)
    except ValueError:
        if isinstance(value, str):
            return value
    raise ValueError("true, false or the path of a CA file")


def _proxy(value: Any) -> dict[str, str]:
    found = {"http": value, "https": value} if isinstance(value, str) else value
    if not isinstance(found, Mapping) or not all(
        isinstance(url, str) and url.startswith(("http://", "https://")) for url in found.values()
    ):
        raise ValueError("the URL of an HTTP proxy, or an object with one for http and one for https")
    return {str(scheme).removesuffix("://"): url for scheme, url in found.items()}


def _positive(value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("a number above 0")
    return number


def _count(value: Any) -> int:
    number = _positive(value)
    if number != int(number):
        raise ValueError("a whole number above 0")
    return int(number)


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"
