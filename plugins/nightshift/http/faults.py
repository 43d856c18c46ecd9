"""Which typed error a broken transport or an answer's status is."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

import aiohttp

from nightshift.errors import (
    AuthFailed,
    BadResponse,
    Forbidden,
    NotFound,
    RateLimited,
    Redirected,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.http.address import foreign_host
from nightshift.http.encodings import CutShort, NotDecoded
from nightshift.http.request import RequestContext
from nightshift.http.response import PAGE_ADVICE, Response
from nightshift.retry_after import retry_after

MOST_HEADERS = 512
LONGEST_HEADER = 1 << 16
"""Bytes of one header: the cookie of a sign-on or a list of policies can have more than the 8 KiB of the library."""

TLS_ADVICE = (
    "If the vendor's certificate is signed by an authority of your own, put the path of its CA file into the extra "
    "verify of the Airflow connection; do not switch the check off."
)
HOST_ADVICE = (
    "Nothing was sent. Check host and port of the Airflow connection, the name server, the firewall and the proxy."
)
ENCODING_ADVICE = (
    "Nothing was taken over from this answer. If the headers of the Airflow connection have an Accept-Encoding, take "
    "it out; else ask whoever runs the proxy before the vendor why it packs answers in another way than requests ask "
    "for."
)
HEADER_ADVICE = (
    "It was not read. Such headers are mostly cookies or policies of a proxy before the vendor: ask whoever runs it to "
    "leave them out of answers to programs."
)

_ELSEWHERE = frozenset({301, 307, 308})
"""Whoever answers so has done nothing: the request is to be sent to another address. Behind 302 and 303 there may be
what a request has done already.
"""
_BY_STATUS: Mapping[int, type[VendorError]] = {
    401: AuthFailed,
    403: Forbidden,
    404: NotFound,
    407: AuthFailed,
    408: Unreachable,
    410: NotFound,
    425: Unreachable,
    429: RateLimited,
}


def of_transport(error: Exception, context: RequestContext, timeouts: str) -> VendorError:
    """Return the typed error for what the HTTP library raised.

    What proves that the request never got there is :class:`Unreachable` for every method; what leaves it open is
    :class:`Ambiguous` for a method that changes something. The library's own texts are not used where they could hold a
    URL.
    """
    if (never_sent := _never_sent(error, context)) is not None:
        return never_sent
    if isinstance(error, aiohttp.InvalidURL):
        return context.error(
            Rejected, "the URL is not valid", advice="Nothing was sent. Check the host of the connection and the path."
        )
    if isinstance(error, TimeoutError):
        return context.unclear(Unreachable, f"no answer in time ({timeouts})")
    if isinstance(error, aiohttp.ClientPayloadError):
        return context.unclear(Unreachable, "the answer broke off before its end")
    if isinstance(error, NotDecoded):
        if isinstance(error, CutShort):
            return context.unclear(Unreachable, f"the answer {error}")
        return context.unclear(BadResponse, f"the answer {error}", advice=ENCODING_ADVICE)
    if isinstance(error, aiohttp.ClientResponseError):
        if error.message.startswith(("Too many headers", "Got more than")):
            most = f"more than {MOST_HEADERS} headers, or one of more than {LONGEST_HEADER} bytes"
            return context.unclear(BadResponse, f"the answer has {most}", advice=HEADER_ADVICE)
        return context.unclear(BadResponse, "the answer is not HTTP")
    if isinstance(error, aiohttp.ClientError | OSError):
        return context.unclear(Unreachable, "the connection was closed without an answer")
    return context.error(
        Rejected,
        f"the request cannot be sent ({type(error).__name__})",
        advice="Nothing was sent. Check the headers and parameters for line breaks.",
    )


def _never_sent(error: Exception, context: RequestContext) -> VendorError | None:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it is not trusted"
        return context.error(Unreachable, f"the server's TLS certificate is refused: {reason}", advice=TLS_ADVICE)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return context.error(
            Unreachable,
            "no TLS connection: the port may speak plain HTTP, or another version of TLS",
            advice=HOST_ADVICE,
        )
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return context.error(
            Unreachable,
            "no connection to the proxy",
            advice="Nothing was sent. Check the extra proxy of the Airflow connection.",
        )
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _of_proxy(error, context)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return context.error(Unreachable, f"the host name {error.host!r} is not known", advice=HOST_ADVICE)
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error.strerror or type(error.os_error).__name__
        return context.error(
            Unreachable, f"no connection to {error.host}:{error.port}: {_plain(reason)}", advice=HOST_ADVICE
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return context.error(Unreachable, "no connection in time", advice=HOST_ADVICE)
    return None


def _of_proxy(error: aiohttp.ClientHttpProxyError, context: RequestContext) -> VendorError:
    kind = AuthFailed if error.status == 407 else Unreachable
    advice = (
        "Nothing was sent to the vendor. Check the extra proxy of the Airflow connection, and its login and password."
    )
    return context.error(
        kind, f"the proxy refused the connection with {error.status}", status=error.status, advice=advice
    )


def _plain(reason: str) -> str:
    """Return asyncio's text for a failed connection without the addresses and the exception in it."""
    return "refused" if "refused" in reason.lower() or "Connect call failed" in reason else reason


def of_status(response: Response, *, advice: Mapping[int, str], detail_keys: Sequence[str]) -> VendorError:
    """Return the typed error for an answer whose status is not one of those expected.

    :param detail_keys: names under which the vendor keeps its words in a JSON body, best first
    """
    status, context = response.status, response.context
    page = ", and sends an HTML page" if response.is_page else ""
    more: dict[str, Any] = {
        "status": status,
        "detail": response.words(detail_keys),
        "retry_after": retry_after(response.headers),
        "advice": advice.get(status),
    }
    if status >= 500:
        return context.unclear(Unreachable, f"the vendor's server failed{page}", **more)
    if status == 408:
        return context.unclear(Unreachable, "the vendor did not get the whole request in time", **more)
    if status == 407:
        return context.error(
            AuthFailed,
            "the proxy wants a login",
            **{**more, "advice": "Put login and password into the URL of the extra proxy."},
        )
    if (kind := _BY_STATUS.get(status)) is not None:
        return context.error(kind, _PROBLEMS.get(status, "the vendor refused the request") + page, **more)
    if status >= 400:
        # No vendor documents such a status as a page: it is of something in between, which may have passed the request
        # on.
        refused = context.unclear if response.is_page and status != 400 else context.error
        return refused(Rejected, f"the vendor calls the request wrong{page}", **more)
    if status >= 300:
        return _of_redirect(response, more)
    return context.unclear(BadResponse, "the vendor answered with an unexpected status", **more)


def _of_redirect(response: Response, more: Mapping[str, Any]) -> VendorError:
    status, context, location = response.status, response.context, response.headers.get("Location")
    where = f" to {_led_to(response.source, location)}" if location is not None else ""
    kind = Redirected if status in _ELSEWHERE and not context.safe else BadResponse
    advice = {"advice": more["advice"] or Redirected.default_advice} if status in _ELSEWHERE else {}
    return context.error(kind, f"the vendor redirects this request{where}, which is not followed", **{**more, **advice})


def _led_to(url: str, location: str) -> str:
    """Return the host that a redirect leads to; its path and query may hold what nobody may read."""
    try:
        return foreign_host(urljoin(url, location))
    except ValueError:
        return "something that is not a URL"


def refuse_page(response: Response) -> None:
    """Refuse an HTML page where something else was asked for; an error status is judged elsewhere.

    :raises BadResponse: it is one; :class:`Ambiguous` where the request may have changed something
    """
    if response.status < 300 and response.is_page:
        raise response.refused("is an HTML page, not what was asked for", advice=PAGE_ADVICE)


_PROBLEMS = {
    401: "the vendor does not accept the credentials",
    403: "the vendor forbids this to the user of the connection",
    404: "the vendor knows nothing under this path",
    410: "what was under this path is gone",
    425: "the vendor asks to send the request later",
    429: "too many requests",
}
