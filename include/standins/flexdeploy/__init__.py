"""A stand-in of FlexDeploy's REST API (v1, and v2 as far as it is public), from the vendor's reference alone.

Sign in as ``nightshift`` with the password ``standin-flexdeploy`` or the API token ``standin-flexdeploy-token`` in its
place; other people are in :data:`PEOPLE`. Projects and environments are in the module
:mod:`~include.standins.flexdeploy.planted`, with names for their ids::

    with FlexDeployStandIn(clock=Clock(NOON), switches=FlexDeploySwitches(approvals={"PROD": 1})) as vendor: …
    # POST …/rest/v1/project/10101/build, then poll vendor.clock.advance(1)                        # requests move by
    the stand-in's clock vendor.approve(request_id)                     # as a user: also reject, abort,
    cancel_schedule, run_schedule, commit, start_as_user vendor.runs_in("PROD")                         # what really
    runs there vendor.ledger.effects(kind="deploy_made")      # kinds: see FlexDeployStandIn
    vendor.faults.add(vendor_fault("run_fails"))   # see the module faulty
"""

from __future__ import annotations

from include.standins.flexdeploy.faulty import FAULTS, vendor_fault
from include.standins.flexdeploy.requests import FINAL, ExecutionState, Kind, State
from include.standins.flexdeploy.running import Live
from include.standins.flexdeploy.server import FlexDeployStandIn
from include.standins.flexdeploy.service import LOGIN, PASSWORD, PEOPLE, TOKEN
from include.standins.flexdeploy.switches import Changes, FlexDeploySwitches, Window

__all__ = [
    "FAULTS",
    "FINAL",
    "LOGIN",
    "PASSWORD",
    "PEOPLE",
    "TOKEN",
    "Changes",
    "ExecutionState",
    "FlexDeployStandIn",
    "FlexDeploySwitches",
    "Kind",
    "Live",
    "State",
    "Window",
    "vendor_fault",
]
