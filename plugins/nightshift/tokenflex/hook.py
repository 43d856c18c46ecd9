"""The Token Flex Usage Data API: contracts, usage, ad-hoc queries, exports (Token Flex reference, section 2)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Literal, TypeVar, get_args

import msgspec

from nightshift.errors import (
    AuthFailed,
    BadResponse,
    Forbidden,
    JobFailed,
    JobTimedOut,
    NotFound,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.http.address import segment
from nightshift.http.hook import VendorHook
from nightshift.http.response import Response
from nightshift.tokenflex.request import UsageRequest
from nightshift.tokenflex.responses import (
    DETAIL_KEYS,
    QUERY_FAILED,
    Export,
    QueryPage,
    QueryResponse,
    QueryState,
    listed_exports,
    meaning_of,
    moment_of_key,
)
from nightshift.tokenflex.source import TOKENFLEX
from nightshift.tokenflex.vocabulary import VENDOR

ROOT = "/tokenflex/v1"
REQUESTS_PER_MINUTE = 5.0
"""What the vendor allows one user, all programs together."""
ELSEWHERE = "null"
"""In place of a contract number: exports made in the vendor's UI or by a schedule."""
MAX_QUERY_ROWS = 1000
NO_CONTENT = 204
_NONE_THERE = re.compile(r"(?i)\bdo(es)? not exist\b|\bno (such )?(export )?requests?\b|\bnot found\b")
_INVALID = re.compile(r"(?i)invalid")

T = TypeVar("T")
Rows = list[dict[str, Any]]
ValueField = Literal["productName", "userName", "machineName", "licenseServerName"]


class TokenFlexHook(VendorHook):
    """Asynchronous client of the Token Flex API; use as ``async with TokenFlexHook() as hook``.

    The connection: host ``https://developer.api.autodesk.com``; login and password are the client id and secret of the
    app; the extra ``auth`` says how to sign in (``three_legged``, ``two_legged``, ``bearer`` with the extra ``token``).
    The signed-in user must be a Token Flex admin. Of ``requests_per_minute`` the vendor's own 5 is the default. Other
    extras: those of :class:`nightshift.http.hook.VendorHook`.

    :param tokenflex_conn_id: id of the Airflow connection
    """

    conn_name_attr = "tokenflex_conn_id"
    default_conn_name = TOKENFLEX.default_connection
    conn_type = TOKENFLEX.type
    hook_name = TOKENFLEX.name
    vendor = VENDOR
    detail_keys = DETAIL_KEYS
    own_extras = TOKENFLEX.extras
    advice: ClassVar[dict[int, str]] = {
        400: "Token Flex calls the request wrong: check contract, fields, metrics, category and where of this export.",
        401: "Token Flex does not accept the access token: look at Admin, Token Flex sign-in, and at the DAG "
        "tokenflex_token; then clear the task.",
        403: "The signed-in user must be a Token Flex admin of this contract (contract manager, software coordinator, "
        "primary or secondary admin), and the client id entitled to the API.",
        404: "There is no such contract, export or query; the contracts that this user sees: contracts().",
    }

    grant_of = ""
    """Id of the saved connection whose grant the Test button uses; empty: this one's own."""

    @property
    def requests_per_minute(self) -> float:
        """What is sent in a minute at most; inside ``async with`` only."""
        return self.settings.requests_per_minute or REQUESTS_PER_MINUTE

    async def authorize(self) -> Mapping[str, str]:
        """Sign the request in, by the extra ``auth``."""
        from nightshift.tokenflex.auth import authorization

        return await authorization(self)

    async def reauthorize(self, error: AuthFailed) -> bool:
        """Look for a newer access token after a 401."""
        from nightshift.tokenflex.auth import renewed

        return await renewed(self, error)

    async def request(self, method: str, path: str, **more: Any) -> Response:
        """Send a request as :meth:`VendorHook.request` does; one that is forbidden was not taken, and is sent once more
        where a person has granted access anew.
        """
        from nightshift.tokenflex.auth import granted_anew

        try:
            return await super().request(method, path, **more)
        except Forbidden:
            if not await granted_anew(self):
                raise
        return await super().request(method, path, **more)

    def diagnose(self, response: Response) -> VendorError | None:
        """Read the gateway's error codes, and give a 429 without Retry-After a time."""
        return meaning_of(response)

    async def check(self) -> str:
        """Ask for the contracts: the cheapest call that needs the sign-in and the role."""
        from nightshift.tokenflex.consent.store import saved_twin

        self.grant_of = await saved_twin(self)
        signed_in = "Signed in to Token Flex" + (f" with the grant of {self.grant_of!r}" if self.grant_of else "")
        found = [contract for contract in await self.contracts() if isinstance(contract, dict)]
        if not found:
            return (
                f"{signed_in}, but this user sees no contract: that is often a missing role. The user must be "
                "contract manager, software coordinator, primary or secondary admin."
            )
        names = ", ".join(f"{one.get('contractNumber')} ({one.get('contractName') or 'no name'})" for one in found[:20])
        return f"{signed_in}; this user sees {len(found)} contract{'s'[: len(found) - 1]}: {names}"

    async def contracts(self) -> Rows:
        """Return the contracts that the user sees, running and expired, as the vendor gives them."""
        return await self._list(f"{ROOT}/contract", Rows)

    async def contract(self, contract: str) -> dict[str, Any]:
        """Return one contract with its years, as the vendor gives it; its token numbers are snapshots."""
        return await self._json("GET", _path("contract", contract), dict[str, Any])

    async def enrichment(self, contract: str) -> Any:
        """Return the names of the customer's own ten categories; they may be empty, and may repeat."""
        return await self._plain("GET", _path("contract", contract, "enrichment"))

    async def enrichment_values(self, contract: str, category: str) -> Any:
        """Return the values of one of the customer's own categories.

        :param category: its name, or ``customField1`` to ``customField10``
        """
        return await self._plain("GET", _path("contract", contract, "enrichment", category))

    async def field_values(self, contract: str, field: ValueField, *, category: str | None = None) -> Any:
        """Return the values of a field.

        :param field: one of the four that the vendor lists values of
        :param category: usage category
        """
        if field not in (valid := get_args(ValueField)):
            raise Rejected(f"field is {field!r}; the vendor lists the values of {', '.join(valid)}", vendor=VENDOR)
        return await self._plain("GET", _path("contract", contract, field), params={"usageCategory": category})

    async def usage_last(self, contract: str) -> Rows:
        """Return the last usage and processing date of each category; those without usage are left out."""
        return await self._list(_path("usage", contract, "last"), Rows)

    async def start_query(self, contract: str, request: UsageRequest) -> QueryPage:
        """Start an ad-hoc query, or get a cached one, which may be done at once. It changes nothing but the cache.

        :raises Rejected: a rule is broken; session-level usage cannot be queried
        """
        request.check_query()
        path = _path("usage", contract, "query")
        return (await self._json("POST", path, QueryResponse, json=request.body(), safe=True)).page()

    async def query_page(self, contract: str, query_id: str, *, offset: int = 0, limit: int = 100) -> QueryPage:
        """Ask how a query stands, and for a page of its result once it is done.

        :param offset: rows to leave out
        :param limit: rows a page; the vendor's largest is not known
        """
        params = {"offset": offset, "limit": limit}
        return (
            await self._json("GET", _path("usage", contract, "query", query_id), QueryResponse, params=params)
        ).page()

    async def query(
        self,
        contract: str,
        request: UsageRequest,
        *,
        limit: int = MAX_QUERY_ROWS,
        deadline: float = 900.0,
        pause: float = 12.0,
    ) -> AsyncIterator[QueryPage]:
        """Run an ad-hoc query and walk the pages of its result, each with its column names.

        The vendor ends a query after 5 minutes and keeps a result for 5; an export has no such limit.

        :param limit: rows a page
        :param deadline: seconds until the result has to be there
        :param pause: seconds between polls
        :raises JobFailed: it ended as FAILED, TIMEOUT or EXPIRED, or its pages end before all rows have come
        :raises JobTimedOut: it was not done in time
        """
        page = await self.start_query(contract, request)
        query_id, until = page.id, time.monotonic() + deadline
        while page.state is not QueryState.DONE or page.total is None:
            if page.state in QUERY_FAILED:
                raise _ended(page)
            if page.state is not QueryState.DONE:
                if time.monotonic() >= until:
                    raise JobTimedOut(
                        f"query {query_id} ({page.status}) was not done in {deadline:.0f} s", vendor=VENDOR
                    )
                await asyncio.sleep(pause)
            page = await self.query_page(contract, query_id, limit=limit)
            if page.state is QueryState.DONE and page.total is None:
                raise JobFailed(f"query {query_id} is done but has no result", state=page.status, vendor=VENDOR)
        total = 0
        while True:
            yield page
            reached, total = page.offset + len(page.rows), max(total, page.total or 0)
            if reached >= total:
                return
            if not page.rows:
                raise JobFailed(
                    f"query {query_id} gave no rows from {reached} on, of {total}", state=page.status, vendor=VENDOR
                )
            page = await self.query_page(contract, query_id, offset=reached, limit=limit)
            if page.state in QUERY_FAILED:
                raise _ended(page)
            if page.offset != reached:
                raise JobFailed(
                    f"query {query_id} gave the rows from {page.offset} on, not from {reached}",
                    state=page.status,
                    vendor=VENDOR,
                )

    async def create_export(self, contract: str, request: UsageRequest) -> Export:
        """Ask for an export, once; it is never repeated on a guess.

        :raises Rejected: a rule is broken; nothing was sent
        :raises RateLimited: too many requests, or 50 exports are pending; it was not taken
        :raises Ambiguous: it may or may not have been taken; look for its file name in :meth:`exports`
        """
        return await self._json("POST", _path("export", contract, "requests"), Export, json=request.body())

    async def exports(self, contract: str, from_date: date, to_date: date) -> list[Export]:
        """Return the exports that were asked for in a span of days, in one call; see :func:`listed_exports`.

        :param contract: contract number, or :data:`ELSEWHERE` for those made in the vendor's UI or by a schedule
        :param from_date: first day, in UTC
        :param to_date: the day after the last one
        """
        # As times, like those of the vendor's own page: whether a bare day is taken is not known.
        params = {"fromDate": f"{from_date}T00:00:00Z", "toDate": f"{to_date}T00:00:00Z"}
        return listed_exports(await self._list(_path("export", contract, "requests"), list[Any], params=params))

    async def exports_about(self, contract: str, moments: Sequence[float]) -> list[Export]:
        """Return the exports that were asked for about some moments, seconds since the epoch, in one call.

        A 400 also covers that nothing exists (reference, section 2): that is a list without exports where its words say
        so, and only so.

        :raises Unreachable: also where the list itself is not found or refused: that says nothing of an export
        """
        # A day wider on either side: clocks differ, and the vendor's day may be another.
        first, last = (datetime.fromtimestamp(at, UTC).date() for at in (min(moments), max(moments)))
        try:
            return await self.exports(contract, first - timedelta(days=1), last + timedelta(days=2))
        except (NotFound, Rejected) as error:
            if error.status == 400 and _NONE_THERE.search(error.detail) and not _INVALID.search(error.detail):
                return []
            what = "not found" if isinstance(error, NotFound) else "refused"
            raise error.as_type(
                Unreachable,
                problem=f"the list of exports was {what}, which says nothing of any export: {error.problem}",
                advice="Nothing is concluded from it. If it lasts, ask for the same path by hand, with fromDate and "
                "toDate; check the host of the Airflow connection, and the contract.",
            ) from None

    async def export(self, contract: str, request_key: str) -> Export:
        """Return one export, with its signed link when it is ready.

        :raises NotFound: there is no such export; the vendor answers 400, which is read like 404
        :raises BadResponse: another export came
        """
        return _of_key(await self._by_key("GET", contract, request_key), request_key)

    async def delete_export(self, contract: str, request_key: str) -> None:
        """Delete an export and its file at the vendor.

        Whatever is wrong with the request is answered like a key that is not known (reference, section 5.1), so that an
        export is gone is believed only where neither its key nor the list shows it.

        :raises NotFound: there is no such export (any more)
        :raises Rejected: it is still there; with the vendor's words
        :raises BadResponse: the answer is not the 204 of the reference, and the export is still there; or its key and
            the list contradict each other
        """
        try:
            response = await self._by_key("DELETE", contract, request_key)
        except NotFound as refusal:
            if (kind := await self._still_there(contract, request_key)) is None:
                raise
            raise refusal.as_type(
                kind,
                problem="the export was not deleted, it is still there",
                advice="What was fetched of it is not touched. Read the vendor's answer, then clear this task, or "
                "delete the export in Autodesk's own pages.",
            ) from None
        if response.status == NO_CONTENT:
            return
        with suppress(NotFound):
            await self.export(contract, request_key)
            raise response.refused("tells of a success, and the export is still there")

    async def retry_export(self, contract: str, request_key: str) -> None:
        """Have the vendor try a failed export again; without effect unless its state is ``Error``."""
        await self._by_key("POST", contract, request_key, "/retry")

    async def refresh_url(self, contract: str, request_key: str) -> Export:
        """Have the vendor sign a new link, and return the export with it.

        :raises BadResponse: another export came
        """
        return _of_key(await self._by_key("POST", contract, request_key, "/refreshUrl"), request_key)

    async def _still_there(self, contract: str, key: str) -> type[VendorError] | None:
        """Look for an export whose deletion was refused, and return what error that is; ``None``: it is gone."""
        with suppress(NotFound):
            await self.export(contract, key)
            return Rejected
        at = moment_of_key(key)
        listed = [] if at is None else await self.exports_about(contract, [at])
        return BadResponse if any(one.request_key == key for one in listed) else None

    async def _by_key(self, method: str, contract: str, key: str, suffix: str = "") -> Response:
        # Each of these ends in the same state however often it is sent, so a lost answer is asked for again.
        path = _path("export", contract, "requests", key) + suffix
        try:
            # A deletion is answered with nothing: a page with a success of its own is a proxy's.
            accept = "*/*" if method == "DELETE" else "application/json"
            return await self.request(method, path, safe=True, accept=accept, expect_json=True)
        except Rejected as error:
            if error.status != 400:
                raise
            raise error.as_type(
                NotFound,
                problem="there is no such export, or it may not be asked for so",
                advice="If it was deleted, clear the task that requests the export, with all that follow: a new one is "
                "made.",
            ) from None

    async def _list(self, path: str, kind: type[T], **more: Any) -> T:
        """Return a list; one without content is empty (reference, section 2: 200 or 204)."""
        response = await self.request("GET", path, **more)
        return msgspec.convert([], kind) if response.status == NO_CONTENT else response.json(kind)

    async def _json(self, method: str, path: str, kind: type[T], **more: Any) -> T:
        return (await self.request(method, path, **more)).json(kind)

    async def _plain(self, method: str, path: str, **more: Any) -> Any:
        response = await self.request(method, path, **more)
        return response.json() if response.body.strip() else None


def _path(*parts: str) -> str:
    """Return a path of the API with every part encoded, exactly once; keys have ``:`` and ``#`` in them."""
    return "/".join([ROOT, *map(segment, parts)])


def _of_key(response: Response, key: str) -> Export:
    """Return the export that an answer shows, where it is the one that was asked for."""
    export = response.json(Export)
    if export.request_key != key:
        raise response.refused(f"shows another export than was asked for: {export.request_key}, not {key}")
    return export


def _ended(page: QueryPage) -> JobFailed:
    advice = {
        QueryState.EXPIRED: "The vendor keeps a result for 5 minutes: run the query again, with larger pages.",
        QueryState.TIMEOUT: "The vendor ends a query after 5 minutes: narrow it, or ask for an export.",
    }.get(page.state, "Narrow the query, or ask for an export.")
    return JobFailed(f"query {page.id} ended as {page.status}", state=page.status, vendor=VENDOR, advice=advice)
