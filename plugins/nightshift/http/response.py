"""What comes back from a vendor: an answer in memory, or a download as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar, overload

import msgspec

from nightshift.errors import BadResponse, VendorError
from nightshift.fields import whole_number
from nightshift.http.bodies import BOM, is_json_value, json_object
from nightshift.http.request import RequestContext
from nightshift.nesting import UNREADABLE, shallow
from nightshift.redaction import WINDOW, safe_url

T = TypeVar("T")

PAGE_ADVICE = (
    "This is probably the login page of a proxy or of the vendor, or the page of another application: "
    "check the host and context path of the Airflow connection, and the proxy."
)


class Response(msgspec.Struct, frozen=True, eq=False):
    """A whole answer.

    :param status: HTTP status
    :param headers: names in any case
    :param body: as received, after any Content-Encoding
    :param source: where it came from, which nobody may log; :attr:`url` may be
    :param context: the request it answers
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    source: str
    context: RequestContext

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes, {self.url})"

    @property
    def url(self) -> str:
        """Where it came from, fit to be logged."""
        return safe_url(self.source)

    @property
    def content_type(self) -> str:
        """Media type in lower case, without parameters; empty where the vendor names none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """Character set that the Content-Type names, as it is written there; empty where it names none."""
        pairs = (part.partition("=") for part in self.headers.get("Content-Type", "").split(";")[1:])
        named = [value.strip(" \"'") for name, _, value in pairs if name.strip().lower() == "charset"]
        return named[0] if named else ""

    @property
    def is_page(self) -> bool:
        """Whether the body is an HTML page: one that begins as such, or whatever is called so and is no JSON.

        Servers that name no type for their JSON let frameworks and proxies call it ``text/html``.
        """
        start = self.body[:64].removeprefix(BOM).lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")):
            return True
        return self.content_type in ("text/html", "application/xhtml+xml") and not is_json_value(self.body[:WINDOW])

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, type: type[T]) -> T: ...
    def json(self, type: Any = Any) -> Any:  # noqa: A002  # msgspec's own name for it
        """Decode strictly: one JSON value in UTF-8, no NaN, nothing after it.

        :raises BadResponse: it is not; :class:`Ambiguous` where the request may have changed something
        """
        body = self.body.removeprefix(BOM)
        if not body.strip():
            raise self.refused("is empty where JSON is due")
        try:
            return msgspec.json.decode(shallow(body), type=type)
        except msgspec.ValidationError as error:
            raise self.refused(f"is JSON of another shape than is due: {error}") from None
        except UNREADABLE as error:
            if self.is_page:
                raise self.refused("is an HTML page where JSON is due", advice=PAGE_ADVICE) from None
            what = "is nested too deep" if isinstance(error, RecursionError) else f"is not JSON: {error}"
            raise self.refused(what, detail=self.beginning) from None

    @property
    def beginning(self) -> str:
        """The beginning of the body, as it came: for an error, which redacts it before it is cut any shorter."""
        return self.body[:WINDOW].decode("utf-8", "replace")

    def words(self, keys: Sequence[str]) -> str:
        """Return the vendor's own words out of an error body: a text under one of the keys, or the body itself;
        never parsed blindly. An HTML page has none.
        """
        if self.is_page:
            return ""
        found = json_object(self.body) if len(self.body) <= WINDOW else None
        if found is not None:
            words = [f"{found[key]}" for key in keys if isinstance(found.get(key), str | int) and found[key] != ""]
            if words:
                return " · ".join(dict.fromkeys(words))
        return self.beginning

    def refused(self, problem: str, **more: Any) -> VendorError:
        """Return the error for a body that is not what the vendor promises; ``problem`` continues "the answer …"."""
        return self.context.unclear(BadResponse, f"the answer {problem}", status=self.status, **more)


class Download(msgspec.Struct, frozen=True, eq=False):
    """An answer whose body is read as it comes; iterate over it once.

    :param status: HTTP status, 200 or 206
    :param headers: names in any case
    :param url: where it comes from, fit to be logged
    :param chunks: the body; raises :class:`~nightshift.errors.Unreachable` where it ends too early
    """

    status: int
    headers: Mapping[str, str]
    url: str
    chunks: AsyncIterator[bytes]

    @property
    def size(self) -> int | None:
        """Bytes that the vendor announces; ``None`` where it does not, or where the body is compressed."""
        announced = self.headers.get("Content-Length", "")
        return whole_number(announced) if "Content-Encoding" not in self.headers else None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks
