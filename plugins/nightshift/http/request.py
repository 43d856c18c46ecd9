"""One request, ready to be sent as often as it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from multidict import CIMultiDict

from nightshift.http.address import Params, query

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


def body_of(json: Any, data: bytes | str | Params | None) -> tuple[bytes | None, dict[str, str]]:
    """Return a body as bytes, and the header that names its type.

    :param data: bytes or a text as they are; names and values as a form
    """
    if json is not None:
        return msgspec.json.encode(json), {"Content-Type": "application/json"}
    if data is None or isinstance(data, bytes):
        return data, {}
    if isinstance(data, str):
        return data.encode(), {}
    return query(data).encode("ascii"), {"Content-Type": "application/x-www-form-urlencoded"}


def headers_of(
    headers: Mapping[str, str] | None, *, accept: str, typed: Mapping[str, str], whole: bool
) -> Mapping[str, str]:
    """Return the headers of a request but those of its connection; what the caller gives counts most.

    :param whole: else the body comes as it is stored, so that its announced length can be checked
    """
    sent: CIMultiDict[str] = CIMultiDict({"Accept": accept, **typed})
    sent.update(headers or {})
    if not whole:
        sent.setdefault("Accept-Encoding", "identity")
    return sent
