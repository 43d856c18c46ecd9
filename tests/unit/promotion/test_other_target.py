"""What the records tell of one project, stream, environment or server is believed of no other, whatever promotions.yaml
calls it: judged by FlexDeploy's ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from include.standins.faults import Fault
from include.standins.flexdeploy import Changes, FlexDeployStandIn, FlexDeploySwitches, vendor_fault
from include.standins.flexdeploy.planted import DEV, PORTAL, PORTAL_REPORTS, PROD, TEST
from nightshift.promotion.revoked import report, revocation_of
from nightshift.promotion.target import server_of
from nightshift.promotion.vocabulary import PromotionOutcome, StepState, VerdictWord
from tests.unit.promotion.conftest import QUICK_SITE
from tests.unit.promotion.play import N1, N2, N3, OLD_VERSION, Play, Run, config, stage
from tests.unit.promotion.test_roll_back import BROKEN, settled

STREAM = PORTAL + 400
BACK = {"project_id": PORTAL_REPORTS, "stream_id": PORTAL_REPORTS + 400}
WAY_BACK = ("roll_back.offer", "roll_back.approve", "roll_back.deploy")


def stages(**test: Any) -> tuple[dict[str, Any], ...]:
    return stage("DEV"), stage("TEST", **{"on_failure": "roll_back", **test})


@pytest.fixture
def other() -> Iterator[FlexDeployStandIn]:
    """Return another FlexDeploy, which counts as the first one does."""
    with FlexDeployStandIn(switches=FlexDeploySwitches(**QUICK_SITE)) as vendor:
        vendor.turn(changes=Changes.ALWAYS)
        yield vendor


@pytest.fixture(autouse=True)
def _always_something_new(vendor: FlexDeployStandIn) -> None:
    vendor.turn(changes=Changes.ALWAYS)


def connected(play: Play, conn_id: str, vendor: FlexDeployStandIn) -> None:
    play.connections[conn_id] = {**play.connections["flexdeploy_default"], "host": vendor.url}


def promoted(play: Play, run_id: str = "r1", night: str = N1) -> Run:
    run = play.start(run_id, night)
    for name in ("begin", "build", "DEV.deploy", "TEST.deploy", "close"):
        assert run.do(name).state == "success", run.parked[name].error
    return run


def failing(play: Play, run_id: str = "r2", night: str = N2) -> Run:
    """Play a promotion whose deployment to TEST fails, to the end of its way back."""
    run = play.start(run_id, night)
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name).state == "success", run.parked[name].error
    play.vendor.faults.add(BROKEN)
    assert run.do("TEST.deploy").state == "failed"
    for name in WAY_BACK:
        run.do(name)
    return run


def brought_back(run: Run) -> int | None:
    """Return the version that was brought back."""
    step = run.record.step("roll_back.deploy")
    return step.version.id if step is not None and step.state is StepState.DONE and step.version else None


def version(run: Run) -> int:
    assert run.record.version is not None
    return run.record.version.id


def quiet(play: Play) -> None:
    """Let source control have nothing new, for the next build."""
    play.vendor.faults.add(vendor_fault("no_changes"))


def test_what_was_built_last_of_another_stream_is_not_gone_on_with(play_of: Callable[..., Play]) -> None:
    play = play_of(build={"unchanged": "last_built"})
    first, made = promoted(play), len(play.deployments())
    quiet(play)
    play.edit(config(build={"unchanged": "last_built"}, stream_id=PORTAL + 410))
    run = play.start("r2", N2)
    assert [run.do(name).state for name in ("begin", "build", "DEV.deploy", "TEST.deploy", "close")][1:4] == [
        "skipped"
    ] * 3
    assert (run.record.outcome, len(play.deployments())) == (PromotionOutcome.NO_CHANGES, made)
    assert f"{first.record.version}, is not of what is configured by now (project {PORTAL}, stream {PORTAL + 410})" in (
        run.record.reason
    )
    play.edit(config(build={"unchanged": "last_built"}))
    quiet(play)
    run = play.start("r3", N3)
    assert [run.do(name).state for name in ("begin", "build")] == ["success", "skipped"]
    assert run.record.version == first.record.version


def test_nor_what_this_promotion_built_before_it_was_cleared(play_of: Callable[..., Play]) -> None:
    play = play_of()
    run = play.start("r1", N1)
    assert [run.do(name).state for name in ("begin", "build")] == ["success"] * 2
    quiet(play)
    play.edit(config(stream_id=PORTAL + 410))
    run.clear("begin", "build")
    run.begin = play.new_dag().get_task("begin")
    assert [run.do(name).state for name in ("begin", "build", "DEV.deploy")] == ["success", "skipped", "skipped"]
    assert (run.record.version, play.deployments()) == (None, [])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (BACK, f"is of project {PORTAL}, not project {PORTAL_REPORTS}"),
        ({"environment": PROD}, f"is of environment {TEST}, not environment {PROD}"),
    ],
)
def test_nothing_of_another_project_or_environment_is_brought_back(
    play_of: Callable[..., Play], change: dict[str, Any], why: str
) -> None:
    play = play_of(*stages())
    first = promoted(play)
    test = {"environment_id": change["environment"]} if "environment" in change else {}
    play.edit(config(*stages(**test), **(change if change is BACK else {})))
    run = failing(play)
    assert brought_back(run) is None
    assert play.deployments()[-1][1] == version(run) != version(first)
    assert any(line.startswith("now in TEST: not known; what run r1 brought there last") for line in run.record.plan)
    assert why in run.record.elsewhere["TEST"]
    assert run.record.before["TEST"] is None
    assert why in str(run.do("close").error)


def test_a_renamed_connection_to_the_same_server_loses_nothing(play_of: Callable[..., Play]) -> None:
    play = play_of(*stages())
    first = promoted(play)
    connected(play, "renamed", play.vendor)
    del play.connections["flexdeploy_default"]
    play.edit(config(*stages(), connection="renamed"))
    assert brought_back(failing(play)) == version(first)


@pytest.mark.parametrize("conn_id", ["flexdeploy_default", "elsewhere"])
def test_nothing_of_another_server_is_believed_by_whatever_connection(
    play_of: Callable[..., Play], other: FlexDeployStandIn, conn_id: str
) -> None:
    play = play_of(*stages(), build={"unchanged": "last_built"})
    first = promoted(play)
    connected(play, conn_id, other)
    play.vendor = other
    play.edit(config(*stages(), connection=conn_id, build={"unchanged": "last_built"}))
    refused = play.start("given", version_id=version(first), from_stage="TEST").do("begin")
    assert "has got through DEV as it is configured now" in str(refused.error)
    quiet(play)
    unchanged = play.start("r2", N2)
    for name in ("begin", "build", "DEV.deploy", "TEST.deploy", "close"):
        unchanged.do(name)
    assert (unchanged.record.outcome, play.deployments()) == (PromotionOutcome.NO_CHANGES, [])
    run = failing(play, "r3", N3)
    assert brought_back(run) is None
    assert "is of FlexDeploy at" in run.record.elsewhere["TEST"]
    assert run.record.elsewhere.keys() == {"DEV", "TEST"}


def test_what_another_server_is_at_work_on_is_asked_of_that_server(
    play_of: Callable[..., Play], other: FlexDeployStandIn
) -> None:
    """The new one has another request of the same id, which has ended well."""
    play = play_of()
    promoted(play, "r0", N1)
    play.vendor.turn(deploy_seconds=3600.0)
    one = play.start("r1", N2)
    for name in ("begin", "build"):
        assert one.do(name).state == "success"
    assert one.do("DEV.deploy", look=0.0).state == "deferred"
    one.end()
    connected(play, "elsewhere", other)
    play.edit(config(connection="elsewhere"))
    two = play.start("r2", N3)
    assert two.do("begin").state == "deferred"
    connected(play, "flexdeploy_default", other)
    assert two.do("begin").state == "deferred"
    assert not [each for each in other.ledger.requests() if "workflowrequest" in each.path]
    connected(play, "flexdeploy_default", play.vendor)
    play.vendor.abort(one.step("DEV.deploy").requests[0])
    assert two.do("begin").state == "success"
    assert two.record.before["DEV"] is None


def test_nobody_waits_for_a_server_that_is_gone_where_its_last_word_is_known(
    play_of: Callable[..., Play], other: FlexDeployStandIn
) -> None:
    play = play_of(on_failure="stop")
    play.vendor.faults.add(BROKEN)
    run = play.start("r1", N1)
    assert [run.do(name).state for name in ("begin", "build", "DEV.deploy")] == ["success", "success", "failed"]
    assert run.do("close").state == "failed"
    run.end()
    connected(play, "flexdeploy_default", other)
    assert play.start("r2", N2).do("begin").state == "success"
    assert not [each for each in other.ledger.requests() if "workflowrequest" in each.path]


def test_nor_is_a_retry_gone_on_with_at_another_server(play_of: Callable[..., Play], other: FlexDeployStandIn) -> None:
    play = play_of()
    play.vendor.turn(deploy_seconds=3600.0)
    run = play.start("r1", N1)
    for name in ("begin", "build"):
        assert run.do(name).state == "success"
    assert run.do("DEV.deploy", look=0.0).state == "deferred"
    [request] = run.step("DEV.deploy").requests
    connected(play, "flexdeploy_default", other)
    lost = run.api("DEV.deploy").run(run.changed("DEV.deploy"), try_number=2)
    assert f"workflow request {request} of DEV.deploy is at 127.0.0.1" in str(lost.error)
    assert other.ledger.requests() == []
    connected(play, "flexdeploy_default", play.vendor)
    play.vendor.clock.advance(3600)
    assert run.api("DEV.deploy").run(run.changed("DEV.deploy"), try_number=3).state == "success"
    assert len(play.deployments()) == 1


def test_but_a_clear_asks_the_new_server_for_what_had_ended_at_the_old_one(
    play_of: Callable[..., Play], other: FlexDeployStandIn
) -> None:
    play = play_of()
    play.vendor.faults.add(vendor_fault("run_fails", path="/build$"))
    run = play.start("r1", N1)
    assert [run.do(name).state for name in ("begin", "build")] == ["success", "failed"]
    connected(play, "flexdeploy_default", other)
    run.clear("build")
    assert run.do("build").state == "success"
    assert run.step("build").target == run.record.targets["build"].changed(server=server_of(other.url))


def test_a_version_goes_to_no_stage_of_another_project_although_it_was_begun_before_the_change(
    play_of: Callable[..., Play],
) -> None:
    play = play_of(*stages())
    run = play.start("r1", N1)
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name).state == "success"
    play.edit(config(*stages(), **BACK))
    done = run.do("TEST.deploy")
    assert done.state == "failed"
    assert f"is of project {PORTAL}, not project {PORTAL_REPORTS}, as promotions.yaml has it by now" in str(done.error)
    assert [one for one, _ in play.deployments()] == ["DEV"]
    assert run.do("roll_back.offer").state == "skipped"
    play.edit(config(*stages()))
    run.clear("TEST.deploy")
    assert run.do("TEST.deploy").state == "success"


def test_nothing_is_brought_back_to_another_environment_than_it_ran_in(play_of: Callable[..., Play]) -> None:
    play = play_of(*stages())
    promoted(play)
    run = play.start("r2", N2)
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name).state == "success"
    play.vendor.faults.add(BROKEN)
    assert run.do("TEST.deploy").state == "failed"
    play.edit(config(*stages(environment_id=PROD)))
    for name in WAY_BACK[:2]:
        assert run.do(name).state == "success", run.parked[name].error
    done = run.do("roll_back.deploy")
    assert (done.state, brought_back(run)) == ("failed", None)
    assert f"is of environment {TEST}, not environment {PROD}" in str(done.error)
    assert [one for one, _ in play.deployments()].count("PROD") == 0


def test_a_version_has_passed_no_stage_that_was_another_environment(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST"), stage("PROD"))
    run = play.start("r1", to_stage="TEST", by="bob")
    for name in ("begin", "build", "DEV.deploy", "TEST.deploy", "PROD.deploy"):
        run.do(name)
    run.do("close")
    play.edit(config({"environment_id": TEST, "name": "DEV"}, {"environment_id": DEV, "name": "TEST"}, stage("PROD")))
    given = {"version_id": version(run), "from_stage": "PROD"}
    refused = play.start("r2", by="bob", **given).do("begin")
    assert refused.state == "failed"
    assert f"has got through TEST as it is configured now (project {PORTAL}, environment {DEV})" in str(refused.error)
    assert play.start("r3", by="bob", emergency="it must go", **given).do("begin").state == "success"


def named(**more: Any) -> dict[str, Any]:
    """Return what is configured by names for what :func:`config` has by ids."""
    return {
        "project_id": None,
        "project": "Licensing/Portal/LicensePortal",
        "stream_id": None,
        "stream": "main",
        "build": {"environment_id": DEV, "unchanged": "last_built"},
        **more,
    }


def by_name() -> tuple[dict[str, Any], ...]:
    return {"environment": "DEV"}, {"environment": "TEST", "on_failure": "roll_back"}


@pytest.mark.parametrize("first_by_name", [True, False])
def test_a_name_instead_of_an_id_is_the_same(play_of: Callable[..., Play], first_by_name: bool) -> None:
    by_id = {"build": {"unchanged": "last_built"}}
    ways: list[tuple[tuple[dict[str, Any], ...], dict[str, Any]]] = [(by_name(), named()), (stages(), by_id)]
    (before, given), (after, given_after) = ways if first_by_name else reversed(ways)
    play = play_of(*before, **given)
    first = promoted(play)
    play.edit(config(*after, **given_after))
    quiet(play)
    run = play.start("again", N2)
    assert [run.do(name).state for name in ("begin", "build")] == ["success", "skipped"]
    assert run.record.version == first.record.version
    assert run.record.elsewhere == {}
    run.end()
    assert brought_back(failing(play, "r3", N3)) == version(first)


def test_names_decide_where_flexdeploy_cannot_be_asked_when_it_begins(play_of: Callable[..., Play]) -> None:
    play = play_of(*by_name(), **named())
    first = promoted(play)
    down = Fault(kind="status", method="GET", path="/topology/environment", status=503, body="no", times=None)
    play.vendor.faults.add(down)
    run = play.start("r2", N2)
    assert run.do("begin").state == "success"
    assert run.record.targets["TEST"].environment_id is None
    before = run.record.before["TEST"]
    assert before is not None
    assert before.version.id == version(first)


# What the release before left.


def test_the_first_promotion_after_an_upgrade_can_bring_back_what_was_there_before(
    play_of: Callable[..., Play],
) -> None:
    play = play_of(*stages())
    settled(play)
    assert brought_back(failing(play, "r1", N1)) == OLD_VERSION


@pytest.mark.parametrize("begun", [{}, {"dry_run": True}])
def test_once_one_has_begun_what_tells_nothing_is_of_what_was_configured_then(
    play_of: Callable[..., Play], begun: dict[str, Any]
) -> None:
    play = play_of(*stages())
    settled(play)
    run = play.start("r1", **begun)
    assert run.do("begin").state == "success"
    assert run.record.before["TEST"] is not None
    run.end()
    play.put(run.record.close(PromotionOutcome.ABANDONED))
    play.edit(config(*stages(), **BACK))
    run = failing(play)
    assert brought_back(run) is None
    assert f"is of project {PORTAL}, not project {PORTAL_REPORTS}" in run.record.elsewhere["TEST"]
    play.put(run.record.close(PromotionOutcome.FAILED))
    play.edit(config(*stages()))
    again = play.start("r3", N3)
    assert again.do("begin").state == "success"
    assert again.record.elsewhere == {}


def test_a_version_that_another_server_knows_by_the_id_of_a_bad_one_is_not_revoked(
    play_of: Callable[..., Play], other: FlexDeployStandIn
) -> None:
    play = play_of()
    bad = promoted(play).version
    said = asyncio.run(report(play.records, "r1", "TEST", bad, by="ann", why="it loses orders"))
    assert said.word is VerdictWord.REFUTED
    connected(play, "elsewhere", other)
    play.edit(config(connection="elsewhere"))
    run = play.start("r2", N2)
    assert run.do("begin").state == "success"
    assert asyncio.run(revocation_of(play.records, bad, run.record)) is None
    assert asyncio.run(revocation_of(play.records, bad, run.record.changed(targets={}))) is not None
