"""The stand-in of Autodesk's Token Flex API, its OAuth server and its download host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from include.standins.routing import Handler, Refused, Request, Response, Route
from include.standins.server import StandIn
from include.standins.tokenflex.asked import asked
from include.standins.tokenflex.contract_api import ContractApi
from include.standins.tokenflex.contracts import CONTRACTS, PEOPLE, Contract, contract, own_names
from include.standins.tokenflex.download import ORIGIN, Downloads
from include.standins.tokenflex.export_api import ExportApi
from include.standins.tokenflex.exports import NO_CONTRACT, Export, Exports
from include.standins.tokenflex.faulty import FAULTS
from include.standins.tokenflex.gateway import GatewayCode, Quota, gateway_error, service_error
from include.standins.tokenflex.grants import BEARER, CLIENTS, READ, WRITE, Access, Grants
from include.standins.tokenflex.query_api import QueryApi
from include.standins.tokenflex.schedule_api import ScheduleApi
from include.standins.tokenflex.sign_in import SignIn
from include.standins.tokenflex.signing import SECRET_QUERY, Signer
from include.standins.tokenflex.switches import TokenFlexSwitches
from include.standins.tokenflex.usage import Usage


class TokenFlexStandIn(StandIn[TokenFlexSwitches]):
    """Token Flex as Autodesk runs it; see :class:`TokenFlexSwitches` and :mod:`~include.standins.tokenflex.switches`.

    ``url`` is the root (``https://developer.api.autodesk.com`` in life); ``origin("download")`` the download host. Clients,
    people and contracts are :data:`~grants.CLIENTS`, :data:`~contracts.PEOPLE`, :data:`~contracts.CONTRACTS`.

    Effects in the ledger: ``export_created`` (key; contract, payload, downloadFileName, user, made), ``export_refused``,
    ``export_retried``, ``export_deleted``, ``export_read``, ``url_refreshed``, ``file_read``, ``query_created``, ``schedule_created``,
    ``schedule_changed``, ``schedule_deleted``, ``export_elsewhere``, ``code_issued``, ``consent_denied``, ``token_issued``, ``token_refused``; tokens and codes as fingerprints.
    """

    name = "tokenflex"
    signs_in: ClassVar[Mapping[str, Any]] = {
        "login": "nightshift-service",
        "password": "standin-tokenflex-service",
        "extra": {"auth": "two_legged"},
    }
    switches_type = TokenFlexSwitches
    fault_kinds = FAULTS
    secret_query = SECRET_QUERY | {"code", "state", "code_challenge"}
    side_origins = (ORIGIN,)

    def __init__(self, **options: Any) -> None:
        self.grants = Grants()
        self.signer = Signer(options.get("seed", 7))
        self.exports = Exports(options.get("seed", 7), self.signer)
        self.usage = Usage(options.get("seed", 7))
        self.downloads = Downloads(self)
        self._quota = Quota()
        self._parts = (
            SignIn(self),
            ContractApi(self),
            ExportApi(self),
            QueryApi(self),
            ScheduleApi(self),
            self.downloads,
        )
        super().__init__(**options)

    def routes(self) -> Sequence[Route]:
        """Return all operations of section 2 and 1.3, and the download host's."""
        return [route for part in self._parts for route in part.routes()]

    def error(self, status: int, text: str) -> Response:
        """Return an error of the service."""
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
        return self.origin(ORIGIN)

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
            shown = wait if turned.rate_retry_after and (not ordered or ordered.retry_after) else None
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

    # For tests.

    def add_from_ui(self, body: dict[str, Any], *, schedule: str = "") -> Export:
        """Let a person make an export in the vendor's UI, or a schedule: it is in the list of the contract ``null``.

        :param body: as for the API
        """
        wanted = asked(body, self.switches, own_names(), export=True)
        with self.locked():
            return self.exports.add(
                wanted, user=self.switches.signed_in, contract=CONTRACTS[0], now=self.now(), switches=self.switches,
                shelf=NO_CONTRACT, schedule=schedule,
            )  # fmt: skip

    def add_from_elsewhere(
        self, body: dict[str, Any], *, contract_number: str = CONTRACTS[0].number, schedule: str = ""
    ) -> Export:
        """Let another program of the same company ask for an export: it is in the list of its contract like ours.

        :param body: as for the API
        :param schedule: id of a schedule that made it
        """
        found = contract(contract_number)
        if found is None:
            raise KeyError(contract_number)
        wanted, now = asked(body, self.switches, own_names(), export=True), self.now()
        with self.locked():
            made = self.exports.add(
                wanted, user=self.switches.signed_in, contract=found, now=now, switches=self.switches, schedule=schedule
            )
        self.ledger.effect(
            "export_elsewhere", made.key, {"downloadFileName": wanted.file_name, "contract": found.number}
        )
        return made

    def live_exports(self) -> dict[str, str]:
        """Return key and file name of the exports that are there, whoever made them."""
        with self.locked():
            return {export.key: export.asked.file_name for export in self.exports.all()}

    def file_of(self, key: str) -> bytes:
        """Return the whole file of an export, for comparison with what a client brought home.

        :raises KeyError: no such export
        """
        export = next((one for one in self.exports.all() if one.key == key), None)
        if export is None:
            raise KeyError(key)
        return b"".join((export.file or self.downloads.make(export)).read())
