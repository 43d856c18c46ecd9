"""What becomes of the incidents: one pure decision, from what has to be there, what is there, the clock, and what was
known before.

One night of a report has one incident a family at a time, whatever it is called from one look to the next. Reports of
one source that get into the same trouble for the same cause share one, so that a source that stands still is one
message. Somebody is told when an incident opens, when it gets graver than it was ever told to be, when further reports
join it, and when it is over; what else changes is written down only.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nightshift.notify.message import Event
from nightshift.watch.expected import ExpectedNight
from nightshift.watch.incident import (
    Dependents,
    Family,
    Incident,
    IncidentKind,
    Member,
    Outcome,
    Subject,
    Update,
    gravity,
)
from nightshift.watch.words import told_at_close, told_at_open, told_at_update, what_to_press

NO_MORE_ATTEMPTS = timedelta(hours=1)
"""After that long without another attempt one that failed counts as the last."""
FINAL = frozenset({IncidentKind.FAILED, IncidentKind.UNSOUND, IncidentKind.DRIFTED})
"""What does not pass by itself, so that another cause of it is worth a message."""


class Sight(StrEnum):
    """What the lake shows of a night of a report."""

    SOUND = "sound"
    """It is in the table, as it was published."""
    ALTERED = "altered"
    """It is in the table, and somebody has changed it since."""
    EARLY = "early"
    """It is in the table, as it was before it was over."""
    UNSOUND = "unsound"
    """It was not published: a check did not hold."""
    DRIFTED = "drifted"
    """It was not published: the columns do not fit."""
    FAILED = "failed"
    """It was not brought home, or not published, for another reason."""
    FAILING = "failing"
    """An attempt has failed, and another may come."""
    BEGUN = "begun"
    """Something of it is landed."""
    NOTHING = "nothing"
    """There is no trace of it."""
    UNKNOWN = "unknown"
    """The lake could not be read: that decides nothing."""


_KINDS = {
    Sight.UNSOUND: IncidentKind.UNSOUND,
    Sight.DRIFTED: IncidentKind.DRIFTED,
    Sight.FAILED: IncidentKind.FAILED,
    Sight.ALTERED: IncidentKind.UNSOUND,
}
_RIGHT = {Family.ABSENT: {Sight.SOUND, Sight.ALTERED}, Family.ALTERED: {Sight.SOUND}}


@dataclass(frozen=True)
class NightSeen:
    """What the lake shows.

    :param sight: in a word
    :param at: since when: published, failed or begun; ``None`` where that is not known
    :param why: what is wrong, in one line; no secrets
    """

    sight: Sight
    at: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Reason:
    """Why a night that is due is not there, as far as Airflow tells.

    :param kind: what that makes of it
    :param cause: in one line
    """

    kind: IncidentKind
    cause: str


Key = tuple[str, str]
"""Report (``<source>/<report>``) and night."""
_Trouble = tuple[str, str, Family]
"""Report, night and what it is about: of all that is wrong with a night there is one incident."""


@dataclass(frozen=True)
class Observed:
    """All that is known at one look.

    :param now: the moment
    :param expected: the nights that are over and have to be there
    :param seen: report and night → what the lake shows; one that is missing shows nothing
    :param reasons: report and night → what Airflow tells of it, where it was asked
    :param first: the first night that is watched at all
    :param promotions: application → the reports that it waits for
    :param unjudged: sources of which nobody knows what their section says, and reports whose nights cannot be read:
        what is known of them stays as it is
    """

    now: datetime
    expected: Sequence[ExpectedNight]
    seen: Mapping[Key, NightSeen]
    reasons: Mapping[Key, Reason]
    first: str
    promotions: Mapping[str, Sequence[str]]
    unjudged: Collection[str] = frozenset()

    def of(self, key: Key) -> NightSeen:
        """Return what the lake shows of a night."""
        return self.seen.get(key, NightSeen(Sight.NOTHING))


def decide(look: Observed, known: Sequence[Incident], taken: Collection[str] = ()) -> tuple[Incident, ...]:
    """Return the next revision of every incident that changes, and the first of each that opens.

    :param known: the incidents of the nights that are watched, and of some before them, open and closed
    :param taken: ids that no new incident may have, beside those of the known ones
    """
    expected = {one.key: one for one in look.expected}
    fresh = _fresh(look)
    changes: dict[str, Incident] = {}
    held: set[_Trouble] = set()
    for incident in known:
        if not incident.is_open:
            continue
        held |= _troubles(incident, incident.troubled)
        if incident.source in look.unjudged:
            continue
        changes[incident.id] = _followed(incident, look, expected, fresh)
    for night, family, members in _grouped(fresh, held):
        joined = _fitting(changes.values(), night, family, members[0])
        if joined is not None:
            changes[joined.id] = _joined(joined, members)
        else:
            ids = {*taken, *changes, *(one.id for one in known)}
            opened = _opened(night, family, members, look, expected, ids)
            changes[opened.id] = opened
    before = {one.id: one for one in known}
    told = (_told(before.get(one.id), one, look) for one in changes.values())
    return tuple(one for one in told if one is not None)


def uncovered(look: Observed, known: Sequence[Incident]) -> tuple[Incident, ...]:
    """Return what is wrong and told by no incident, as the incidents that would have to be there.

    :param known: the incidents as they are in the lake after a look; one that another watcher has closed since the look
        began was told
    """
    covered: set[_Trouble] = set()
    for one in known:
        if one.is_open:
            covered |= _troubles(one, one.troubled)
        elif one.closed is not None and one.closed >= look.now and one.outcome is not Outcome.DOUBLED:
            covered |= _troubles(one, one.members)
    expected = {one.key: one for one in look.expected}
    untold = _grouped(_fresh(look), covered)
    return tuple(_opened(night, family, members, look, expected, ()) for night, family, members in untold)


def doubled(created: Collection[str], known: Sequence[Incident], now: datetime) -> tuple[Incident, ...]:
    """Return the incidents of ours that are of the same reports as one that another watcher has opened meanwhile,
    closed.

    Who opens one writes it, looks again, and tells people only then: so of two that open at the same moment at least
    one sees the other, and gives way. Where both do, the next look opens it again.

    :param created: ids of those that were opened by us, in this look
    :param known: all incidents, as they are in the lake now
    """
    others = set[_Trouble]().union(
        *(_troubles(one, one.troubled) for one in known if one.is_open and one.id not in created)
    )
    ours = [one for one in known if one.id in created and one.is_open]
    return tuple(
        _with(
            one.model_copy(
                update={"closed": now, "outcome": Outcome.DOUBLED, "revision": one.revision + 1, "press": ""}
            ),
            now,
            Event.CLOSED,
            "another watcher has opened one for the same",
            told=False,
        )
        for one in ours
        if others & _troubles(one, one.troubled)
    )


def _troubles(incident: Incident, members: Iterable[Member]) -> set[_Trouble]:
    return {(one.report, incident.night, incident.family) for one in members}


def _fresh(look: Observed) -> dict[Key, tuple[Family, Member]]:
    """Return what is wrong with the nights that were looked at."""
    return {one.key: found for one in look.expected if (found := trouble(one, look)) is not None}


def trouble(one: ExpectedNight, look: Observed) -> tuple[Family, Member] | None:
    """Return what is wrong with a night; ``None``: nothing, or nothing yet."""
    seen, due = look.of(one.key), one.due
    report = one.of.report
    match seen.sight:
        case Sight.SOUND | Sight.UNKNOWN:
            return None
        case Sight.ALTERED:
            since = seen.at or look.now
            return Family.ALTERED, Member(report=report, kind=IncidentKind.UNSOUND, cause=seen.why, since=since)
        case Sight.UNSOUND | Sight.DRIFTED | Sight.FAILED:
            since = min(moment for moment in (seen.at or look.now, due, look.now) if moment is not None)
            return Family.ABSENT, Member(report=report, kind=_KINDS[seen.sight], cause=seen.why, since=since)
        case Sight.FAILING if due is None and _is_given_up(seen, look.now):
            # That nobody waits for it makes it no success.
            since = min(seen.at or look.now, look.now)
            return Family.ABSENT, Member(report=report, kind=IncidentKind.FAILED, cause=seen.why, since=since)
    if due is None or look.now < due:
        return None
    plain = Reason(_unasked(seen, look.now), seen.why)
    reason = look.reasons.get(one.key, plain)
    if seen.sight is Sight.EARLY and reason.kind is IncidentKind.MISSING:
        reason = Reason(IncidentKind.EARLY, seen.why)
    # Airflow knows which task has failed, the lake what it has said.
    words = [reason.cause, *([seen.why] if reason.kind is IncidentKind.FAILED else [])]
    cause = ": ".join(dict.fromkeys(word for word in words if word))
    return Family.ABSENT, Member(report=report, kind=reason.kind, cause=cause, since=due)


def _unasked(seen: NightSeen, now: datetime) -> IncidentKind:
    """Return what a night that is due is called where Airflow tells nothing of it."""
    match seen.sight:
        case Sight.EARLY:
            return IncidentKind.EARLY
        case Sight.FAILING:
            return IncidentKind.FAILED if _is_given_up(seen, now) else IncidentKind.LATE
        case Sight.BEGUN:
            return IncidentKind.LATE
    return IncidentKind.MISSING


def _is_given_up(seen: NightSeen, now: datetime) -> bool:
    return seen.at is None or now - seen.at >= NO_MORE_ATTEMPTS


def _followed(
    incident: Incident,
    look: Observed,
    expected: Mapping[Key, ExpectedNight],
    fresh: Mapping[Key, tuple[Family, Member]],
) -> Incident:
    """Return an open incident with what is known of its reports now."""
    members = []
    for one in incident.members:
        key = (one.report, incident.night)
        family, found = fresh.get(key, (None, None))
        if one.until is not None:
            members.append(one)
        elif found is not None and family is incident.family:
            members.append(one.model_copy(update={"kind": found.kind, "cause": found.cause}))
        elif key in expected and look.of(key).sight in _RIGHT[incident.family]:
            until = look.of(key).at or look.now
            members.append(one.model_copy(update={"until": until if until >= one.since else look.now}))
        else:
            # It is worked on, or nobody waits for it any more: not right, so not over.
            members.append(one)
    changed = incident.model_copy(update={"members": tuple(members)})
    if not changed.troubled:
        return changed.model_copy(update={"closed": look.now, "outcome": Outcome.RESTORED})
    if any(one.report in look.unjudged for one in changed.troubled):
        return changed
    if incident.night < look.first:
        return changed.model_copy(update={"closed": look.now, "outcome": Outcome.EXPIRED})
    if not any(_is_waited_for(expected.get((one.report, incident.night)), one) for one in changed.troubled):
        return changed.model_copy(update={"closed": look.now, "outcome": Outcome.DROPPED})
    return changed


def _is_waited_for(one: ExpectedNight | None, member: Member) -> bool:
    """Whether somebody waits for a night, or what is wrong with it is wrong whoever waits."""
    return one is not None and (one.due is not None or member.kind in FINAL)


def _grouped(
    fresh: Mapping[Key, tuple[Family, Member]], told: Collection[_Trouble]
) -> list[tuple[str, Family, tuple[Member, ...]]]:
    """Return the troubles that no incident tells of, those together that are one: of the same source and night, of the
    same kind, for the same cause.
    """
    groups: dict[tuple[str, str, Family, IncidentKind, str], list[Member]] = {}
    for (report, night), (family, member) in fresh.items():
        if (report, night, family) not in told:
            key = (night, report.partition("/")[0], family, member.kind, member.cause)
            groups.setdefault(key, []).append(member)
    return [(night, family, tuple(members)) for (night, _, family, _, _), members in groups.items()]


def _fitting(incidents: Iterable[Incident], night: str, family: Family, member: Member) -> Incident | None:
    """Return the open incident that this trouble is one with."""
    source = member.report.partition("/")[0]
    for one in incidents:
        if one.is_open and (one.night, one.family, one.source) == (night, family, source):
            alike = {(each.kind, each.cause) for each in one.troubled}
            if alike == {(member.kind, member.cause)}:
                return one
    return None


def _joined(incident: Incident, members: Sequence[Member]) -> Incident:
    again = {one.report for one in members}
    kept = tuple(one for one in incident.members if one.report not in again)
    return incident.model_copy(update={"members": (*kept, *members)})


def _opened(
    night: str,
    family: Family,
    members: tuple[Member, ...],
    look: Observed,
    expected: Mapping[Key, ExpectedNight],
    taken: Collection[str],
) -> Incident:
    source = members[0].report.partition("/")[0]
    of = source if len(members) > 1 else members[0].report
    base = f"{night}.{of.replace('/', '.')}.{family}"
    names = itertools.chain([base], (f"{base}.again-{number}" for number in itertools.count(2)))
    return Incident(
        id=next(name for name in names if name not in taken),
        family=family,
        subject=_subject(members),
        night=night,
        members=members,
        dag_id=expected[members[0].report, night].of.dag_id,
        opened=look.now,
    )


def _subject(members: Sequence[Member]) -> Subject:
    if len(members) == 1:
        return Subject(kind="report", name=members[0].report)
    return Subject(kind="source", name=members[0].report.partition("/")[0])


def _told(before: Incident | None, now: Incident, look: Observed) -> Incident | None:
    """Return the next revision, with what is told of it; ``None`` where nothing has changed."""
    reports = {one.report for one in now.members}
    depends = Dependents(
        tables=tuple(sorted(one.report for one in now.troubled or now.members)),
        promotions=tuple(sorted(name for name, after in look.promotions.items() if reports & set(after))),
    )
    press = what_to_press(now) if now.is_open else ""
    now = now.model_copy(update={"subject": _subject(now.members), "depends": depends, "press": press})
    if before is None:
        return _with(now, look.now, Event.OPENED, told_at_open(now), told=True)
    if before == now:
        return None
    now = now.model_copy(update={"revision": before.revision + 1})
    if not now.is_open:
        return _with(now, look.now, Event.CLOSED, told_at_close(now), told=True)
    if text := told_at_update(before, now):
        return _with(now, look.now, Event.UPDATED, text, told=_is_worth_telling(before, now))
    return now


def _is_worth_telling(before: Incident, now: Incident) -> bool:
    gravest = max((gravity(one.kind) for one in before.updates if one.told), default=-1)
    joined = {one.report for one in now.members} - {one.report for one in before.members}
    another = now.kind in FINAL and (now.kind, now.cause) != (before.kind, before.cause)
    fewer = len(now.troubled) < len(before.troubled)
    return gravity(now.kind) > gravest or bool(joined) or (another and not fewer)


def _with(incident: Incident, at: datetime, event: Event, text: str, *, told: bool) -> Incident:
    update = Update(number=len(incident.updates) + 1, at=at, event=event, kind=incident.kind, text=text, told=told)
    return incident.model_copy(update={"updates": (*incident.updates, update)})
