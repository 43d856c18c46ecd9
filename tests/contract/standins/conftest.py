"""FlexNet stand-ins, each with a user of it; and a vendor with one thing of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from include.standins import Clock
from include.standins.flexnet import FlexNetStandIn, FlexNetSwitches
from tests.contract.standins.client import Site
from tests.contract.standins.shelf import Shelf

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def site_with() -> Iterator[Callable[..., Site]]:
    """Start FlexNet stand-ins whose clock stands at noon of 2026-11-22, UTC."""
    started: list[FlexNetStandIn] = []

    def start(seed: int = 7, compress: bool = False, **switches: Any) -> Site:
        vendor = FlexNetStandIn(seed=seed, clock=Clock(NOON), switches=FlexNetSwitches(**switches), compress=compress)
        vendor.__enter__()
        started.append(vendor)
        return Site(vendor)

    yield start
    for vendor in started:
        vendor.__exit__(None, None, None)


@pytest.fixture
def site(site_with: Callable[..., Site]) -> Site:
    """A FlexNet stand-in with all switches at their defaults."""
    return site_with()


@pytest.fixture(scope="session")
def shared_site() -> Iterator[Site]:
    """One FlexNet stand-in for all tests that only read rows: no switch, no fault and no clock may be turned in it."""
    with FlexNetStandIn(clock=Clock(NOON)) as vendor:
        yield Site(vendor)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as vendor:
        yield vendor
