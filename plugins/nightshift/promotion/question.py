"""What a person needs to decide: the question in words, as Markdown. Whatever others wrote stands in it as it is, and
does nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from nightshift.promotion.form import PromotionRequest
from nightshift.promotion.record import Offer, PromotionRecord, PromotionStep, ReportSeen, Running
from nightshift.promotion.rules.progress import built
from nightshift.promotion.rules.verification import proofs
from nightshift.promotion.vocabulary import StepKind

if TYPE_CHECKING:
    from datetime import datetime

    from nightshift.promotion.record import Version
    from nightshift.promotion.rules.freeze import FreezeNow
    from nightshift.promotion.rules.people import Quorum
    from nightshift.promotion.terms import Terms


NOT_SHOWN_APART = frozenset({"inputs", "change_tickets", "flex_fields", "environment", "environment_id"})
Doubts = Mapping[str, PromotionStep]
"""Stage → its newest deployment whose end is not known to be good."""


def stage_summary(
    record: PromotionRecord, stage: str, now_running: Mapping[str, Running | None], terms: Terms, doubts: Doubts
) -> tuple[str, str]:
    """Return subject and body of the question whether a version may go to a stage.

    :param now_running: stage → what runs there
    :param doubts: stage → what is not known to have ended well there
    """
    night = f", night {record.night}" if record.night else ""
    version, request = record.version, PromotionRequest.of(record.form)
    lines = [
        f"**{record.application}**: deploy version {code(version)} to **{stage}**, which runs "
        f"{_where(now_running.get(stage), doubts.get(stage))}.",
        "",
        *_emergency(request),
        *(f"* {line}" for line in _what(record, request)),
        "",
        f"*Approve* allows all of this{_onward(record, stage, terms)}:",
        "",
        *(line for label, found in terms.of(record).items() for line in term_lines(label, found, request)),
        *(line for label in terms.of(record) if label in record.doubted for line in _by_force(label)),
        f"*Reject* ends this promotion; what it brought to {_through(record, stage) or 'no stage yet'} stays there.",
        *_stages(record, now_running, doubts),
        *_proofs(record),
        *_reports(record),
        "",
        terms_line(terms.digest(record, version)),
    ]
    return f"{record.application}: {visible(version)} to {stage}?{night}", "\n".join(lines)


def roll_back_summary(
    record: PromotionRecord, offer: Offer, now_running: Mapping[str, Running | None], terms: Terms, doubts: Doubts
) -> tuple[str, str]:
    """Return subject and body of the question whether a stage is to be rolled back.

    :param now_running: stage → what runs there
    :param doubts: stage → what is not known to have ended well there
    """
    request = PromotionRequest.of(record.form)
    lines = [
        f"**{offer.stage}** of **{record.application}** failed while {code(record.version)} was brought there:",
        "",
        f"* {code(offer.why)}",
        f"* before this promotion, the records say, it ran {code(offer.version)}",
        "* what runs there now is not known: it may be either, or a part of "
        f"each{_seen(now_running.get(offer.stage), offer)}",
        *([f"* **what it ran before is known to be bad as well**: {code(offer.revoked)}"] if offer.revoked else []),
        "",
        f"*Approve* deploys {code(offer.version)} there again, "
        f"{'although it was revoked, and ' if offer.revoked else ''}even where FlexDeploy thinks that it is there:",
        "",
        *(line for label, found in terms.of(record).items() for line in term_lines(label, found, request)),
        "*Reject* leaves the stage as it is.",
        *_stages(record, now_running, doubts),
        "",
        terms_line(terms.digest(record, offer.version)),
    ]
    return f"{record.application}: {offer.stage} failed, bring back {visible(offer.version)}?", "\n".join(lines)


def quorum_lines(record: PromotionRecord, task: str, quorum: Quorum) -> str:
    """Return who has to answer a question, and where it is seen who has answered what so far: Airflow keeps the text of
    a question as it was first asked.
    """
    many = (
        f"**{quorum.at_least} different people** have to approve"
        if quorum.at_least > 1
        else "One person has to approve"
    )
    but = f", and not {code(quorum.requester)}, who asked for it" if quorum.requester else ""
    picture = (
        f"nightshift/board/questions/{quote(record.application)}/{quote(record.run_id, safe='')}/{quote(task)}.svg"
    )
    return (
        f"{many}{but}. A no needs a reason: without one it stands in the way until it is given or changed.\n\n"
        f"![Who has answered what so far]({picture})"
    )


def freeze_summary(
    record: PromotionRecord,
    stage: str,
    version: Version | None,
    terms: Terms,
    frozen: Sequence[FreezeNow],
    digest: str,
    *,
    at: datetime,
    goes: datetime | None,
    is_of_use: bool = True,
) -> tuple[str, str, str]:
    """Return subject and body of the question whether freezes are overridden for a stage, and the digest of all that it
    shows.

    :param digest: that of the terms
    :param at: when it is asked
    :param goes: when it may go then; ``None``: nobody knows
    :param is_of_use: whether it may go earlier than without
    """
    when = "now," if goes == at else f"at {_time(goes)}, when all else lets it," if goes else "once all else lets it,"
    request = PromotionRequest.of(record.form)
    shown = json.dumps([digest, *sorted((one.freeze.name, one.since.isoformat()) for one in frozen)])
    line = hashlib.sha256(shown.encode()).hexdigest()[:16]
    lines = [
        f"**{stage}** of **{record.application}** is frozen:",
        "",
        *(
            f"* {code(one.freeze.name)} until {_time(one.until)}: {code(one.freeze.reason)}; "
            f"{', '.join(map(code, one.freeze.override)) or 'nobody'} may override it"
            for one in frozen
        ),
        "",
        f"*Override* lets {code(version)} go there {when} in this promotion alone, with a reason that is kept. It is "
        "of this, and of nothing else:",
        "",
        *_emergency(request),
        *term_lines(stage, terms.of(record)[stage], request),
        "Without it, the step waits until the freeze ends."
        if is_of_use
        else "Without it, the step goes then as well: the freeze is over by that time.",
        "",
        terms_line(line),
    ]
    return f"{record.application}: {stage} is frozen, override for {visible(version)}?", "\n".join(lines), line


def terms_line(digest: str) -> str:
    """Return the line by which a question is known again."""
    return f"Terms `{digest}`"


def _where(here: Running | None, doubt: PromotionStep | None) -> str:
    if doubt is not None:
        before = f"; before it the records tell {code(here.version)}" if here else ""
        return f"nobody knows what: {code(doubt.words)}{before}"
    return f"{code(here.version)} since {_time(here.since)}" if here else "a version that no record tells"


def _seen(here: Running | None, offer: Offer) -> str:
    if here is None or here.version.id == offer.version.id:
        return ""
    return f"; the records say that {code(here.version)} was deployed there since"


def _emergency(request: PromotionRequest) -> list[str]:
    if not request.emergency:
        return []
    why = f"**EMERGENCY**: this version need not have run in the stage before {request.from_stage}. Reason given:"
    return [f"{why} {code(request.emergency)}", ""]


def _what(record: PromotionRecord, request: PromotionRequest) -> Iterator[str]:
    build = next(iter(record.steps_of({StepKind.BUILD})), None)
    if built(record) is not None and build is not None:
        number = link(f"workflow request {', '.join(map(str, build.requests))}", build.url)
        asked = "a person asked for it" if record.by else "the night is complete"
        yield f"Built {_time(build.ended)} ({number}) because {asked}"
        if request.force_build:
            yield "**changed by the form**: built even where nothing had changed"
        yield from (
            f"**given in the form**: build input {code(name)}: {code(request.build_inputs[name])}"
            for name in request.build_inputs
        )
        yield from (f"**given in the form**: issue ticket {code(one)}" for one in request.related_tickets)
    elif record.version is not None:
        given = (
            "**the version was given in the form**"
            if request.version_id
            else "nothing had changed, it was built before"
        )
        yield f"Not built by this promotion: {given}"
    yield f"Asked for by {code(record.by)}" if record.by else f"Night {record.night}"
    whole = (
        f"**changed by the form**: only {' → '.join(record.stages)}" if request.from_stage or request.to_stage else None
    )
    yield whole or f"Stages: {' → '.join(record.stages)}"


def _onward(record: PromotionRecord, stage: str, terms: Terms) -> str:
    further = [label for label in terms.of(record) if label != stage]
    if not further:
        return ""
    return f", and goes on to **{', '.join(further)}** without another question"


def _stages(record: PromotionRecord, now_running: Mapping[str, Running | None], doubts: Doubts) -> Iterator[str]:
    yield from ("", "What runs where, as the records tell:", "")
    for stage, running in now_running.items():
        since = f" since {_time(running.since)}" if running else ""
        doubt = f"; **in doubt**: {code(doubts[stage].words)}" if stage in doubts else ""
        other = f"; {code(record.elsewhere[stage])}" if running is None and stage in record.elsewhere else ""
        yield f"* {stage}: {code(running.version) if running else 'not known'}{other}{since}{doubt}"


def _proofs(record: PromotionRecord) -> Iterator[str]:
    if not (found := proofs(record)):
        return
    yield from ("", "What was verified in the stages before:", "")
    for stage, proof in found.items():
        lacks = f"**{code(proof.lacks)}**" if proof.lacks else ""
        yield f"* {stage}: {'; '.join(part for part in (*map(code, proof.seen), lacks) if part)}"


def _reports(record: PromotionRecord) -> Iterator[str]:
    if not record.reports:
        return
    yield from ("", "The reports that it depends on, as the lake tells:", "")
    yield from (f"* {_report(one)}" for one in record.reports)


def _report(report: ReportSeen) -> str:
    if report.published is None:
        return f"{code(report.name)}: **not published**"
    rows = "rows not known" if report.rows is None else f"{report.rows:,} rows"
    passed = [name for name in report.checks if name not in report.failed]
    failed = [f"**failed: {code(name)}** ({code(report.checks.get(name, ''))})" for name in report.failed]
    checks = "; ".join([*failed, *([f"passed: {', '.join(map(code, passed))}"] if passed else [])]) or "no checks"
    return f"{code(report.name)}, night {report.night}: {rows}; {checks}"


def _by_force(stage: str) -> Iterator[str]:
    yield f"Nobody knows what runs in **{stage}**, so it is deployed there even where FlexDeploy takes it to be there."
    yield ""


def _through(record: PromotionRecord, stage: str) -> str:
    done = record.stages[: record.stages.index(stage)] if stage in record.stages else ()
    return ", ".join(done)


def _time(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def code(text: object) -> str:
    """Return a text as a code span, in which Markdown knows no links, images, HTML, emphasis or addresses.

    What cannot be seen (line breaks, controls, marks that turn the direction of writing) is shown as its escape. Not
    for a cell of a table: there a ``|`` would still end the cell.
    """
    shown = visible(text)
    if not shown:
        return "(empty)"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    # One space on both sides is taken away again, so one that is part of the text stays.
    pad = " " if shown.strip() and (shown.startswith(("`", " ")) or shown.endswith(("`", " "))) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def visible(text: object) -> str:
    """Return a text in one line, with every character that cannot be seen (a line break, say) as its escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text))


def link(words: str, url: str | None) -> str:
    """Return words of ours as a link; without one where it leads to no web page.

    :param words: must not come from anybody else
    """
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return words
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return words
    return f"[{words}](<{quote(str(url), safe=':/?#@!$&*+,;=%~-._')}>)"


def term_lines(label: str, found: Mapping[str, Any], request: PromotionRequest) -> Iterator[str]:
    """Yield what a stage is asked for, a line of Markdown each; what a person changed is told as a difference."""
    where = found.get("environment") or f"environment {found.get('environment_id')}"
    yield f"**{label}** ({code(where)})"
    yield ""
    yield from (f"* {line}" for line in _stage_lines(found, request))
    yield ""


def _stage_lines(found: Mapping[str, Any], request: PromotionRequest) -> Iterator[str]:
    yield from pair_lines("input", found.get("inputs", {}), request.inputs)
    yield from pair_lines("FlexField", found.get("flex_fields", {}), {})
    yield from ticket_lines("change ticket", found.get("change_tickets", ()), request.change_tickets)
    for name, value in found.items():
        if name not in NOT_SHOWN_APART:
            yield f"{name.replace('_', ' ')}: {code(_text(value))}"


def pair_lines(what: str, of_file: Mapping[str, str], of_form: Mapping[str, str]) -> Iterator[str]:
    """Yield each code with its value: as configured, or how the form differs."""
    for name, value in of_file.items():
        if name not in of_form or of_form[name] == value:
            yield f"{what} {code(name)}: {code(value)}"
    for name, value in of_form.items():
        if name not in of_file:
            yield f"**added by the form**: {what} {code(name)}: {code(value)}"
        elif of_file[name] != value:
            yield f"**changed by the form**: {what} {code(name)}: {code(value)} (configured: {code(of_file[name])})"


def ticket_lines(what: str, of_file: Any, of_form: Any) -> Iterator[str]:
    """Yield each ticket, and whether the form adds it."""
    yield from (f"{what} {code(one)}" for one in of_file)
    yield from (f"**added by the form**: {what} {code(one)}" for one in of_form)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
