"""A stand-in of Autodesk Token Flex: usage API, OAuth server and download host, from the vendor's reference alone.

Sign in as the client ``nightshift`` with the secret ``standin-tokenflex`` (three-legged: the consent page, or the
switch ``auto_allow``), as ``nightshift-service`` with ``standin-tokenflex-service`` (two-legged), as
``nightshift-public`` (PKCE, no secret), or send the fixed bearer token :data:`BEARER`. The active contract is
``110000917988``::

    with TokenFlexStandIn(switches=TokenFlexSwitches(processing_seconds=0.2, rate_limit=RateLimit.OFF)) as vendor:
        …                                                # vendor.url, vendor.download_host()
        vendor.ledger.effects(kind="export_created")     # key, payload, downloadFileName, who, when
        vendor.file_of(key)                              # the true bytes
        vendor.faults.add(vendor_fault("url_expired"))   # see the module faulty
"""

from __future__ import annotations

from include.standins.tokenflex.contracts import CONTRACTS, PEOPLE
from include.standins.tokenflex.faulty import FAULTS, vendor_fault
from include.standins.tokenflex.grants import BEARER, CLIENTS
from include.standins.tokenflex.server import TokenFlexStandIn
from include.standins.tokenflex.switches import RateLimit, TokenFlexSwitches

__all__ = [
    "BEARER",
    "CLIENTS",
    "CONTRACTS",
    "FAULTS",
    "PEOPLE",
    "RateLimit",
    "TokenFlexStandIn",
    "TokenFlexSwitches",
    "vendor_fault",
]
