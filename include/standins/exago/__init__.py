"""A stand-in of Exago BI's REST web service, from the vendor's reference alone."""

from __future__ import annotations

from include.standins.exago.auth import signature
from include.standins.exago.server import ExagoStandIn
from include.standins.exago.switches import REST_KEY, USER_ID, ExagoSwitches, Version

__all__ = ["REST_KEY", "USER_ID", "ExagoStandIn", "ExagoSwitches", "Version", "signature"]
