"""One request, ready to be sent as often as it takes, and as an error describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from multidict import CIMultiDict

from nightshift.errors import Ambiguous, VendorError
from nightshift.http.address import Params, query
from nightshift.redaction import redact

E = TypeVar("E", bound=VendorError)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Request(Struct, frozen=True):
    """One request.

    :param method: HTTP method
    :param url: absolute and encoded
    :param headers: those of this request alone; the connection's own and the credentials are added hop by hop
    :param body: bytes, so that a repeat sends the same
    :param safe: whether it changes nothing, so that it may be repeated
    :param credentials: whether those of the connection go with it
    :param whole: whether the answer is read as a whole, within the time-out of a request; else it is a download
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    safe: bool = True
    credentials: bool = True
    whole: bool = True

    def __repr__(self) -> str:
        return f"Request({self.method})"


class RequestContext(Struct, frozen=True):
    """One attempt of one request, as an error describes it.

    :param vendor: human name of the vendor
    :param method: HTTP method
    :param path: path without query
    :param attempt: from 1
    :param safe: whether the request may be repeated because it changes nothing
    :param connection: id of the Airflow connection
    """

    vendor: str
    method: str
    path: str
    attempt: int = 1
    safe: bool = True
    connection: str = ""

    def __repr__(self) -> str:
        return f"RequestContext({self.method} {redact(self.path)}, attempt {self.attempt})"

    def error(self, kind: type[E], problem: str, **more: Any) -> E:
        """Return an error of this request."""
        return self.completed(kind(problem, **more))

    def completed(self, error: E, **more: Any) -> E:
        """Return an error with what it does not say itself filled in."""
        where = {
            "vendor": self.vendor,
            "method": self.method,
            "path": self.path,
            "attempt": self.attempt,
            "connection": self.connection,
            **more,
        }
        missing = {name: value for name, value in where.items() if getattr(error, name) in ("", None)}
        return error.replaced(**missing)

    def unclear(self, kind: type[VendorError], problem: str, **more: Any) -> VendorError:
        """Return an error of the given type, or :class:`Ambiguous` where the request may have changed something."""
        if not self.safe:
            more.pop("advice", None)
            return self.error(Ambiguous, problem, **more)
        return self.error(kind, problem, **more)


def prepared(
    method: str,
    url: str,
    *,
    json: Any = None,
    data: bytes | str | Params | None = None,
    headers: Mapping[str, str] | None,
    accept: str,
    safe: bool | None = None,
    credentials: bool,
    whole: bool = True,
) -> Request:
    """Return a request with its body as bytes; of its headers what the caller gives counts most.

    :param json: body, sent as JSON
    :param data: bytes or a text as they are; names and values as a form
    :param safe: default: by the method
    :param whole: else the body comes as it is stored, so that its announced length can be checked
    """
    body, typed = _body_of(json, data)
    sent: CIMultiDict[str] = CIMultiDict({"Accept": accept, **typed})
    sent.update(headers or {})
    if not whole:
        sent.setdefault("Accept-Encoding", "identity")
    method = method.upper()
    return Request(method, url, sent, body, method in SAFE_METHODS if safe is None else safe, credentials, whole)


def _body_of(json: Any, data: bytes | str | Params | None) -> tuple[bytes | None, dict[str, str]]:
    """Return a body as bytes, and the header that names its type."""
    if json is not None:
        return msgspec.json.encode(json), {"Content-Type": "application/json"}
    if data is None or isinstance(data, bytes):
        return data, {}
    if isinstance(data, str):
        return data.encode(), {}
    return query(data).encode("ascii"), {"Content-Type": "application/x-www-form-urlencoded"}
