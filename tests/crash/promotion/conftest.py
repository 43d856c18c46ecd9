from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from include.standins.flexdeploy import FlexDeployStandIn, FlexDeploySwitches, Kind
from include.standins.flexdeploy.planted import DEV, PORTAL
from include.standins.flexdeploy.site import Code
from nightshift.promotion.record import Version
from tests.crash.promotion.night import MARK
from tests.crash.workers import until

QUICK: dict[str, Any] = {"ready_seconds": 0.0, "build_seconds": 0.02, "deploy_seconds": 0.02, "utility_seconds": 0.02}


@pytest.fixture(scope="module")
def site() -> Iterator[FlexDeployStandIn]:
    """One FlexDeploy for all tests of a module; a FlexField for marks, and versions that were built ahead."""
    with FlexDeployStandIn(switches=FlexDeploySwitches(**QUICK)) as vendor:
        vendor.site.workflows[:] = [
            replace(flow, flex_fields=(*flow.flex_fields, Code(MARK))) for flow in vendor.site.workflows
        ]
        yield vendor


@pytest.fixture
def vendor(site: FlexDeployStandIn) -> Iterator[FlexDeployStandIn]:
    site.faults.clear()
    site.turn(**QUICK, approvals={}, windows={}, approve_after=None, visible_after=0.0)
    yield site
    site.faults.clear()


@pytest.fixture
def version(vendor: FlexDeployStandIn) -> Version:
    """A version that was just built."""
    (request,) = vendor.start_as_user(Kind.BUILD, PORTAL, environmentId=DEV, streamId=PORTAL + 400, forceBuild=True)
    until(lambda: vendor.state(request) == "COMPLETED")
    newest = vendor.newest_version(PORTAL)
    return Version(id=newest.id, name=newest.name)
