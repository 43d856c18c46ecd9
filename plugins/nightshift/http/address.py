"""Where a vendor lives: the root of a connection, the URLs under it, and which links lead away from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from nightshift.errors import BadResponse, Rejected
from nightshift.redaction import redact, safe_url

Params = Mapping[str, Any] | Iterable[tuple[str, Any]]

DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST_ADVICE = (
    "Put the root that opens in a browser into the host of the Airflow connection, such as "
    "https://vendor.example.com or https://vendor.example.com:8443/context, without user name and query."
)
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_LOOSE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNSAFE = re.compile(r"[\s\\\x00-\x1f\x7f]")


class Address(Struct, frozen=True):
    """The root URL of a vendor.

    :param scheme: ``http`` or ``https``
    :param host: host name or IP address, in lower case
    :param port: always there, also where it is the default of the scheme
    :param context: path of the root, empty or ``/some/context``, without a slash at the end
    """

    scheme: str
    host: str
    port: int
    context: str = ""

    @classmethod
    def of(cls, host: str | None, port: int | None = None, schema: str | None = None, *, vendor: str = "") -> Self:
        """Read the address from the fields of an Airflow connection, as a person would fill them in.

        :param port: port field; counts where the host has none, and may not contradict it
        :param schema: scheme where the host has none; default https
        :raises Rejected: there is no usable address; the message says what to put there
        """
        text = (host or "").strip()
        if not text:
            raise Rejected("the Airflow connection has no host", vendor=vendor, advice=_HOST_ADVICE)
        if "://" not in text:
            text = f"{(schema or 'https').strip().removesuffix('://')}://{text}"
        try:
            parts = urlsplit(text)
            name, own_port = parts.hostname, parts.port
        except ValueError:
            raise _bad_host(text, "is not a URL", vendor) from None
        if parts.scheme not in DEFAULT_PORTS:
            raise _bad_host(text, "has a scheme other than http and https", vendor)
        if not name or _UNSAFE.search(text):
            raise _bad_host(text, "is not a URL", vendor)
        if parts.username is not None or parts.query or parts.fragment:
            raise _bad_host(text, "has a user name, a query or a fragment", vendor)
        if _climbs(parts.path):
            raise _bad_host(text, "has a part '.' or '..' in its path", vendor)
        if own_port is not None and port and own_port != port:
            raise _bad_host(text, f"contradicts the port {port} of the connection", vendor)
        return cls(
            parts.scheme, name, own_port or port or DEFAULT_PORTS[parts.scheme], _encoded_path(parts.path.rstrip("/"))
        )

    @property
    def origin(self) -> str:
        """Scheme, host and port, as in a browser: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}")

    @property
    def root(self) -> str:
        """The origin with the context path, without a slash at the end."""
        return self.origin + self.context

    def url(self, path: str, params: Params | None = None) -> str:
        """Return the URL of a path under the root, encoded exactly once.

        :param path: begins with ``/``; segments from outside go through :func:`segment` first; may have a query
        :param params: names and values; see :func:`query`
        """
        if not path.startswith("/") or path.startswith("//"):
            raise Rejected(f"the path {safe_url(path)!r} does not begin with a single slash", path=path)
        bare, _, own = path.partition("#")[0].partition("?")
        if _climbs(bare):
            raise Rejected(
                f"the path {safe_url(bare)!r} has a part '.' or '..', which leads to another path",
                path=path,
                advice="Nothing was sent. Correct the name or id that the path is made of.",
            )
        full = "&".join(part for part in (own, query(params)) if part)
        return f"{self.root}{_encoded_path(bare)}" + (f"?{full}" if full else "")

    def target(self, url_or_path: str) -> tuple[bool, str]:
        """Return whether a path or an absolute URL is the vendor's own, and the URL to send.

        :raises BadResponse: a URL of the vendor's own host that is outside of the root
        """
        if "://" not in url_or_path.partition("?")[0]:
            return True, self.url(url_or_path)
        if self.owns(url_or_path):
            return True, self.url(self.local(url_or_path))
        return False, url_or_path

    def owns(self, url: str) -> bool:
        """Tell whether an absolute URL has this scheme, host and port, or is the http form of it on the default
        ports.
        """
        if _UNSAFE.search(url):
            return False
        if url.startswith(f"{self.origin}/"):
            return True
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            return False
        if parts.username is not None or host != self.host:
            return False
        if (parts.scheme, port) == (self.scheme, self.port):
            return True
        return (parts.scheme, port, self.scheme, self.port) == ("http", 80, "https", 443)

    def local(self, url: str, *, vendor: str = "") -> str:
        """Return the path and query under the root that an absolute link of the vendor means.

        :raises BadResponse: the link leads to another host or out of the root; the host is named, the query is not
        """
        if url.startswith("/") and not url.startswith("//") and not _UNSAFE.search(url):
            url = self.origin + url
        if not self.owns(url):
            raise BadResponse(
                f"a link leads to {foreign_host(url)}, not to {self.origin}",
                advice="It was not followed, so no credentials went there. If the vendor has moved, correct the host "
                "of the Airflow connection.",
                vendor=vendor,
            )
        parts = urlsplit(url)
        target = _encoded_path(parts.path or "/")
        if _climbs(target):
            raise BadResponse(
                f"a link leads to {redact(target)}, which has a part '.' or '..'",
                advice="It was not followed. Ask the vendor, or whoever runs the proxy before it, why its links climb.",
                vendor=vendor,
            )
        if self.context and target != self.context and not target.startswith(f"{self.context}/"):
            raise BadResponse(
                f"a link leads to {redact(target)}, outside of {self.context}",
                advice="Check the context path in the host of the Airflow connection.",
                vendor=vendor,
            )
        return (target[len(self.context) :] or "/") + (f"?{parts.query}" if parts.query else "")


def segment(text: str) -> str:
    """Return one segment of a path with everything encoded that could end it.

    :raises Rejected: the text is empty or a dot segment, which would lead to another path
    """
    if text in ("", ".", ".."):
        raise Rejected(f"{text!r} cannot be a part of a path", advice="Nothing was sent. Correct the name or id.")
    return quote(text, safe="")


def query(params: Params | None) -> str:
    """Return parameters as a query, percent-encoded once, a blank as ``%20``.

    ``None`` leaves a parameter out, ``True`` and ``False`` become ``true`` and ``false``, a list or tuple repeats the
    name.
    """
    if params is None:
        return ""
    pairs = params.items() if isinstance(params, Mapping) else params
    return "&".join(
        f"{quote(str(name), safe='')}={quote(_text(value), safe='')}"
        for name, values in pairs
        for value in (values if isinstance(values, list | tuple) else (values,))
        if value is not None
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _climbs(path: str) -> bool:
    """Whether a path has a dot segment, in any spelling that a server or a proxy before it may understand."""
    plain = unquote(unquote(path)).replace("\\", "/")
    return any(part.partition(";")[0].strip() in (".", "..") for part in plain.split("/"))


def _encoded_path(path: str) -> str:
    return _LOOSE_PERCENT.sub("%25", quote(path, safe=_PATH_SAFE))


def foreign_host(url: str) -> str:
    """Return scheme, host and port of a URL, for a message; never its path or query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "something that is not a URL"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else "something that is not an absolute URL"


def _bad_host(text: str, problem: str, vendor: str) -> Rejected:
    return Rejected(
        f"the host {safe_url(text)!r} of the Airflow connection {problem}", vendor=vendor, advice=_HOST_ADVICE
    )
