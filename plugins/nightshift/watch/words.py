"""What an incident is called, and what a person is told of it. Every text is plain: no markup, one line a sentence."""

from __future__ import annotations

from datetime import datetime

from nightshift.notify.message import Event, Message, Severity
from nightshift.watch.incident import Family, Incident, IncidentKind, Outcome, Update

_STATES = {
    IncidentKind.LATE: "is late",
    IncidentKind.STUCK: "is stuck",
    IncidentKind.MISSING: "is missing: nothing has begun",
    IncidentKind.EARLY: "is not whole: published before it was over",
    IncidentKind.PAUSED: "is missing: the DAG is paused",
    IncidentKind.FAILED: "has failed",
    IncidentKind.UNSOUND: "is unsound: a check does not hold",
    IncidentKind.DRIFTED: "has drifted: the vendor's columns changed",
}
_PLURAL = {"is": "are", "has": "have"}
_SHOWN = 6


def title_of(incident: Incident) -> str:
    """Return what an incident is called now."""
    many = len(incident.troubled or incident.members) > 1
    what = f"{_who(incident)}, night {incident.night},"
    if incident.outcome is Outcome.RESTORED:
        return f"{what} {'are' if many else 'is'} there"
    if incident.outcome is Outcome.EXPIRED:
        return f"{what} never came{' as a whole' if incident.kind is IncidentKind.EARLY else ''}"
    if incident.outcome is Outcome.DOUBLED:
        return f"{what} is told by another incident"
    if incident.outcome is Outcome.DROPPED:
        return f"{what} {'are' if many else 'is'} no longer waited for"
    if incident.family is Family.ALTERED:
        return f"{what} {'were' if many else 'was'} changed after publishing"
    return f"{what} {_state(incident.kind, many=many)}"


def told_at_open(incident: Incident) -> str:
    """Return the first line on an incident."""
    # That the DAG is paused says the title.
    return _sentence(title_of(incident), "" if incident.kind is IncidentKind.PAUSED else incident.cause)


def told_at_update(before: Incident, now: Incident) -> str:
    """Return what is to be said of a change; empty: nothing that a person would ask for."""
    back = [one.report for one in before.troubled if one.report not in {each.report for each in now.troubled}]
    there = {one.report for one in before.members}
    joined = [one.report for one in now.members if one.report not in there]
    parts = []
    if joined:
        parts.append(f"also {_some(joined)}")
    if back:
        parts.append(f"{_some(back)} {'is' if len(back) == 1 else 'are'} there")
    if (before.kind, before.cause) != (now.kind, now.cause):
        many = len(now.troubled) > 1
        state = _state(now.kind, many=many)
        parts.append(_sentence(f"now {'they' if many else 'it'} {state}", now.cause))
    return "; ".join(parts)


def told_at_close(incident: Incident) -> str:
    """Return the last line on an incident."""
    if incident.outcome is Outcome.RESTORED and incident.until is not None:
        late = duration((incident.until - incident.since).total_seconds())
        return f"{title_of(incident)} since {moment(incident.until)}, after {late}"
    return title_of(incident)


def what_to_press(incident: Incident) -> str:
    """Return what a person can do now."""
    night, dag = incident.night, incident.dag_id
    run = f"{dag}, run of {night}"
    match incident.kind:
        case IncidentKind.PAUSED:
            return f"Unpause the DAG {dag}; then trigger it with the partition key {night}."
        case IncidentKind.MISSING:
            return (
                f"Look whether Airflow's scheduler lives and the DAG {dag} is there; then trigger it with the "
                f"partition key {night}."
            )
        case IncidentKind.EARLY:
            return f"Trigger {dag} with the partition key {night}: it is over now, and comes home whole."
        case IncidentKind.STUCK:
            return f"Look at the pool and the executor that {run}, waits for: free slots, living workers."
        case IncidentKind.LATE:
            return f"Open {run}: the log of the task that works tells how far it is. Nothing has to be pressed yet."
        case IncidentKind.FAILED:
            return f"Open {run}: read the failed task's last line, and clear the task."
        case IncidentKind.DRIFTED:
            return (
                f"Compare the columns with the vendor; allow the change in schema_rules of reports.yaml, and clear the "
                f"publish task in {run}. The vendor is not asked again."
            )
        case IncidentKind.UNSOUND if incident.family is Family.ALTERED:
            return f"Find out who writes to the table besides Nightshift; then run {dag} for {night} with Force."
        case IncidentKind.UNSOUND:
            return (
                f"Look whether the vendor is right; then extract the night again, or widen the check in reports.yaml, "
                f"and clear the publish task in {run}."
            )


def text_of(incident: Incident) -> str:
    """Return all that a message says below its title, a line each."""
    newest = incident.updates[-1] if incident.updates else None
    lines = [newest.text if newest is not None and newest.event is not Event.OPENED else ""]
    if incident.is_open:
        lines.append(f"Since: {moment(incident.since)}")
        if incident.cause:
            lines.append(f"Likely cause: {incident.cause}")
    if len(incident.members) > 1:
        lines.append(f"Reports: {_some([one.report for one in incident.troubled or incident.members])}")
    if incident.is_open and incident.depends.promotions:
        lines.append(f"Waiting for it: {_some(list(incident.depends.promotions))}")
    if incident.press:
        lines.append(f"What to do: {incident.press}")
    return "\n".join(line for line in lines if line)


def message_of(incident: Incident, update: Update, base_url: str | None = None) -> Message:
    """Return what a channel is told of an incident, as it stands after an update.

    :param base_url: where Airflow's UI is
    """
    severity = Severity.WARNING if incident.kind in (IncidentKind.LATE, IncidentKind.STUCK) else Severity.ERROR
    return Message(
        key=incident.id,
        number=update.number,
        topic="nights",
        event=update.event,
        title=title_of(incident),
        text=text_of(incident),
        severity=severity if incident.is_open else Severity.INFO,
        source=incident.subject.name,
        at=update.at,
        link=f"{base_url.rstrip('/')}/dags/{incident.dag_id}" if base_url and incident.dag_id else None,
        facts=incident.model_dump(mode="json", exclude={"notified"}),
    )


def moment(at: datetime) -> str:
    """Return a moment for people."""
    return at.strftime("%Y-%m-%d %H:%M %Z")


def duration(seconds: float) -> str:
    """Return a span of time for people."""
    minutes = round(max(0.0, seconds) / 60)
    days, minutes = divmod(minutes, 1440)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(part for part in parts if part) or "less than a minute"


def _state(kind: IncidentKind, *, many: bool) -> str:
    verb, _, rest = _STATES[kind].partition(" ")
    return f"{_PLURAL[verb] if many else verb} {rest}"


def _who(incident: Incident) -> str:
    if incident.subject.kind == "report":
        return incident.subject.name
    return f"{incident.subject.name}: {len(incident.troubled or incident.members)} reports"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _sentence(what: str, cause: str) -> str:
    return f"{what} ({cause})" if cause else what
