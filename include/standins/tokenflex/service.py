"""What every operation of the stand-in needs: who calls and what that one may, rate limits, contracts, bodies."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from include.standins.routing import Handler, Refused, Request, Response
from include.standins.server import StandIn
from include.standins.tokenflex.contracts import PEOPLE, Contract, contract
from include.standins.tokenflex.exports import Exports
from include.standins.tokenflex.gateway import GatewayCode, Quota, gateway_error, service_error
from include.standins.tokenflex.grants import BEARER, CLIENTS, READ, WRITE, Access, Grants
from include.standins.tokenflex.signing import Signer
from include.standins.tokenflex.switches import TokenFlexSwitches
from include.standins.tokenflex.usage import Usage

DOWNLOAD = "download"
"""The origin of the download host."""


class Service(StandIn[TokenFlexSwitches]):
    """A Token Flex without its operations."""

    def __init__(self, **options: Any) -> None:
        self.grants = Grants()
        self.signer = Signer(options.get("seed", 7))
        self.exports = Exports(options.get("seed", 7), self.signer)
        self.usage = Usage(options.get("seed", 7))
        self._quota = Quota()
        super().__init__(**options)

    def error(self, status: int, text: str) -> Response:
        return service_error(status, text)

    def page_of(self, request: Request) -> int | None:
        """Return the page of a query's result, counted from 1."""
        offset, limit = request.query.get("offset", "0"), request.query.get("limit", "100")
        known = offset.isdecimal() and limit.isdecimal() and int(limit) > 0
        return int(offset) // int(limit) + 1 if known and "/query/" in request.path else None

    def now(self) -> datetime:
        """Return the vendor's time, with its skew."""
        return self.clock.now() + timedelta(seconds=self.switches.clock_skew)

    def download_host(self) -> str:
        """Return scheme, host and port of the download host."""
        return self.origin(DOWNLOAD)

    # Who calls, and what that one may.

    def authenticate(self, request: Request) -> str:
        """Return the person behind a bearer token, or the client where no person is.

        :raises Refused: 401 without a token that is valid, 403 for a client that is not entitled
        """
        if request.fault("access_ends"):
            self.grants.end_access()
            raise self._gateway(401, GatewayCode.BAD_TOKEN, "The access token is not valid or has expired.")
        access = self._access(request)
        if not access.client.entitled:
            raise self._gateway(
                403, GatewayCode.NOT_ENTITLED, "The client_id specified does not have access to the api product"
            )
        return access.person or f"client:{access.client.id}"

    def _access(self, request: Request) -> Access:
        header = request.headers.get("Authorization")
        if header is None:
            raise self._gateway(401, GatewayCode.NO_HEADER, "Authorization header missing")
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer" and value == BEARER and self.switches.bearer_accepted:
            return Access(CLIENTS[0], self.switches.signed_in, frozenset({READ, WRITE}), 0, 0.0)
        access = self.grants.access(value, self.now().timestamp()) if scheme.lower() == "bearer" else None
        if access is None:
            raise self._gateway(401, GatewayCode.BAD_TOKEN, "The access token is not valid or has expired.")
        return access

    def needs(self, scope: str, handler: Handler) -> Handler:
        """Return a handler that is called with a token of that scope, and within the rate limit, alone."""

        async def guarded(request: Request) -> Response:
            if scope not in self._access(request).scopes:
                raise self._gateway(
                    403, GatewayCode.NO_PRIVILEGE, "The token does not have the privilege for this request."
                )
            self._within_rate(request)
            response = await handler(request)
            fault = request.fault("error_after")
            return service_error(fault.status, "unknown server error") if fault else response

        return guarded

    def _within_rate(self, request: Request) -> None:
        turned, ordered = self.switches, request.fault("rate_limited")
        wait = self._quota.wait(
            request.user or "", self.now().timestamp(), turned.rate_limit, turned.per_minute, turned.burst
        )
        if ordered:
            wait = int(ordered.retry_after or 1)
        if wait:
            shown = wait if not ordered or ordered.retry_after else None
            raise self._gateway(429, GatewayCode.RATE, "Quota limit exceeded.", shown)

    def _gateway(self, status: int, code: GatewayCode, text: str, retry_after: int | None = None) -> Refused:
        return Refused(gateway_error(status, code, text, self.switches.gateway_body, retry_after))

    def admin_of(self, request: Request) -> None:
        """Check that the caller has the admin role.

        :raises Refused: 403
        """
        if not self.is_admin(request):
            raise Refused(service_error(403, "the user has no access to the contract"))

    def is_admin(self, request: Request) -> bool:
        """Tell whether the caller is a Token Flex admin; others see no contract."""
        return any(person.admin for person in PEOPLE if person.name == request.user)

    def contract_of(self, request: Request) -> Contract:
        """Return the contract of the path.

        :raises Refused: the caller has no admin role, or there is no such contract
        """
        self.admin_of(request)
        found = contract(request.parts["contract"])
        if found is None:
            raise Refused(
                service_error(self.switches.unknown_contract_status, "no access to the contract, or it does not exist")
            )
        return found

    def listed(self, found: list[Any]) -> Response:
        """Return a list; of nothing as the switch ``empty_status`` says."""
        status = self.switches.empty_status
        if found or status == 200:
            return Response.json(200, found)
        return (
            Response(204, content_type="")
            if status == 204
            else service_error(status, "the requested item does not exist")
        )

    def json_body(self, request: Request) -> Any:
        """Return the body.

        :raises Refused: 400, it is not said to be JSON or is not
        """
        if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(service_error(400, "Content-Type has to be application/json"))
        try:
            return msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            raise Refused(service_error(400, "the body is not JSON")) from None
