"""Whatever the lake and Airflow show from look to look, what the watch promises of incidents holds."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.notify.message import Event
from nightshift.watch.decide import NightSeen, Reason, Sight, decide, uncovered
from nightshift.watch.incident import Incident, IncidentKind, Outcome
from tests.unit.watch.looks import NIGHT, at, look, nights

REPORTS = ("exago/tree", "flexnet/a", "flexnet/b", "flexnet/c", "flexnet/d")
SEEN = st.builds(
    NightSeen, st.sampled_from(Sight), st.none() | st.just(at("05:00")), st.sampled_from(("", "one", "two"))
)
REASON = st.none() | st.builds(
    Reason, st.sampled_from((IncidentKind.PAUSED, IncidentKind.STUCK, IncidentKind.FAILED)), st.sampled_from(("x", "y"))
)
ONE_LOOK = st.tuples(
    st.fixed_dictionaries(dict.fromkeys(REPORTS, SEEN)),
    st.fixed_dictionaries(dict.fromkeys(REPORTS, REASON)),
    st.sets(st.sampled_from(REPORTS)),
    st.sets(st.sampled_from(("exago", "flexnet", "flexnet/a", "flexnet/b"))),
)


def looked(number: int, seen, reasons, waited_for, unjudged):
    moment = at("05:30") + timedelta(minutes=20 * number)
    # Of a source whose section nobody can read no report is known.
    known = {one for one in REPORTS if one.partition("/")[0] not in unjudged}
    expected = [*nights(*sorted(known & waited_for)), *nights(*sorted(known - waited_for), due=None)]
    return look(
        moment.strftime("%Y-%m-%dT%H:%M:%S"),
        expected,
        seen,
        {name: one for name, one in reasons.items() if one},
        unjudged=unjudged,
    )


@settings(max_examples=60)
@given(st.lists(ONE_LOOK, min_size=1, max_size=7))
def test_what_is_promised_of_incidents(looks) -> None:
    kept: dict[str, Incident] = {}
    for number, (seen, reasons, waited_for, unjudged) in enumerate(looks):
        one = looked(number, seen, reasons, waited_for, unjudged)
        changes = decide(one, tuple(kept.values()))
        assert len({change.id for change in changes}) == len(changes)
        for change in changes:
            assert change.source not in unjudged, "of what nobody knows all stays as it is"
            given_up = change.outcome in (Outcome.DROPPED, Outcome.EXPIRED)
            assert not (given_up and {member.report for member in change.troubled} & unjudged)
            before = kept.get(change.id)
            assert change.revision == (before.revision + 1 if before else 1)
            assert before is None or before.is_open, "what is over is over"
            assert before is None or change.updates[: len(before.updates)] == before.updates
            kept[change.id] = change
        assert decide(one, tuple(kept.values())) == (), "the same look again changes nothing"
        assert uncovered(one, tuple(kept.values())) == (), "what is wrong is told"
        check(tuple(kept.values()))
    last = looked(len(looks), dict.fromkeys(REPORTS, NightSeen(Sight.SOUND, at("05:00"))), {}, set(REPORTS), set())
    for change in decide(last, tuple(kept.values())):
        kept[change.id] = change
    assert not any(one.is_open for one in kept.values()), "where all is sound nothing is open"


def check(known: tuple[Incident, ...]) -> None:
    covered = Counter((member.report, one.night, one.family) for one in known if one.is_open for member in one.troubled)
    assert not [key for key, times in covered.items() if times > 1], "one incident a night, report and family"
    for one in known:
        assert one.night == NIGHT
        events = [update.event for update in one.updates]
        assert [update.number for update in one.updates] == list(range(1, len(events) + 1))
        assert events[0] is Event.OPENED
        assert Counter(events)[Event.OPENED] == 1
        assert (events[-1] is Event.CLOSED) is not one.is_open
        assert (one.outcome is None) is one.is_open
        assert (one.outcome is Outcome.RESTORED) is (not one.troubled)
        assert len({member.report.partition("/")[0] for member in one.members}) == 1
        assert len({member.report for member in one.members}) == len(one.members)
        assert all(update.told for update in one.updates if update.event is not Event.UPDATED)
        assert all(one.until is None or one.until >= member.since for member in one.members)
        assert one.is_open is bool(one.press)
