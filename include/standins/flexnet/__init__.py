"""A stand-in of Revenera FlexNet Operations: the Data Access API, from the vendor's reference alone."""

from __future__ import annotations

from include.standins.flexnet.groups import GROUPS, KEYS
from include.standins.flexnet.server import FlexNetStandIn
from include.standins.flexnet.switches import LOGIN, PASSWORD, TOKEN, Drift, FlexNetSwitches

__all__ = ["GROUPS", "KEYS", "LOGIN", "PASSWORD", "TOKEN", "Drift", "FlexNetStandIn", "FlexNetSwitches"]
