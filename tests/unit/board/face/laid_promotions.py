"""Answers about promotions: lanes, holds, a time line and the figures."""

from __future__ import annotations

from datetime import timedelta

from nightshift.board.models import (
    ApiCall,
    Ask,
    DoubtLine,
    FigureLine,
    FiguresAnswer,
    FreezeLine,
    HoldLine,
    Lane,
    Lanes,
    LaneStage,
    Link,
    Press,
    PressKind,
    PromotionLine,
    StageState,
    StepLine,
    TimeLine,
    VersionShown,
    WaitFor,
    WaitLine,
)
from tests.unit.board.face.moments import LAST, NOW, SOURCES, ago, hold_press, press, soon


def stage(label: str, state: StageState, version: str | None, **more: object) -> LaneStage:
    """Return a stage."""
    shown = None if version is None else VersionShown(id=100 + len(version), name=version)
    return LaneStage(label=label, state=state, version=shown, **more)


def lanes(*, allowed: bool = True) -> Lanes:
    """Return three applications: one that soaks, one whose verification failed, one that asks."""
    night = LAST.isoformat()
    before = (LAST - timedelta(days=1)).isoformat()
    ask = WaitLine(
        kind=WaitFor.APPROVAL,
        text="approval 1 of 2: ada said yes",
        whom=("alan", "grace"),
        since=ago(minutes=50),
        until=soon(hours=5),
        link=Link(label="Answer", href="dags/promote_usage_portal/runs/r7/tasks/TEST.approve/required_actions"),
    )
    license_portal = Lane(
        application="license_portal",
        dag_id="promote_license_portal",
        description="main",
        after=tuple(f"flexnet/{one}" for one in SOURCES["flexnet"][:5]),
        stages=(
            stage("DEV", StageState.VERIFIED, "1.0.42", since=ago(hours=26), night=before),
            stage(
                "TEST",
                StageState.SOAKING,
                "1.0.42",
                since=ago(hours=8),
                approved_by="ada",
                soaks_until=soon(hours=2, minutes=10),
                night=before,
            ),
            stage(
                "PROD",
                StageState.DEPLOYED,
                "1.0.40",
                since=ago(days=10),
                behind=2,
                coming=VersionShown(id=1042, name="1.0.42"),
                waiting=WaitLine(kind=WaitFor.WINDOW, text="soak, then the window 22:00 to 04:00", until=soon(hours=7)),
            ),
        ),
        links=(Link(label="FlexDeploy", href="https://fd.example.com/flexdeploy/project/42"),),
        presses=(hold_press("license_portal", allowed=allowed),),
    )
    finance_sync = Lane(
        application="finance_sync",
        dag_id="promote_finance_sync",
        description="release · ticket CHG-20417",
        stages=(
            stage(
                "DEV",
                StageState.VERIFIED,
                "7.3.0",
                since=ago(hours=5),
                revoke=revoke_press("DEV", 105, allowed=allowed),
            ),
            stage(
                "TEST",
                StageState.VERIFICATION_FAILED,
                "7.2.4",
                since=ago(hours=4),
                text="/health said 503 at 02:31; rolled back to 7.2.4 at 02:33",
            ),
            stage("PROD", StageState.VERIFIED, "7.2.4", since=ago(days=8), text="7.3.0 goes no further"),
        ),
        presses=(hold_press("finance_sync", allowed=allowed),),
    )
    usage_portal = Lane(
        application="usage_portal",
        dag_id="promote_usage_portal",
        description="main",
        after=("flexnet/usage",),
        freezes=(FreezeLine(name="year end", begins=soon(days=3), ends=soon(days=5), on=False),),
        stages=(
            stage("DEV", StageState.VERIFIED, "2.11", since=ago(hours=3), night=night),
            stage(
                "TEST",
                StageState.DEPLOYED,
                "2.10",
                since=ago(days=1),
                behind=1,
                coming=VersionShown(id=211, name="2.11"),
                waiting=ask,
            ),
            stage("PROD", StageState.NEVER, None),
        ),
        under_way=(
            PromotionLine(
                application="usage_portal",
                run_id="r7",
                night=night,
                opened=ago(hours=3),
                version=VersionShown(id=211, name="2.11"),
                links=(Link(label="Run", href="dags/promote_usage_portal/runs/r7"),),
            ),
        ),
        presses=(hold_press("usage_portal", allowed=allowed),),
    )
    return Lanes(now=NOW, lanes=(license_portal, finance_sync, usage_portal), presses=(hold_press(allowed=allowed),))


def revoke_press(label: str, version_id: int, *, allowed: bool) -> Press:
    """Return the press that revokes what runs in a stage of finance_sync."""
    body = {
        "application": "finance_sync",
        "stage": label,
        "run_id": "r3",
        "version_id": version_id,
        "reason": "${reason}",
    }
    return press(
        PressKind.REVOKE,
        "Revoke 7.3.0",
        "7.3.0 goes to no stage of finance_sync any more. Nothing is brought back by itself.",
        allowed=allowed,
        danger=True,
        asks=(Ask(name="reason", label="Reason"),),
        calls=(ApiCall(method="POST", path="nightshift/board/api/revoke", body=body),),
    )


def doubt() -> DoubtLine:
    """Return a deployment of finance_sync that its run left in doubt."""
    body = {"application": "finance_sync", "run_id": "r3", "task": "TEST.deploy", "reason": "${reason}"}
    settle = press(
        PressKind.SETTLE,
        "TEST.deploy is over",
        "The next promotion of finance_sync may begin.",
        allowed=True,
        danger=True,
        asks=(Ask(name="reason", label="What you saw"),),
        calls=(ApiCall(method="POST", path="nightshift/board/api/doubts/settle", body=body),),
    )
    return DoubtLine(text="nobody knows whether FlexDeploy did TEST.deploy 7.3.0 of run r3", settle=settle)


def hold(application: str | None = None, *, allowed: bool = True) -> HoldLine:
    """Return a hold that is on."""
    lift = press(
        PressKind.LIFT,
        "Lift",
        "Promotions go on where they stopped.",
        allowed=allowed,
        asks=(Ask(name="reason", label="Reason"),),
        calls=(
            ApiCall(method="POST", path="nightshift/board/api/holds/lift", body={"id": "h1", "reason": "${reason}"}),
        ),
    )
    return HoldLine(
        id="h1",
        application=application,
        by="grace",
        reason="The licence server moves tonight",
        since=ago(hours=1),
        until=soon(hours=9),
        lift=lift,
    )


def time_line(application: str = "usage_portal") -> TimeLine:
    """Return what an application went through."""
    (lane,) = [one for one in lanes().lanes if one.application == application]
    steps = (
        StepLine(
            task="build",
            kind="build",
            state="done",
            started=ago(hours=3),
            ended=ago(hours=2.9),
            version=VersionShown(id=211, name="2.11"),
        ),
        StepLine(
            task="DEV.deploy",
            kind="deploy",
            stage="DEV",
            state="done",
            started=ago(hours=2.9),
            ended=ago(hours=2.8),
            outcome="deployed",
            links=(Link(label="FlexDeploy", href="https://fd.example.com/r/9"),),
        ),
        StepLine(
            task="TEST.approve",
            kind="approval",
            stage="TEST",
            state="started",
            started=ago(hours=2.8),
            by="ada",
            text="ada: looked at the diff",
        ),
    )
    done = PromotionLine(
        application=application,
        run_id="r6",
        night=(LAST - timedelta(days=1)).isoformat(),
        opened=ago(hours=30),
        closed=ago(hours=25),
        outcome="promoted",
        version=VersionShown(id=210, name="2.10"),
        steps=steps[:2],
    )
    failed = PromotionLine(
        application=application,
        run_id="r5",
        by="grace",
        opened=ago(days=3),
        closed=ago(days=2.9),
        outcome="rolled_back",
        reason="TEST: /health said 503",
        version=VersionShown(id=209, name="2.9"),
    )
    return TimeLine(
        now=NOW,
        lane=lane,
        promotions=(lane.under_way[0].model_copy(update={"steps": steps}), done, failed),
        before="r5",
    )


def figures() -> FiguresAnswer:
    """Return the four figures."""
    made = tuple(
        Link(label=f"license_portal {number}", href=f"dags/promote_license_portal/runs/r{number}")
        for number in range(18)
    )
    return FiguresAnswer(
        now=NOW,
        days=28,
        since=ago(days=28),
        figures=(
            FigureLine(key="deployments", label="Deployments", value=18, unit="count", text="18", made_of=made),
            FigureLine(
                key="lead_time",
                label="From night to TEST",
                value=33600,
                unit="seconds",
                text="9 h 20 min",
                made_of=made[:4],
            ),
            FigureLine(key="failures", label="Failed changes", value=0.056, unit="ratio", text="6 %", made_of=made[:1]),
            FigureLine(key="restore", label="Restored in", value=2460, unit="seconds", text="41 min", made_of=made[:1]),
        ),
    )
