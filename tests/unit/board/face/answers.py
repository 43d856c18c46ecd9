"""Answers of the board's routes, made of the models that the routes answer with, so that no field can be one that there is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from nightshift.board.models import (
    ApiCall,
    Ask,
    AttemptLine,
    CellDetail,
    CellNote,
    CellState,
    CheckLine,
    ConnectionLine,
    ConnectionsAnswer,
    ConnectionState,
    ExtractLine,
    FigureLine,
    FiguresAnswer,
    FreezeLine,
    HoldLine,
    IncidentLine,
    IncidentsAnswer,
    JobLine,
    JobsAnswer,
    JobState,
    Lane,
    Lanes,
    LaneStage,
    LineTile,
    Link,
    NightsGrid,
    NightTile,
    Overview,
    Press,
    PressKind,
    PromotionLine,
    PromotionTile,
    ReportRow,
    Seen,
    SignInLine,
    SignInState,
    StageState,
    StepLine,
    TableLine,
    TimeLine,
    Trouble,
    VersionShown,
    WaitFor,
    WaitLine,
)

NOW = datetime.now(UTC).replace(microsecond=0)
"""The page counts from the answers' own clock; only what a browser formats as today follows its own."""
LAST = (NOW - timedelta(days=1)).date()
EVIL = "<img src=x onerror=alert(1)>"
SOURCES = {
    "flexnet": ("entitlement", "device", "fulfillment", "account", "user", "usage"),
    "tokenflex": ("desktop_usage",),
    "camunda_optimize": ("invoice_instances", "invoices_a_month"),
    "exago": ("tree", "tree_changes"),
}
DAGS = {"tokenflex": "tokenflex_exports", "camunda_optimize": "camunda_reports", "exago": "exago_catalog"}


def ago(**span: float) -> datetime:
    """Return a moment before now."""
    return NOW - timedelta(**span)


def soon(**span: float) -> datetime:
    """Return a moment after now."""
    return NOW + timedelta(**span)


def nights(count: int, last: date = LAST) -> tuple[str, ...]:
    """Return as many nights, oldest first."""
    return tuple((last - timedelta(days=number)).isoformat() for number in reversed(range(count)))


def row(source: str, report: str, days: tuple[str, ...], number: int = 0, **more: object) -> ReportRow:
    """Return a report that was published every night, with fewer rows on weekends."""
    rows = [
        int(
            (400 + number * 137)
            * (0.45 if date.fromisoformat(day).weekday() > 4 else 1)
            * (0.8 + (at * 7 + number * 3) % 9 / 20)
        )
        for at, day in enumerate(days)
    ]
    usual = (400 + number * 137) * 0.95
    shades = [
        round(
            rows[at]
            / usual
            / (0.45 if date.fromisoformat(day).weekday() > 4 else 1)
            * (0.7 + (at * 5 + number) % 8 / 12),
            3,
        )
        for at, day in enumerate(days)
    ]
    fields = {
        "dag_id": DAGS.get(source, f"{source}_reports"),
        "due": "06:00" if number % 3 == 0 else "",
        "due_timezone": "Europe/Berlin",
        "states": tuple(CellState.PUBLISHED for _ in days),
        "rows": tuple(rows),
        "shade": tuple(shades),
        "waited_for_by": ("license_portal",) if number % 2 == 0 else (),
    }
    return ReportRow(source=source, report=report, **{**fields, **more})


def changed(
    line: ReportRow, at: int, state: CellState, note: CellNote | None = None, days: tuple[str, ...] = ()
) -> ReportRow:
    """Return a report with another state in one night; what is not there has no rows."""
    gone = state not in (CellState.PUBLISHED, CellState.REBUILT, CellState.EMPTY, CellState.UNSOUND)
    states, rows, shade = list(line.states), list(line.rows), list(line.shade)
    states[at] = state
    rows[at] = None if gone else 0 if state is CellState.EMPTY else rows[at]
    shade[at] = None if gone else shade[at]
    notes = {**line.notes, **({days[at]: note} if note else {})}
    return line.model_copy(update={"states": tuple(states), "rows": tuple(rows), "shade": tuple(shade), "notes": notes})


def grid(count: int = 30) -> NightsGrid:
    """Return four sources in which everything has happened that can."""
    days = nights(count)
    lines = {
        (source, report): row(source, report, days, number)
        for number, (source, report) in enumerate((one, name) for one, names in SOURCES.items() for name in names)
    }

    def mark(source: str, report: str, at: int, state: CellState, note: CellNote | None = None) -> None:
        lines[source, report] = changed(lines[source, report], at, state, note, days)

    for report in SOURCES["flexnet"]:
        mark("flexnet", report, -18, CellState.REBUILT, CellNote(rebuilt=True))
    mark(
        "flexnet",
        "usage",
        -10,
        CellState.FAILED,
        CellNote(text="RateLimited: FlexNet asked to wait 3,600 s; the night's window was over."),
    )
    mark("flexnet", "device", -1, CellState.RUNNING, CellNote(running=True))
    mark("flexnet", "account", -4, CellState.PUBLISHED, CellNote(added=("CostCenter",)))
    mark(
        "tokenflex",
        "desktop_usage",
        -1,
        CellState.LATE,
        CellNote(late_since=ago(minutes=12), text="Autodesk still works on the export."),
    )
    for at in range(-count, -22):
        mark("camunda_optimize", "invoices_a_month", at, CellState.NEVER)
    mark(
        "camunda_optimize", "invoice_instances", -6, CellState.DRIFTED, CellNote(text="The column amount became text.")
    )
    mark("exago", "tree_changes", -3, CellState.EMPTY)
    mark("exago", "tree_changes", -9, CellState.EMPTY)
    mark("exago", "tree", -15, CellState.UNSOUND, CellNote(text="The table has 12 rows fewer than were committed."))
    return NightsGrid(
        now=NOW,
        nights=days,
        newest=days[-1],
        earlier=(date.fromisoformat(days[0]) - timedelta(days=1)).isoformat(),
        timezones=dict.fromkeys(SOURCES, "Europe/Berlin"),
        reports=tuple(lines.values()),
    )


def great_grid(reports: int = 100, count: int = 90) -> NightsGrid:
    """Return as many reports by as many nights."""
    days = nights(count)
    lines = tuple(row(f"source_{number // 25}", f"report_{number:03}", days, number) for number in range(reports))
    return NightsGrid(now=NOW, nights=days, newest=days[-1], reports=lines)


def press(kind: PressKind, label: str, says: str, path: str = "", *, allowed: bool = True, **more: object) -> Press:
    """Return something to press, which makes one call."""
    fields = {
        "calls": (ApiCall(method="POST", path=path or f"api/v2/dags/flexnet_reports/{kind}", body={}),),
        "needs": "edit on the DAG flexnet_reports",
        "allowed": allowed,
    }
    return Press(kind=kind, label=label, says=says, **{**fields, **more})


def hold_press(application: str | None = None, *, allowed: bool = True) -> Press:
    """Return the press that stops the line."""
    whose = application or "all applications"
    return press(
        PressKind.HOLD,
        "Hold" if application else "Stop the line",
        f"No stage of {whose} is deployed until the hold is lifted or ends. What is being deployed now is not stopped.",
        allowed=allowed,
        needs="edit on the DAG of each application",
        danger=application is None,
        asks=(Ask(name="reason", label="Reason"), Ask(name="until", label="Until", kind="moment", optional=True)),
        calls=(
            ApiCall(
                method="POST",
                path="nightshift/board/api/holds",
                body={"application": application, "reason": "${reason}", "until": "${until}"},
            ),
        ),
    )


def cell(
    source: str = "flexnet",
    report: str = "entitlement",
    night: str = "",
    state: CellState = CellState.PUBLISHED,
    *,
    allowed: bool = True,
) -> CellDetail:
    """Return one night of one report, with all that can be said and pressed."""
    night = night or LAST.isoformat()
    there = state in (CellState.PUBLISHED, CellState.REBUILT)
    dag = DAGS.get(source, f"{source}_reports")
    run = f"scheduled__{night}"
    return CellDetail(
        source=source,
        report=report,
        night=night,
        state=state,
        note=CellNote()
        if there
        else CellNote(
            late_since=ago(minutes=12),
            text="Autodesk still works on export …4d16aed0, asked at 02:04; usually 12 minutes.",
        ),
        rows=12400 if there else None,
        published_rows=12400 if there else None,
        bytes=1_234_567 if there else None,
        seconds=94 if there else None,
        usual=11800,
        usual_of=8,
        published=ago(hours=5) if there else None,
        version=417 if there else None,
        due=ago(hours=1),
        checks=(
            CheckLine(name="not_empty", ok=True, detail="12,400 rows"),
            CheckLine(name="unique_key", ok=True, detail="EntitlementID"),
        )
        if there
        else (),
        table=TableLine(path=f"tables/{source}/{report}", version=417, nights=388, rows=4_812_004),
        extract=ExtractLine(
            path=f"raw/{source}/{report}/night={night}/01JDX",
            pages=25,
            rows=12400,
            bytes=9_400_000,
            attempt=2,
            started=ago(hours=5),
            finished=ago(hours=5),
        )
        if there
        else None,
        attempts=(
            AttemptLine(
                run_id=run,
                run_type="scheduled",
                state="success" if there else "running",
                started=ago(hours=6),
                seconds=312,
                tasks={f"{report}.extract": "success", f"{report}.publish": "success" if there else "none"},
                links=(Link(label=run, href=f"dags/{dag}/runs/{run}"),),
            ),
        ),
        last_good=(LAST - timedelta(days=1)).isoformat(),
        depends=("license_portal", "finance_sync"),
        links=(
            Link(label="Log of the task", href=f"dags/{dag}/runs/{run}"),
            Link(label="Vendor's page", href="https://vendor.example/export/1"),
        ),
        presses=(
            press(
                PressKind.RUN,
                "Run this night",
                f"A run of {dag} is started for the night {night}, for {report} alone.",
                f"api/v2/dags/{dag}/dagRuns",
                allowed=allowed,
            ),
            press(
                PressKind.CLEAR_PUBLISH,
                "Publish again",
                "The task publish runs again from the landing; the vendor is not asked.",
                allowed=allowed,
            ),
            press(
                PressKind.FORCE,
                "Force",
                "The vendor is asked again, and what is published is replaced also by what is unchanged.",
                allowed=allowed,
                danger=True,
            ),
        ),
    )


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
        missing=("tokenflex/desktop_usage",),
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
            stage("DEV", StageState.VERIFIED, "7.3.0", since=ago(hours=5)),
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
        doubt="The answer to the request was lost, and FlexDeploy cannot list what it was given. Look there, then say how it is.",
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
    }
    return Overview(**{**fields, **more})


def trouble(part: str, text: str, of: str = "") -> Trouble:
    """Return a part that is not whole."""
    return Trouble(part=part, text=text, of=of)
