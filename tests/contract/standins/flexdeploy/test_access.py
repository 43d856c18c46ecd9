"""Who may call the FlexDeploy stand-in, its own faults, and how it runs as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.standins import StandInBroke
from include.standins.flexdeploy import (
    FAULTS,
    PEOPLE,
    TOKEN,
    FlexDeployStandIn,
    FlexDeploySwitches,
    vendor_fault,
)
from tests.contract.standins.client import ask, basic
from tests.contract.standins.flexdeploy.client import (
    APP,
    DEV,
    MAIN,
    PORTAL,
    PROD,
    TEST,
    WEB,
    Caller,
    only,
    site,
)


@pytest.fixture
def caller() -> Iterator[Caller]:
    with site() as one:
        yield one


class TestWhoMayCall:
    @pytest.mark.parametrize(
        ("login", "secret", "status"),
        [
            ("nightshift", "standin-flexdeploy", 200),
            ("nightshift", TOKEN, 200),
            ("nightshift-sso", "standin-sso-token", 200),
            ("nightshift-sso", "", 401),
            ("nightshift-expired", "standin-expired-token", 401),
            ("nightshift", "wrong", 401),
            ("nobody", "standin-flexdeploy", 401),
            ("nightshift-stranger", "standin-stranger", 403),
            ("nightshift-reader", "standin-reader", 200),
        ],
    )
    def test_a_password_or_a_token_in_its_place(self, caller: Caller, login: str, secret: str, status: int) -> None:
        answer = Caller(caller.vendor, login, secret).call("GET", f"/v1/project/{PORTAL}")
        assert answer.status == status

    @pytest.mark.parametrize("header", [f"Bearer {TOKEN}", "Basic !!!", "Basic " + "AAAA", "", basic("nightshift", "")])
    def test_a_token_is_no_bearer(self, caller: Caller, header: str) -> None:
        answer = ask(f"{caller.vendor.url}/rest/v1/project", headers={"Authorization": header} if header else {})
        assert answer.status == 401

    def test_tokens_come_with_6(self, caller: Caller) -> None:
        caller.vendor.turn(tokens=False)
        assert Caller(caller.vendor, "nightshift", TOKEN).call("GET", "/v1/project").status == 401
        assert caller.call("GET", "/v1/project").status == 200

    def test_a_reader_starts_nothing(self, caller: Caller) -> None:
        reader = Caller(caller.vendor, "nightshift-reader", "standin-reader")
        assert [reader.build().status, reader.deploy().status, reader.execute().status] == [403, 403, 403]
        assert caller.vendor.ledger.effects() == []

    def test_the_ledger_has_names_and_no_secrets(self, caller: Caller) -> None:
        caller.build()
        (request,) = caller.vendor.ledger.requests(method="POST")
        assert (request.user, request.status) == ("nightshift", 201)
        kept = repr((caller.vendor.ledger.requests(), caller.vendor.ledger.effects()))
        assert not [one for person in PEOPLE for one in (person.password, person.token) if one and one in kept]

    def test_the_context_path_is_needed(self, caller: Caller) -> None:
        assert caller.vendor.url.endswith("/flexdeploy")
        root = caller.vendor.url.removesuffix("/flexdeploy")
        assert ask(f"{root}/rest/v1/project", headers={"Authorization": caller.header}).status == 404


class TestFaults:
    def test_no_changes_and_already_deployed(self, caller: Caller) -> None:
        caller.vendor.faults.add(vendor_fault("no_changes"), vendor_fault("already_deployed"))
        assert (caller.build(forceBuild=True).status, caller.deploy(forceDeploy=True).status) == (200, 200)
        assert caller.vendor.ledger.stats().by_effect == {"build_unneeded": 1, "deploy_unneeded": 1}
        assert (caller.build().status, caller.deploy(forceDeploy=True).status) == (201, 201)

    def test_a_201_without_an_id(self, caller: Caller) -> None:
        caller.vendor.faults.add(vendor_fault("no_id", times=2))
        answer = caller.build()
        assert (answer.status, answer.json["workflowRequests"]) == (201, [])
        assert len(caller.vendor.ledger.effects(kind="build_made")) == 1
        body = {"projectId": PORTAL, "environmentId": DEV, "projectStreamId": MAIN, "force": True}
        assert caller.call("POST", "/v2/workflowrequest/build", body).json == {}

    def test_null_pointers_before_and_after(self, caller: Caller) -> None:
        caller.vendor.faults.add(
            vendor_fault("null_pointer", method="POST"), vendor_fault("null_pointer_after", after=1, method="POST")
        )
        answers = [caller.build(), caller.build()]
        assert [one.status for one in answers] == [500, 500]
        assert all(b"NullPointerException" in one.body for one in answers)
        assert len(caller.vendor.ledger.effects(kind="build_made")) == 1

    def test_a_plan_that_fails_before_half_and_one_aborted_at_half(self, caller: Caller) -> None:
        caller.vendor.faults.add(vendor_fault("run_fails"), vendor_fault("run_aborted", after=1))
        failed, aborted = (only(caller.execute())["workflowRequestId"] for _ in range(2))
        caller.vendor.clock.advance(0.7)
        assert (caller.status(failed), caller.status(aborted)) == ("FAILED", "ABORTED")
        assert [one["executionStatus"] for one in caller.runs(failed)] == ["Failure"]
        assert [one["executionStatus"] for one in caller.runs(aborted)] == ["Success", "Aborted"]

    def test_every_fault_says_for_which_calls_it_is(self) -> None:
        for kind in FAULTS:
            fault = vendor_fault(kind)
            assert fault.path
        with pytest.raises(KeyError):
            vendor_fault("earthquake")

    def test_a_bug_of_the_stand_in_comes_up(self) -> None:
        def broken(*_: Any) -> None:
            raise RuntimeError("bug")

        vendor = FlexDeployStandIn()
        vendor.engine.settle = broken  # type: ignore[method-assign]
        with pytest.raises(StandInBroke, match="bug"), vendor:
            assert Caller(vendor).call("GET", "/v1/project").status == 500


class TestOtherProcesses:
    def test_it_runs_as_a_process_and_keeps_a_ledger_file(self, tmp_path: Path) -> None:
        ready = tmp_path / "ready.json"
        command = [
            sys.executable,
            "-m",
            "include.standins",
            "--vendor",
            "flexdeploy",
            "--ledger-dir",
            str(tmp_path),
            "--ready-file",
            str(ready),
        ]
        command += ["--switch", 'flexdeploy.approvals={"PROD":1}', "--switch", "flexdeploy.build_seconds=0.05"]
        root = Path(__file__).parents[4]
        with subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
        ) as process:
            watch = threading.Timer(60, process.kill)
            watch.start()
            try:
                assert process.stdout is not None
                name, url = process.stdout.readline().split()
                assert name == "flexdeploy"
                header = {"Authorization": basic("nightshift", "standin-flexdeploy")}
                body = json.dumps({"environmentId": DEV, "streamId": MAIN}).encode()
                assert (
                    ask(f"{url}/rest/v1/project/{PORTAL}/build", method="POST", headers=header, body=body).status == 201
                )
                origin = url.removesuffix("/flexdeploy")
                ask(f"{origin}/_standin/clock", method="POST", body=b'{"advance": 60}')
                body = json.dumps({"environmentId": PROD}).encode()
                made = ask(f"{url}/rest/v1/project/{PORTAL}/deploy", method="POST", headers=header, body=body)
                assert made.json["workflowRequests"][0]["workflowRequestStatus"] == "PENDING_APPROVAL"
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0
                watch.cancel()
        lines = [json.loads(line) for line in (tmp_path / "flexdeploy.jsonl").read_text().splitlines()]
        kinds = [line["effect"]["kind"] for line in lines if "effect" in line]
        assert kinds[:3] == ["build_made", "request_moved", "request_moved"]
        assert kinds.count("deploy_made") == 1

    def test_switches_are_checked(self) -> None:
        with pytest.raises(ValueError, match="threads"):
            FlexDeployStandIn(switches=FlexDeploySwitches(threads="many"))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "window", [{"opens": "25:00", "closes": "04:00"}, {"opens": "22:00", "closes": "04:00", "days": [8]}]
    )
    def test_a_window_that_is_none(self, caller: Caller, window: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="switch does not fit"):
            caller.vendor.turn(windows={"PROD": window})

    def test_names_of_the_default_site(self, caller: Caller) -> None:
        found = {one["environmentCode"]: one["environmentId"] for one in caller.get("/v1/topology/environment")}
        assert found == {"DEV": DEV, "TEST": TEST, "PROD": PROD}
        assert caller.get(f"/v1/project/{PORTAL}")["deployInstanceIds"] == [APP, WEB]
