from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include.standins.flexdeploy import FlexDeployStandIn, FlexDeploySwitches
from tests.unit.promotion.play import Play, config
from tests.unit.promotion.shelf import Shelf

QUICK_SITE = {"ready_seconds": 0.01, "build_seconds": 0.02, "deploy_seconds": 0.02, "utility_seconds": 0.02}


@pytest.fixture
def vendor() -> Iterator[FlexDeployStandIn]:
    with FlexDeployStandIn(switches=FlexDeploySwitches(**QUICK_SITE)) as vendor:
        yield vendor


@pytest.fixture
def play_of(tmp_path: Path, vendor: FlexDeployStandIn, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Play]:
    """Set the stage for an application with these settings."""
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))

    def of(*stages: dict[str, Any], **more: Any) -> Play:
        return Play(tmp_path / "lake", vendor, config(*stages, **more))

    return of


@pytest.fixture
def play(play_of: Callable[..., Play]) -> Play:
    return play_of()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)
