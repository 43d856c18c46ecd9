"""What was deployed, as it answers itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from include.standins.clock import Clock
from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn
from include.standins.flexdeploy.planted import PORTAL

VERSION = 20000 + PORTAL


@pytest.fixture
def vendor() -> Iterator[FlexDeployStandIn]:
    with FlexDeployStandIn(clock=Clock(datetime(2026, 11, 28, 12, tzinfo=UTC))) as vendor:
        yield vendor


def health(vendor: FlexDeployStandIn, code: str = "DEV", project: int = PORTAL, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(f"{vendor.url}/apps/{code}/{project}/health", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_it_says_which_version_runs_where(vendor: FlexDeployStandIn) -> None:
    status, body = health(vendor)
    assert (status, body["status"], body["versionId"], body["environment"]) == (200, "up", VERSION, "DEV")
    assert health(vendor, "NOWHERE")[0] == 404
    [effect] = vendor.ledger.effects(kind="probe_answered")
    assert (effect.key, dict(effect.detail)) == (
        "DEV",
        {"project": PORTAL, "version": VERSION, "deployment": 0, "status": 200},
    )


def test_a_version_is_bad_from_the_start_or_a_deployment_turns_bad(vendor: FlexDeployStandIn) -> None:
    vendor.turn(bad_versions=[VERSION])
    assert health(vendor)[0] == 503
    vendor.turn(bad_versions=[], bad_after_calls=3, bad_environments=["DEV"])
    assert [health(vendor)[0] for _ in range(3)] == [200, 200, 503]
    assert [health(vendor, "TEST")[0] for _ in range(5)] == [200] * 5
    vendor.turn(bad_after_calls=None, bad_after_seconds=60.0, bad_environments=[])
    assert health(vendor, "PROD")[0] == 200
    vendor.clock.advance(61)
    assert health(vendor, "PROD") == (503, {**health(vendor, "PROD")[1], "status": "down"})


def test_it_may_want_a_login(vendor: FlexDeployStandIn) -> None:
    vendor.turn(health_signs_in=True)
    assert health(vendor)[0] == 401
    known = b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
    assert health(vendor, Authorization=f"Basic {known}")[0] == 200
