"""What a person needs to decide: the question in words, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightshift.promotion.record import Kind, Record, ReportSeen, Running
from nightshift.promotion.versions import built

TICKS = str.maketrans({"|": "\\|", "\n": " ", "<": "&lt;", ">": "&gt;"})


def stage_summary(record: Record, stage: str, now_running: Mapping[str, Running | None]) -> tuple[str, str]:
    """Return subject and body of the question whether a version may go to a stage.

    :param record: of the promotion
    :param stage: the stage
    :param now_running: stage → what runs there
    """
    night = f", night {record.night}" if record.night else ""
    subject = f"{record.application}: {record.version} to {stage}?{night}"
    here = now_running.get(stage)
    lines = [
        f"**{record.application}**: deploy version **{record.version}** to **{stage}**, which runs "
        f"{f'**{here.version}** since {_time(here.since)}' if here else 'a version that no record tells'}.",
        "",
        *_what(record),
        *_stages(record, now_running),
        *_reports(record),
        "",
        f"*Reject* ends this promotion; what it brought to {_through(record, stage) or 'no stage yet'} stays there.",
    ]
    return subject, "\n".join(lines)


def roll_back_summary(
    record: Record, offer: Mapping[str, Any], now_running: Mapping[str, Running | None]
) -> tuple[str, str]:
    """Return subject and body of the question whether a stage is to be rolled back.

    :param record: of the promotion
    :param offer: what the offering task returned
    :param now_running: stage → what runs there
    """
    subject = f"{record.application}: {offer['stage']} failed, bring back {offer['version_words']}?"
    lines = [
        f"**{offer['stage']}** of **{record.application}** failed while {record.version} was brought there:",
        "",
        f"> {_cell(offer['why'])}",
        "",
        f"*Approve* deploys **{offer['version_words']}**, which ran there before, again. *Reject* leaves the stage as it is.",
        "",
        *_stages(record, now_running),
    ]
    return subject, "\n".join(lines)


def _what(record: Record) -> list[str]:
    build = next(iter(record.steps_of({Kind.BUILD})), None)
    if built(record) is not None and build is not None:
        link = f" ([workflow request {', '.join(map(str, build.requests))}]({build.url}))" if build.url else ""
        lines = [
            f"* Built {_time(build.ended)}{link} because "
            + ("a person asked for it" if record.by else "the night is complete")
        ]
    elif record.version is not None:
        lines = [
            "* Not built by this promotion: "
            + ("the version was given" if record.form.get("version_id") else "nothing had changed, it was built before")
        ]
    else:
        lines = []
    lines.append(f"* Asked for by {record.by}" if record.by else f"* Night {record.night}")
    tickets = [*record.form.get("related_tickets", ()), *record.form.get("change_tickets", ())]
    if tickets:
        lines.append(f"* Tickets: {', '.join(_cell(one) for one in tickets)}")
    return lines


def _stages(record: Record, now_running: Mapping[str, Running | None]) -> list[str]:
    rows = ["", "| stage | runs | since |", "| --- | --- | --- |"]
    for stage, running in now_running.items():
        what, since = (str(running.version), _time(running.since)) if running else ("not known", "")
        rows.append(f"| {stage} | {_cell(what)} | {since} |")
    return rows


def _reports(record: Record) -> list[str]:
    if not record.reports:
        return []
    rows = ["", "| report | night | rows | checks |", "| --- | --- | --- | --- |"]
    return [*rows, *(_report(one) for one in record.reports)]


def _report(report: ReportSeen) -> str:
    if report.published is None:
        return f"| {report.name} | **not published** | | |"
    rows = "" if report.rows is None else f"{report.rows:,}"
    passed = ", ".join(name for name in report.checks if name not in report.failed)
    failed = [f"**failed: {_cell(name)}** ({_cell(report.checks.get(name, ''))})" for name in report.failed]
    checks = "; ".join([*failed, *([f"passed: {_cell(passed)}"] if passed else [])]) or "none"
    return f"| {report.name} | {report.night or ''} | {rows} | {checks} |"


def _through(record: Record, stage: str) -> str:
    done = record.stages[: record.stages.index(stage)] if stage in record.stages else ()
    return ", ".join(done)


def _time(moment: Any) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else ""


def _cell(text: str) -> str:
    return str(text).translate(TICKS)
