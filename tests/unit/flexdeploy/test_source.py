"""Each field of the connection form changes what FlexDeploy is asked, or where its page is said to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nightshift.flexdeploy.adapter import FlexDeployAdapter
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.request import DeployRequest
from nightshift.flexdeploy.source import FLEXDEPLOY
from tests.unit.flexdeploy.deploy_server import DeployServer

FORM: dict[str, tuple[Any, Callable[[FlexDeployHook, DeployServer], Any]]] = {}


def observes(value: Any) -> Callable[[Any], Any]:
    """Register what a field changes: the same is observed with the value, and without."""

    def register(observe: Any) -> Any:
        FORM[observe.__name__] = (value, observe)
        return observe

    return register


@observes("v2")
async def api_version(hook: FlexDeployHook, vendor: DeployServer) -> str:
    vendor.add()
    await hook.workflow_request(12001)
    return vendor.seen[-1].path


@observes("https://fd.example.com/flexdeploy/faces/request?id={id}")
async def request_page(hook: FlexDeployHook, vendor: DeployServer) -> str:
    return hook.page_of("12001")


@observes("NIGHTSHIFT")
async def marker_flex_field(hook: FlexDeployHook, vendor: DeployServer) -> str | None:
    async with FlexDeployAdapter("flexdeploy_default") as adapter:
        return adapter.marker_code


@observes('{"deploy": "POST /rest/v1/project/{project}/deploy?site=1"}')
async def paths(hook: FlexDeployHook, vendor: DeployServer) -> str:
    await hook.deploy(501, DeployRequest.of(environment_id=16))
    return vendor.seen[-1].query


@pytest.mark.parametrize("field", FLEXDEPLOY.fields)
async def test_a_field_of_the_form_counts(vendor: DeployServer, connect: Callable[..., None], field: str) -> None:
    value, observe = FORM[field]
    found = []
    for extra in ({}, {field: value}):
        connect(**extra)
        async with FlexDeployHook() as hook:
            found.append(await observe(hook, vendor))
    assert found[0] != found[1]


def test_what_the_form_offers_as_a_default_is_what_counts() -> None:
    assert FLEXDEPLOY.fields["api_version"]["schema"]["default"] == "v1"
