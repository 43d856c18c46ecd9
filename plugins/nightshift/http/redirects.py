"""Redirects, followed by hand: credentials never leave the vendor's own host, https never becomes http, and what was
asked for stays asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp
from msgspec import Struct
from msgspec.structs import replace
from multidict import CIMultiDict

from nightshift.errors import BadResponse, Redirected
from nightshift.http.address import Address, foreign_host
from nightshift.http.request import Request, RequestContext
from nightshift.http.transport import Transport

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5

_LOOP_ADVICE = (
    "Following it would never end. Such an answer mostly wants a cookie, which programs do not keep: ask whoever runs "
    "the proxy or the balancer before the vendor to let programs through without it."
)

ANYWHERE = frozenset({"accept", "accept-encoding", "accept-language", "range", "if-range"})
"""Headers of a request that may follow a redirect to another host."""
_STAYS_HOME = frozenset({"authorization", "cookie"})


class OwnHeaders(Struct, frozen=True):
    """What only the vendor's own scheme, host and port may see.

    :param standing: headers of the connection
    :param authorization: headers with the credentials
    """

    standing: Mapping[str, str]
    authorization: Mapping[str, str]

    def __repr__(self) -> str:
        return "OwnHeaders()"

    def for_hop(self, request: Request, url: str, *, at_vendor: bool, from_vendor: bool) -> Mapping[str, str]:
        """Return the headers of one hop, made anew for where it goes.

        :param at_vendor: whether the hop goes to the vendor's own scheme, host and port
        :param from_vendor: whether the request does
        """
        if not at_vendor and _origin(url) == _origin(request.url):
            return request.headers
        if not (at_vendor and from_vendor):
            return CIMultiDict({name: text for name, text in request.headers.items() if name.lower() in ANYWHERE})
        kept = {
            name: text for name, text in self.standing.items() if request.credentials or name.lower() not in _STAYS_HOME
        }
        sent: CIMultiDict[str] = CIMultiDict(kept)
        sent.update(request.headers)
        sent.update(self.authorization if request.credentials else {})
        return sent


async def follow(
    transport: Transport,
    request: Request,
    context: RequestContext,
    address: Address,
    own: OwnHeaders,
    turn: Callable[[], Awaitable[None]],
) -> tuple[aiohttp.ClientResponse, str]:
    """Send a request, follow its redirects, and return the answer with the URL that it came from.

    Only GET and HEAD are followed, at most five times, within the vendor's scheme, host and port, and with the
    request's whole query; a download may lose it, and without credentials go to other hosts.

    :param own: headers of the connection and its credentials; sent to the vendor's own host only
    :raises BadResponse: a redirect that is not followed, or too many
    """
    url, from_vendor = request.url, address.owns(request.url)
    for hop in range(MAX_REDIRECTS + 1):
        at_vendor = address.owns(url) if hop else from_vendor
        headers = own.for_hop(request, url, at_vendor=at_vendor, from_vendor=from_vendor)
        if at_vendor:
            await turn()
        raw = await transport.send(replace(request, url=url, headers=headers), context)
        location = raw.headers.get("Location")
        if raw.status not in REDIRECTS or location is None or request.method not in ("GET", "HEAD"):
            return raw, url
        raw.release()
        before, url = url, _target(url, location, request, context, address, raw.status)
    is_loop = before == url
    raise context.error(
        BadResponse,
        f"more than {MAX_REDIRECTS} redirects{', the last one to where it came from' if is_loop else ''}",
        status=raw.status,
        advice=_LOOP_ADVICE if is_loop else Redirected.default_advice,
    )


def check_target(request: Request, context: RequestContext, address: Address) -> None:
    """Refuse a request that would take credentials to another host, or a secured connection into the clear.

    :raises BadResponse: naming the host, not the path or query
    """
    url, scheme = request.url, _scheme(request.url)
    if scheme not in ("http", "https"):
        _refuse(context, f"a link leads to {foreign_host(url)}")
    if address.scheme == "https" and scheme == "http":
        _refuse(context, f"a link leads from https to {foreign_host(url)}")
    if request.credentials and not address.owns(url):
        _refuse(context, f"credentials are wanted for {foreign_host(url)}, which is not {address.origin}")


def _target(url: str, location: str, request: Request, context: RequestContext, address: Address, status: int) -> str:
    try:
        # Some servers decode the path on its way into a Location: a blank stays what was asked for, as browsers have it.
        target = urljoin(url, location).partition("#")[0].replace(" ", "%20")
    except ValueError:
        _refuse(context, "a redirect leads to something that is not a URL", status)
    where, scheme = foreign_host(target), _scheme(target)
    if _scheme(url) == "https" and scheme != "https":
        _refuse(context, f"a redirect leads from https to {where}", status)
    if scheme not in ("http", "https"):
        _refuse(context, f"a redirect leads to {where}", status)
    if not address.owns(target) and (request.credentials or request.whole):
        _refuse(context, f"a redirect leads to {where}, not to {address.origin}", status)
    if request.whole and (lost := _lost(request.url, target)):
        _refuse(context, f"a redirect leaves out what the request asks for: {lost}", status)
    return target


def _lost(url: str, target: str) -> str:
    """Return the names of what a redirect leaves out of a request's query, or changes there; empty: nothing.

    A value may be a secret, and a part without one as a whole: neither is told.
    """
    asked, kept = (Counter(parse_qsl(urlsplit(one).query, keep_blank_values=True)) for one in (url, target))
    return ", ".join(dict.fromkeys(name if value else "a part without a value" for name, value in asked - kept))


def _scheme(url: str) -> str:
    """Return the scheme of a URL; empty where it is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme if parts.hostname and parts.port != 0 else ""
    except ValueError:
        return ""


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _refuse(context: RequestContext, problem: str, status: int | None = None) -> NoReturn:
    raise context.error(BadResponse, problem, status=status, advice=Redirected.default_advice)
