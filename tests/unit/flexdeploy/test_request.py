"""What is sent, and what is refused before anything is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from nightshift.errors import Rejected
from nightshift.flexdeploy.fields import Pair, pairs, start_time
from nightshift.flexdeploy.request import (
    BuildRequest,
    DeployRequest,
    ExecuteRequest,
    body_of,
    marked,
    payload_of,
    request_of,
    requests_due,
)

PLACE = {"environment_id": 11101}
SNAKE = {
    "environmentId": "environment_id",
    "forceBuild": "force_build",
    "workflowVersionOverride": "workflow_version_override",
    "streamId": "stream_id",
    "projectFiles": "project_files",
    "packageName": "package_name",
    "flexFields": "flex_fields",
    "relatedTickets": "related_tickets",
    "releaseId": "release_id",
    "instanceIds": "instance_ids",
    "inputs": "inputs",
    "forceDeploy": "force_deploy",
    "exceptionToWindow": "exception_to_window",
    "startTime": "start_time",
}
DOCUMENTED_BUILD: dict[str, Any] = {
    "environmentId": 11101,
    "forceBuild": True,
    "workflowVersionOverride": None,
    "streamId": 11210,
    "inputs": [{"code": "input1", "value": "xyz"}, {"code": "input2", "value": "123"}],
    "projectFiles": [{"path": "/java/a.java"}, {"path": "/java/b.java", "scmRevision": "1515"}],
    "packageName": "ALM150",
    "relatedTickets": None,
    "flexFields": [{"code": "Build FlexField", "value": 10}],
    "releaseId": 27003,
}


def snake(body: dict[str, Any]) -> dict[str, Any]:
    return {SNAKE[name]: value for name, value in body.items()}


def test_the_documented_build_is_sent_in_the_types_of_the_vendors_table() -> None:
    body = body_of(BuildRequest.of(**snake(DOCUMENTED_BUILD)), 10004)
    assert body == {
        "environmentId": 11101,
        "forceBuild": True,
        "streamId": 11210,
        "inputs": [{"code": "input1", "value": "xyz"}, {"code": "input2", "value": "123"}],
        "projectFiles": [{"path": "/java/a.java"}, {"path": "/java/b.java", "scmRevision": 1515}],
        "packageName": "ALM150",
        "flexFields": [{"code": "Build FlexField", "value": "10"}],
        "releaseId": "27003",
    }


def test_a_deployment_names_its_project_in_the_body_and_reads_true_and_false_as_text() -> None:
    given = {"instance_ids": [100001], "force_deploy": "true", "project_version_id": "29201"}
    assert body_of(DeployRequest.of(environment_id="12345", **given), 10004) == {
        "environmentId": 12345,
        "instanceIds": [100001],
        "forceDeploy": True,
        "projectVersionId": 29201,
        "projectId": 10004,
    }
    assert "forceDeploy" not in body_of(DeployRequest.of(environment_id=1, force_deploy="false"), 1)


def test_a_utility_run_takes_codes_with_values_as_an_object_too() -> None:
    request = ExecuteRequest.of(environment_id=10045, inputs={"INPUT1": "Test", "INPUT2": 1234, "FLAG": True})
    assert body_of(request, 1)["inputs"] == [
        {"code": "INPUT1", "value": "Test"},
        {"code": "INPUT2", "value": "1234"},
        {"code": "FLAG", "value": "true"},
    ]


@pytest.mark.parametrize(
    "request_made",
    [
        BuildRequest.of(**snake(DOCUMENTED_BUILD)),
        DeployRequest.of(
            environment_id=1, package_details=[{"packageName": "P", "projectVersionId": 2, "priority": 1}]
        ),
        ExecuteRequest.of(environment_id=1, start_time="2018-07-20T11:31:06Z"),
    ],
)
def test_a_request_survives_the_state_store(request_made: Any) -> None:
    assert request_of(json.loads(json.dumps(payload_of(7, request_made)))) == request_made


@pytest.mark.parametrize("value", [0, -1, "", "None", "12a", " ", 1.0, True, None, "DEV", [1], "1٣"])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(Rejected, match="environment_id"):
        ExecuteRequest.of(environment_id=value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"package_details": [{"packageName": "P"}]}, "either projectVersionId or useLatestPackageVersion"),
        ({"package_details": [{"projectVersionId": 1, "useLatestPackageVersion": True}]}, "and not both"),
        ({"package_details": [{"projectVersionId": 1}, {"projectVersionId": 2}]}, "twice"),
        ({"package_details": [{"projectVersionId": 1, "priority": "high"}]}, "priority"),
        ({"package_details": [{"projectVersionId": 1, "version": 3}]}, "'version'"),
        ({"package_details": {"projectVersionId": 1}}, "must be a list"),
        ({"instance_ids": [1, "1"]}, "twice"),
        ({"instance_ids": "1"}, "must be a list"),
        ({"force_deploy": "yes"}, "true or false"),
        ({"force_deploy": 1}, "true or false"),
        ({"inputs": [{"code": " ", "value": "x"}]}, "blank"),
        ({"inputs": [{"code": "A"}, {"code": "A"}]}, "twice"),
        ({"inputs": [{"code": "A", "value": {"b": 1}}]}, "text or a number"),
        ({"flex_fields": [{"name": "A"}]}, "'name'"),
        ({"change_tickets": ["CHG1", ""]}, "change_tickets"),
        ({"workflow_version_override": ""}, "workflow_version_override"),
        ({"stream_id": 1}, "stream_id is not known"),
    ],
)
def test_what_breaks_a_rule_of_a_deployment_is_refused_and_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        DeployRequest.of(environment_id=1, **given)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"project_files": [{"scmRevision": 1}]}, "has no path"),
        ({"project_files": [{"path": "/a"}, {"path": "/a"}]}, "twice"),
        ({"project_files": [{"path": "/a", "scmRevision": "HEAD"}]}, "scmRevision"),
        ({"release_id": "R1"}, "release_id"),
        ({"force_build": None, "package_name": "  "}, "package_name"),
    ],
)
def test_what_breaks_a_rule_of_a_build_is_refused_and_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        BuildRequest.of(environment_id=1, stream_id=2, **given)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2019-03-16T21:17:52-06:00", "2019-03-16T21:17:52-06:00"),
        ("2018-07-20T11:31:06Z", "2018-07-20T11:31:06Z"),
        (datetime(2026, 11, 21, 2, 3, 4, 567, UTC), "2026-11-21T02:03:04Z"),
        (datetime(2026, 11, 21, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-11-21T00:00:00+05:30"),
    ],
)
def test_a_start_time_has_an_offset_and_whole_seconds(given: Any, sent: str) -> None:
    assert start_time("start_time", given) == sent


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-21",
        "2026-11-21T10:00:00",
        "2026-11-21 10:00:00Z",
        "2026-11-21T10:00:00.5Z",
        "2026-11-21T10:00:00+0100",
        "2026-13-21T10:00:00Z",
        "",
        5,
        datetime(2026, 11, 21),  # noqa: DTZ001
    ],
)
def test_another_time_is_refused(given: Any) -> None:
    with pytest.raises(Rejected, match="start_time"):
        start_time("start_time", given)


def test_the_mark_goes_into_its_flex_field_and_never_over_another() -> None:
    request = DeployRequest.of(environment_id=1, flex_fields={"A": 1})
    assert marked(request, "MARK", "nightshift-1").flex_fields == (Pair("A", "1"), Pair("MARK", "nightshift-1"))
    with pytest.raises(Rejected, match="MARK"):
        marked(DeployRequest.of(environment_id=1, flex_fields={"MARK": "x"}), "MARK", "nightshift-1")


def test_one_request_is_due_for_each_package() -> None:
    two = [{"packageName": name, "projectVersionId": 1} for name in "ab"]
    assert requests_due(DeployRequest.of(environment_id=1, package_details=two)) == 2
    assert requests_due(DeployRequest.of(environment_id=1)) == requests_due(ExecuteRequest.of(environment_id=1)) == 1


def test_a_pair_may_be_alone_and_its_value_left_out() -> None:
    assert pairs("inputs", {"code": "A", "value": None}) == (Pair("A"),)
    assert body_of(ExecuteRequest.of(environment_id=1, inputs=[{"code": "A"}]), 1)["inputs"] == [{"code": "A"}]


EXAMPLES = Path(__file__).resolve().parents[3] / "include" / "standins" / "flexdeploy" / "examples"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("project_build_request", BuildRequest),
        ("project_deploy_request", DeployRequest),
        ("project_execute_request", ExecuteRequest),
    ],
)
def test_the_vendors_own_examples_are_taken(name: str, kind: Any) -> None:
    given = json.loads((EXAMPLES / f"{name}.json").read_text())
    sent = body_of(kind.of(**snake(given)), 10004)
    assert {key for key, value in given.items() if value not in (None, "false", False)} <= set(sent)
