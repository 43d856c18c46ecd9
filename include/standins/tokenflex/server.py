"""The stand-in of Autodesk's Token Flex API, its OAuth server and its download host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from include.standins.routing import Route
from include.standins.tokenflex.asked import asked
from include.standins.tokenflex.contract_api import ContractApi
from include.standins.tokenflex.contracts import CONTRACTS, contract, own_names
from include.standins.tokenflex.download import Downloads
from include.standins.tokenflex.export_api import ExportApi
from include.standins.tokenflex.exports import Export
from include.standins.tokenflex.faulty import FAULTS
from include.standins.tokenflex.query_api import QueryApi
from include.standins.tokenflex.service import DOWNLOAD, Service
from include.standins.tokenflex.sign_in import SignIn
from include.standins.tokenflex.signing import SECRET_QUERY
from include.standins.tokenflex.switches import TokenFlexSwitches


class TokenFlexStandIn(Service):
    """Token Flex as Autodesk runs it; see :class:`TokenFlexSwitches` and :mod:`~include.standins.tokenflex.switches`.

    ``url`` is the root (``https://developer.api.autodesk.com`` in life); ``origin("download")`` the download host.
    Clients, people and contracts are :data:`~grants.CLIENTS`, :data:`~contracts.PEOPLE`, :data:`~contracts.CONTRACTS`.

    Effects in the ledger: ``export_created`` (key; contract, payload, downloadFileName, user, made),
    ``export_refused``, ``export_retried``, ``export_deleted``, ``url_refreshed``, ``file_read``, ``query_created``,
    ``export_elsewhere``, ``code_issued``, ``consent_denied``, ``token_issued``, ``token_refused``; tokens and codes as
    fingerprints.
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
    side_origins = (DOWNLOAD,)

    def routes(self) -> Sequence[Route]:
        """Return all operations of section 2 and 1.3, and the download host's."""
        self.downloads = Downloads(self)
        parts = (SignIn(self), ContractApi(self), ExportApi(self), QueryApi(self), self.downloads)
        return [route for part in parts for route in part.routes()]

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
        wanted, now = asked(body, own_names(), export=True), self.now()
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
