"""The one HTTP client of all vendors: time-outs, safe repeats, pacing, typed errors, and credentials that stay at
home.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
from airflow.providers.http.hooks.http import HttpAsyncHook

from nightshift.errors import AuthFailed, BadResponse, VendorError
from nightshift.http import credentials as secret
from nightshift.http import faults
from nightshift.http.address import Address, Params
from nightshift.http.client_settings import ClientSettings, check_names, read_settings
from nightshift.http.connection_test import tested
from nightshift.http.health import ANSWERED, CallLog
from nightshift.http.redirects import OwnHeaders, check_target, follow
from nightshift.http.request import Request, RequestContext, prepared
from nightshift.http.response import Download, Response
from nightshift.http.timing import Backoff, Pacer, pacer_of, window_now
from nightshift.http.transport import Transport
from nightshift.known_secrets import remember
from nightshift.metrics import Metric, count, took
from nightshift.redaction import safe_url

T = TypeVar("T")

MAX_BYTES = 64 << 20
STREAMED = frozenset({200, 206})

_LINK_ADVICE: Mapping[int, str] = dict.fromkeys(
    (400, 401, 403, 404, 410),
    "The link has probably expired: ask the vendor for a new one. No credentials were sent to this host.",
)


class VendorHook(HttpAsyncHook):
    """Asynchronous client of one vendor; a vendor's room subclasses it.

    Use it as ``async with hook:``, from any number of coroutines at a time; the outermost block resolves the connection
    once and opens one pool of TCP connections.

    Extras of the connection, all optional: ``headers`` (object), ``verify`` or ``verify_ssl`` (true, false, path of a
    CA file), ``proxy`` or ``proxies``, ``timeout`` (seconds for one attempt, 120), ``connect_timeout`` (10),
    ``read_timeout`` (seconds of silence, 60), ``requests_per_minute``, ``max_connections`` (32), ``trust_env``. A
    vendor has further ones of its own. No other extra is ever sent; one that is mistyped is refused.

    :param conn_id: id of the Airflow connection; default: ``default_conn_name``. Also taken under the name in
        ``conn_name_attr``
    :param attempts: attempts of a request that may be repeated
    :param max_wait: seconds; a vendor that asks for a longer wait is not waited for on the worker, the error carries
        ``retry_after``
    :param rng: source of the jitter
    :param overrides: extras that count more than those of the connection
    """

    conn_name_attr = "vendor_conn_id"
    default_conn_name = "vendor_default"
    conn_type = "http"
    hook_name = "Vendor"

    vendor: ClassVar[str] = "Vendor"
    own_extras: ClassVar[frozenset[str]] = frozenset()
    """The extras that this vendor's connections have besides the shared ones."""
    advice: ClassVar[Mapping[int, str]] = {}
    detail_keys: ClassVar[tuple[str, ...]] = (
        "errorCode",
        "code",
        "Code",
        "error",
        "message",
        "Message",
        "errorMessage",
        "error_description",
        "detail",
        "detailedMessage",
        "reason",
        "developerMessage",
        "title",
    )

    def __init__(
        self,
        conn_id: str | None = None,
        *,
        attempts: int = 5,
        max_wait: float = 15.0,
        rng: random.Random | None = None,
        **overrides: Any,
    ) -> None:
        self.conn_id: str = overrides.pop(self.conn_name_attr, None) or conn_id or self.default_conn_name
        super().__init__(http_conn_id=self.conn_id)
        setattr(self, self.conn_name_attr, self.conn_id)
        self.backoff = Backoff(attempts, longest=max_wait, rng=rng)
        self._overrides = overrides
        self._extras: dict[str, Any] = {}
        self._users = 0
        self._gate = asyncio.Lock()
        self._transport: Transport | None = None
        self._pacer: Pacer | None = None
        self._has_turn = False
        self._calls = CallLog(self.conn_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(conn_id={self.conn_id!r})"

    async def __aenter__(self) -> Self:
        self._users += 1
        try:
            async with self._gate:
                if self._transport is None:
                    await self._open()
        except BaseException as error:
            self._users -= 1
            self._complete(error)
            if isinstance(error, VendorError):
                self._calls.broken(error)
                await self._calls.keep()
            raise
        return self

    async def __aexit__(self, *raised: object) -> None:
        error = next(iter(raised[1:2]), None)
        self._complete(error)
        self._users -= 1
        if self._users == 0 and self._transport is not None:
            transport, self._transport = self._transport, None
            self._gate = asyncio.Lock()
            await transport.close()
            if not isinstance(error, asyncio.CancelledError):
                await self._calls.keep()

    def _complete(self, error: object) -> None:
        """Name the connection in an error of this vendor that leaves the block, wherever in it it was raised."""
        if isinstance(error, VendorError) and error.vendor == self.vendor:
            error.complete(connection=self.conn_id)

    async def resolved(self) -> Any:
        """Return the Airflow connection."""
        from airflow.providers.common.compat.connection import get_async_connection

        return await get_async_connection(self.conn_id, hook=self)

    async def _open(self) -> None:
        connection = await self.resolved()
        self._extras = {**secret.extras_of(connection, vendor=self.vendor), **self._overrides}
        await secret.mask(secret.secrets_of(connection, self._extras))
        check_names(self._extras, self.own_extras, vendor=self.vendor)
        self.login: str | None = connection.login
        self.password: str | None = connection.password
        self.settings: ClientSettings = read_settings(self._extras, vendor=self.vendor)
        host = self.base_host((connection.host or "").strip())
        self.address = Address.of(host, connection.port, connection.schema, vendor=self.vendor)
        self.base_url = self.address.root
        self._pacer = pacer_of(self.conn_id, self.requests_per_minute)
        await self.opening()
        transport = Transport(self.settings)
        await transport.open(self.vendor)
        self._transport = transport

    async def opening(self) -> None:
        """Read what is the vendor's own of the connection; nothing was sent yet. For a subclass to override.

        :raises Rejected: it cannot be right
        """

    @property
    def requests_per_minute(self) -> float | None:
        """What is sent in a minute at most, ``None``: no limit of ours. Inside ``async with`` only."""
        return self.settings.requests_per_minute

    @property
    def asked_of(self) -> dict[str, Any]:
        """Who is asked, and as whom: another may have other rows. Inside ``async with`` only."""
        return {"root": self.base_url, "login": self.login}

    def extra(self, name: str, default: Any = None) -> Any:
        """Return an extra of the connection; an empty one counts as missing. Inside ``async with`` only."""
        value = self._extras.get(name)
        return default if value is None or value == "" else value

    def chosen(self, *extras: str, **given: Any) -> dict[str, Any]:
        """Return the parameters of a request that somebody chose: what is given, else what the connection says; a
        default is the request's own.

        :param extras: the parameters that a connection may say, under the same names
        :param given: parameters; ``None``: nobody said
        """
        configured = {name: self.extra(name) for name in extras}
        return {name: value for one in (configured, given) for name, value in one.items() if value is not None}

    def base_host(self, host: str) -> str:
        """Return the root for what the connection has as host; a vendor may complete a short form."""
        return host

    async def authorize(self) -> Mapping[str, str]:
        """Return the headers that authenticate a request; asked before every attempt. Default: Basic from login and
        password, nothing where both are empty.
        """
        return secret.basic(self.login, self.password) if self.login or self.password else {}

    def bearer(self, token: str) -> dict[str, str]:
        """Return the header of a bearer token.

        :raises Rejected: it is empty or has characters that no token has
        """
        return secret.bearer(token)

    async def keep_secret(self, text: str) -> None:
        """Keep a secret that came during the run, such as a token, out of every log line and error."""
        if remember(text):
            await secret.mask((text,))

    async def reauthorize(self, error: AuthFailed) -> bool:
        """Renew the credentials after a 401 and return whether the request is worth one repeat; asked once a
        request.
        """
        return False

    def diagnose(self, response: Response) -> VendorError | None:
        """Return the error that an answer really means where its status does not say it; ``None``: what the status
        says.

        Make it with ``response.context.error(kind, problem, status=response.status)``, or plainly: what is missing is
        filled in.
        """
        return None

    async def check(self) -> str:
        """Make the cheapest call that needs the credentials, and return one sentence of success; for the test
        button.
        """
        await self.request("GET", "/", accept="*/*")
        return f"{self.vendor} answers at {self.base_url}"

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        data: bytes | str | Params | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool | None = None,
        ok: Collection[int] = frozenset({200, 201, 202, 204}),
        max_bytes: int = MAX_BYTES,
        accept: str = "application/json",
        expect_json: bool | None = None,
        pages: bool | None = None,
        credentials: bool = True,
        check: Callable[[Response], object] | None = None,
    ) -> Response:
        """Send a request and return the whole answer.

        What changes nothing is repeated after connection errors, time-outs, broken answers (an HTML page, a page that
        ``check`` refuses), 429, 500, 502, 503 and 504; what changes something only where it was surely not taken.

        :param method: HTTP method
        :param path: path under the root of the connection, each foreign part through :func:`segment`; may have a query
        :param params: query, encoded here, once; ``None`` leaves one out
        :param json: body, sent as JSON
        :param data: body as it is, or names and values that are sent as a form
        :param safe: whether the request changes nothing; default: by the method
        :param ok: statuses that are no error
        :param max_bytes: largest body
        :param accept: media type that is asked for; an HTML page for anything else is an error, JSON that is called one
            is none
        :param expect_json: whether JSON or nothing is due; default: where ``accept`` says so
        :param pages: whether an HTML page may be the answer; default: where ``accept`` says so
        :param credentials: whether the credentials are sent
        :param check: looks at each answer; a :class:`~nightshift.errors.BadResponse` that it raises is a broken answer
        :raises VendorError: typed by what went wrong; :class:`~nightshift.errors.Ambiguous` where a change may have
            been accepted
        """
        if pages is None:
            pages = "html" in accept or ("*/*" in accept and not expect_json)
        url = self._root().url(path, params)
        request = prepared(
            method, url, json=json, data=data, headers=headers, accept=accept, safe=safe, credentials=credentials
        )

        async def once(context: RequestContext, authorization: Mapping[str, str]) -> Response:
            raw, url = await self._send(request, context, authorization)
            try:
                body = await self._live().read(raw, context, max_bytes)
            finally:
                raw.release()
            response = Response(raw.status, raw.headers, body, url, context)
            self._judge(response, ok, self.advice)
            if check is not None:
                _checked(check, response, pages=pages)
            elif not pages:
                faults.refuse_page(response)
            return response

        return await self._repeat(request, once)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url_or_path: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str = "*/*",
        credentials: bool | None = None,
    ) -> AsyncIterator[Download]:
        """Send a request and yield the answer with its body to be read as it comes, in flat memory and without a limit
        of time.

        An absolute URL of another host gets neither credentials nor the connection's headers. Opening is repeated like
        a request; a body that breaks off is an error of the iteration.

        :param url_or_path: a path under the root, or an absolute URL such as a signed link; its query is never shown
        :param credentials: whether the credentials are sent; default: to the vendor's own host only
        :raises BadResponse: credentials are wanted for another host, or https leads to http
        :raises VendorError: as :meth:`request`
        """
        address = self._root()
        own, url = address.target(url_or_path)
        credentials = own if credentials is None else credentials
        request = prepared(method, url, headers=headers, accept=accept, credentials=credentials, whole=False)
        check_target(request, self._context(request), address)
        advice = self.advice if own else _LINK_ADVICE
        pages = "html" in accept or "*/*" in accept

        async def once(
            context: RequestContext, authorization: Mapping[str, str]
        ) -> tuple[aiohttp.ClientResponse, str, RequestContext]:
            raw, final = await self._send(request, context, authorization)
            try:
                if raw.status not in STREAMED:
                    body = await self._live().read(raw, context, MAX_BYTES)
                    self._judge(
                        Response(raw.status, raw.headers, body, _without_query(final), context), STREAMED, advice
                    )
                if not pages:
                    faults.refuse_page(Response(raw.status, raw.headers, b"", _without_query(final), context))
            except BaseException:
                raw.close()
                raise
            return raw, final, context

        raw, final, context = await self._repeat(request, once)
        try:
            yield Download(raw.status, raw.headers, _without_query(final), self._live().chunks(raw, context))
        finally:
            raw.release()

    def same_origin(self, url: str) -> str:
        """Return the path and query under the root that a link of the vendor means, fit for :meth:`request`.

        :raises BadResponse: the link leads to another host, whose name is in the message
        """
        return self._root().local(url, vendor=self.vendor)

    def test_connection(self) -> tuple[bool, str]:
        """Run :meth:`check` and return whether it succeeded, with a sentence for the person at the connection form."""
        return tested(self)

    async def run(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: the base class would open a connection a request, without time-outs and typed errors."""
        raise NotImplementedError("use request() or stream() inside 'async with hook:'")  # Airflow's, see above

    def session(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: the hook itself is the session."""
        raise NotImplementedError("use request() or stream() inside 'async with hook:'")  # Airflow's, see above

    def _live(self) -> Transport:
        if self._transport is None:
            raise RuntimeError("the client is closed: use the hook inside 'async with hook:'")
        return self._transport

    def _root(self) -> Address:
        self._live()
        return self.address

    def _context(self, request: Request, attempt: int = 1) -> RequestContext:
        return RequestContext(
            self.vendor, request.method, urlsplit(request.url).path, attempt, request.safe, self.conn_id
        )

    async def ready(self) -> None:
        """Wait now for what the next request would wait for, its turn and its credentials, so that it leaves at once.

        :raises VendorError: as :meth:`authorize`
        """
        await self.authorize()
        if not self._has_turn:
            await self._turn()
            self._has_turn = self._pacer is not None

    async def _turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
        elif self._pacer is not None:
            await self._pacer.turn()

    async def _send(
        self, request: Request, context: RequestContext, authorization: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, str]:
        own = OwnHeaders(self.settings.headers, authorization)
        return await follow(self._live(), request, context, self.address, own, self._turn)

    async def _repeat(self, request: Request, once: Callable[[RequestContext, Mapping[str, str]], Awaitable[T]]) -> T:
        at_vendor = self.address.owns(request.url)
        try:
            found = await self._until_it_holds(request, once)
        except VendorError as error:
            self._calls.failed(error, at_vendor=at_vendor)
            raise
        if at_vendor:
            self._calls.good()
        return found

    async def _until_it_holds(
        self, request: Request, once: Callable[[RequestContext, Mapping[str, str]], Awaitable[T]]
    ) -> T:
        renewed = not request.credentials
        for attempt in itertools.count(1):
            authorization = await self._signing_in(self.authorize()) if request.credentials else {}
            context = self._context(request, attempt)
            try:
                return await once(context, authorization)
            except AuthFailed as error:
                if renewed or not await self._signing_in(self.reauthorize(error)):
                    raise
                renewed = True
            except VendorError as error:
                wait = self.backoff.wait(error, attempt, safe=request.safe)
                window = None if request.safe else window_now()
                if wait is None or (window is not None and wait >= window.left):
                    raise
                what = f"{error.method} {error.path}: {error.problem} ({error.status or 'no answer'})"
                next_one = f"attempt {attempt + 1} of {self.backoff.attempts} in {wait:.1f} s"
                self.log.warning("%s: %s; %s", self.vendor, what, next_one)
                count(Metric.HTTP_RETRIES, vendor=self.conn_type, error=type(error).__name__)
                took(Metric.HTTP_WAIT, wait, vendor=self.conn_type)
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def _signing_in(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except VendorError as error:
            self._calls.broken(error)
            raise

    def _judge(self, response: Response, ok: Collection[int], advice: Mapping[int, str]) -> None:
        if (meant := self.diagnose(response)) is not None:
            raise response.context.completed(meant, status=response.status)
        if response.status not in ok:
            error = faults.of_status(response, advice=advice, detail_keys=self.detail_keys)
            if isinstance(error, ANSWERED) and response.is_page:
                self._calls.broken(error)
            raise error


def _checked(check: Callable[[Response], object], response: Response, *, pages: bool) -> None:
    """Let an answer be looked at: one that passes is what was asked for, whatever the vendor calls it."""
    try:
        check(response)
    except BadResponse as broken:
        if not pages:
            faults.refuse_page(response)
        raise response.context.completed(broken, status=response.status) from None


def _without_query(url: str) -> str:
    """Return where a stream comes from; it may be a signed link, and which parameter signs it nobody knows."""
    return safe_url(url).partition("?")[0]
