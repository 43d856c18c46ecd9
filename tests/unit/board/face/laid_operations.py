"""Answers about jobs, connections, incidents, and the first view."""

from __future__ import annotations

from nightshift.board.models import (
    Ask,
    CellState,
    ConnectionLine,
    ConnectionsAnswer,
    ConnectionState,
    FreezeLine,
    IncidentLine,
    IncidentsAnswer,
    JobLine,
    JobsAnswer,
    JobState,
    LineTile,
    Link,
    NightTile,
    Overview,
    Press,
    PressKind,
    PromotionTile,
    Seen,
    SignInLine,
    SignInState,
    Trouble,
)
from tests.unit.board.face.laid_promotions import figures, lanes
from tests.unit.board.face.moments import LAST, NOW, SOURCES, ago, nights, press, soon


def jobs(*, allowed: bool = True) -> JobsAnswer:
    """Return a job that waits and one in doubt."""
    export = JobLine(
        vendor="Autodesk Token Flex",
        connection="tokenflex_default",
        dag_id="tokenflex_exports",
        run_id="r1",
        task_id="desktop_usage.wait",
        subject=f"tokenflex / desktop_usage, night {LAST}",
        job_id="9f2c4d16aed0",
        state=JobState.RUNNING,
        vendor_state="PROCESSING",
        asked=ago(minutes=38),
        waiting_seconds=2280,
        seen=ago(seconds=40),
        interval=60,
        next_look=soon(seconds=20),
        deadline=soon(hours=3),
        links=(Link(label="Run", href="dags/tokenflex_exports/runs/r1"),),
        presses=(
            press(
                PressKind.CANCEL,
                "Cancel",
                "The wait ends and the task fails. Autodesk has no call to cancel an export: it goes on there.",
                allowed=allowed,
                danger=True,
                asks=(Ask(name="reason", label="Reason"),),
            ),
        ),
    )
    doubt = JobLine(
        vendor="FlexDeploy",
        connection="flexdeploy_default",
        dag_id="promote_finance_sync",
        run_id="r2",
        task_id="PROD.deploy",
        subject="finance_sync, deploy 7.3.0 to PROD",
        state=JobState.UNKNOWN,
        asked=ago(hours=2),
        attempt=2,
        doubt="The answer to the request was lost, and FlexDeploy cannot list what it was given. Look there, then say "
        "how it is.",
        presses=(
            press(
                PressKind.ADOPT,
                "It is there",
                "The job of this id becomes the task's own.",
                allowed=allowed,
                asks=(Ask(name="id", label="Id at FlexDeploy"), Ask(name="reason", label="Reason")),
            ),
            press(
                PressKind.RESUBMIT,
                "It was never made",
                "FlexDeploy is asked again. If the first request was taken after all, it is done twice.",
                allowed=allowed,
                danger=True,
                asks=(Ask(name="reason", label="Reason"),),
            ),
        ),
    )
    return JobsAnswer(now=NOW, jobs=(doubt, export))


def connections(*, allowed: bool = True) -> ConnectionsAnswer:
    """Return one connection in each state."""

    def tried(connection: str) -> tuple[Press, ...]:
        return (
            press(
                PressKind.TEST,
                "Test",
                f"One small request is made with {connection}; nothing is changed at the vendor.",
                "api/v2/connections/test",
                allowed=allowed,
                needs="edit on connections",
            ),
        )

    saw = Seen(at=ago(minutes=6), dag_id="flexnet_reports", task_id="usage.extract")
    return ConnectionsAnswer(
        now=NOW,
        connections=(
            ConnectionLine(
                connection="flexnet_default",
                vendor="FlexNet Operations",
                type="flexnet",
                state=ConnectionState.GOOD,
                last_good=saw,
                used_by=("flexnet_reports",),
                presses=tried("flexnet_default"),
            ),
            ConnectionLine(
                connection="tokenflex_default",
                vendor="Autodesk Token Flex",
                type="tokenflex",
                state=ConnectionState.FAILING,
                last_good=saw.model_copy(update={"at": ago(days=1)}),
                last_error=Seen(
                    at=ago(minutes=3),
                    dag_id="tokenflex_exports",
                    task_id="desktop_usage.submit",
                    kind="rate_limited",
                    text="5 requests a minute are allowed; the next at 06:13.",
                ),
                sign_in=SignInLine(
                    state=SignInState.ENDS_SOON,
                    granted_by="ada",
                    granted=ago(days=12),
                    renewed=ago(hours=9),
                    ends=soon(days=2),
                    link=Link(label="Sign in at Autodesk", href="nightshift/tokenflex/"),
                ),
                used_by=("tokenflex_exports",),
                presses=tried("tokenflex_default"),
            ),
            ConnectionLine(
                connection="exago_default",
                vendor="Exago BI",
                type="exago",
                state=ConnectionState.UNSEEN,
                used_by=("exago_catalog",),
                presses=tried("exago_default"),
            ),
            ConnectionLine(
                connection="fd_prod",
                vendor="FlexDeploy",
                type="flexdeploy",
                state=ConnectionState.MISSING,
                used_by=("promote_finance_sync",),
                links=(Link(label="Add it", href="connections"),),
            ),
        ),
    )


def incidents() -> IncidentsAnswer:
    """Return one that is open and one that was closed."""
    return IncidentsAnswer(
        now=NOW,
        watched=ago(minutes=2),
        mean_seconds_to_restore=2460,
        incidents=(
            IncidentLine(
                id="i1",
                kind="late",
                subject="tokenflex/desktop_usage",
                night=LAST.isoformat(),
                title="desktop_usage is late",
                since=ago(minutes=12),
                updated=ago(minutes=2),
                cause="Autodesk still works on export …4d16aed0, asked at 02:04; usually 12 minutes.",
                advice="Wait, or ask Autodesk; a second export would not be faster.",
                depends=("license_portal", "finance_sync"),
                links=(Link(label="Run", href="dags/tokenflex_exports/runs/r1"),),
            ),
            IncidentLine(
                id="i0",
                kind="failed",
                subject="flexnet/usage",
                night=nights(30)[-10],
                title="usage failed",
                since=ago(days=9),
                closed=ago(days=8.97),
                cause="FlexNet asked to wait for an hour.",
            ),
        ),
    )


def overview(**more: object) -> Overview:
    """Return the first view."""
    ask = lanes().lanes[2].stages[1].waiting
    fields = {
        "now": NOW,
        "user": "ada",
        "version": "0.1.0",
        "timezones": dict.fromkeys(SOURCES, "Europe/Berlin"),
        "night": NightTile(
            night=LAST.isoformat(),
            reports=11,
            states={CellState.PUBLISHED: 9, CellState.RUNNING: 1, CellState.LATE: 1},
            late_since=ago(minutes=12),
        ),
        "promotions": PromotionTile(under_way=2, waiting=(ask,) if ask else ()),
        "line": LineTile(
            moving=True, freezes=(FreezeLine(name="year end", begins=soon(days=3), ends=soon(days=5), on=False),)
        ),
        "figures": figures().figures,
        "jobs": 2,
        "jobs_in_doubt": 1,
        "connections_failing": ("tokenflex_default",),
        "incidents_open": 1,
        "watched": ago(minutes=2),
    }
    return Overview(**{**fields, **more})


def trouble(part: str, text: str, of: str = "") -> Trouble:
    """Return a part that is not whole."""
    return Trouble(part=part, text=text, of=of)
