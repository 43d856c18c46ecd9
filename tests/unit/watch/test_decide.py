"""What becomes of the incidents, as tables: one look after another, and what is told."""

from __future__ import annotations

import itertools

import pytest

from nightshift.notify.message import Event
from nightshift.watch.decide import NightSeen, Reason, Sight, decide, doubled, uncovered
from nightshift.watch.incident import Family, Incident, IncidentKind, Outcome
from nightshift.watch.tell import pending
from nightshift.watch.words import text_of, title_of
from tests.unit.watch.looks import NIGHT, at, look, nights

USAGE = "flexnet/usage"
SOUND = NightSeen(Sight.SOUND, at("06:40"))
BEGUN = NightSeen(Sight.BEGUN, at("04:01"), "2 pages are landed, no manifest")
PAUSED = Reason(IncidentKind.PAUSED, "the DAG flexnet_reports is paused")
QUEUED = Reason(IncidentKind.STUCK, "the task usage.extract is queued")


def follow(*looks, known: tuple[Incident, ...] = ()) -> tuple[Incident, ...]:
    """Decide one look after another, as a watcher does that keeps everything."""
    kept = {one.id: one for one in known}
    for one in looks:
        for changed in decide(one, tuple(kept.values())):
            before = kept.get(changed.id)
            assert changed.revision == (before.revision + 1 if before else 1)
            kept[changed.id] = changed
    return tuple(kept.values())


@pytest.mark.parametrize(
    ("now", "seen", "reason", "kind", "since"),
    [
        ("05:59", None, None, None, None),
        ("06:00", None, None, IncidentKind.MISSING, "06:00"),
        ("06:00", BEGUN, None, IncidentKind.LATE, "06:00"),
        ("06:00", None, PAUSED, IncidentKind.PAUSED, "06:00"),
        ("06:00", None, QUEUED, IncidentKind.STUCK, "06:00"),
        ("06:00", BEGUN, QUEUED, IncidentKind.STUCK, "06:00"),
        # What is paused before it is due is nobody's trouble yet.
        ("05:59", None, PAUSED, None, None),
        ("09:00", SOUND, None, None, None),
        ("09:00", SOUND, PAUSED, None, None),
        ("05:59", NightSeen(Sight.FAILING, at("04:05"), "401"), None, None, None),
        ("06:00", NightSeen(Sight.FAILING, at("04:05"), "401"), None, IncidentKind.FAILED, "06:00"),
        ("06:00", NightSeen(Sight.FAILING, at("05:30"), "503"), None, IncidentKind.LATE, "06:00"),
        ("06:00", NightSeen(Sight.FAILING, at("04:05"), "503"), QUEUED, IncidentKind.STUCK, "06:00"),
        # What does not pass by itself is told at once, and counts from when it happened.
        ("04:10", NightSeen(Sight.DRIFTED, at("04:05"), "lost: SKU"), None, IncidentKind.DRIFTED, "04:05"),
        ("04:10", NightSeen(Sight.UNSOUND, at("04:05"), "band"), None, IncidentKind.UNSOUND, "04:05"),
        ("04:10", NightSeen(Sight.FAILED, at("04:05"), "401"), None, IncidentKind.FAILED, "04:05"),
        ("09:00", NightSeen(Sight.FAILED, at("08:30"), "401"), None, IncidentKind.FAILED, "06:00"),
    ],
)
def test_a_night_becomes_an_incident(now, seen, reason, kind, since) -> None:
    given = {USAGE: seen} if seen else {}
    found = decide(look(now, nights(USAGE), given, {USAGE: reason} if reason else {}), ())
    if kind is None:
        assert found == ()
        return
    (one,) = found
    assert (one.kind, one.since, one.night, one.subject.name) == (kind, at(since), NIGHT, USAGE)
    assert one.cause == (reason or seen or NightSeen(Sight.NOTHING)).__dict__.get("cause", seen.why if seen else "")
    assert [update.event for update in one.updates] == [Event.OPENED]
    assert one.press


def test_without_due_only_what_is_wrong_is_told() -> None:
    expected = nights(USAGE, "flexnet/user", due=None)
    found = decide(look("23:00", expected, {"flexnet/user": NightSeen(Sight.DRIFTED, at("05:00"), "lost: SKU")}), ())
    assert [(one.subject.name, one.kind) for one in found] == [("flexnet/user", IncidentKind.DRIFTED)]


@pytest.mark.parametrize(
    ("now", "sight", "when", "since"),
    [
        ("05:04", Sight.FAILING, "04:05", None),
        ("05:05", Sight.FAILING, "04:05", "04:05"),
        ("05:05", Sight.FAILING, None, "05:05"),
        ("23:00", Sight.BEGUN, "04:05", None),
        ("23:00", Sight.NOTHING, None, None),
        ("23:00", Sight.UNKNOWN, None, None),
    ],
)
def test_without_due_what_is_tried_no_more_has_failed(now: str, sight: Sight, when: str | None, since) -> None:
    seen = NightSeen(sight, at(when) if when else None, "401 at FlexNet")
    expected = nights(USAGE, due=None)
    found = decide(look(now, expected, {USAGE: seen}), ())
    assert [(one.kind, one.cause, one.since) for one in found] == (
        [(IncidentKind.FAILED, "401 at FlexNet", at(since))] if since else []
    )
    (over,) = follow(look("23:30", expected, {USAGE: SOUND}), known=found) if found else [None]
    assert over is None or over.outcome is Outcome.RESTORED


def test_an_incident_is_updated_not_repeated_and_closes_by_itself() -> None:
    expected = nights(USAGE)
    (one,) = follow(
        look("06:00", expected),
        look("06:05", expected),
        look("06:10", expected, {USAGE: BEGUN}),
        look("06:15", expected, {USAGE: BEGUN}),
        look("06:45", expected, {USAGE: SOUND}),
        look("06:50", expected, {USAGE: SOUND}),
    )
    assert [(update.event, update.told) for update in one.updates] == [
        (Event.OPENED, True),
        (Event.UPDATED, False),  # that it has begun is good news: written down, told to nobody
        (Event.CLOSED, True),
    ]
    assert (one.outcome, one.until, one.closed) == (Outcome.RESTORED, at("06:40"), at("06:45"))
    assert title_of(one) == f"{USAGE}, night {NIGHT}, is there"
    assert one.updates[-1].text == f"{USAGE}, night {NIGHT}, is there since 2026-11-28 06:40 UTC, after 40 min"


def test_what_gets_graver_is_told_once() -> None:
    expected = nights(USAGE)
    failed = NightSeen(Sight.FAILED, at("06:20"), "401 at FlexNet")
    (one,) = follow(
        look("06:00", expected, {USAGE: BEGUN}),
        look("06:05", expected, {USAGE: BEGUN}, {USAGE: QUEUED}),
        look("06:10", expected, {USAGE: BEGUN}),
        look("06:15", expected, {USAGE: BEGUN}, {USAGE: QUEUED}),
        look("06:25", expected, {USAGE: failed}),
        look("06:30", expected, {USAGE: failed}),
        look("06:35", expected, {USAGE: NightSeen(Sight.FAILED, at("06:33"), "503 at FlexNet")}),
    )
    told = [(update.event, update.kind) for update in one.updates if update.told]
    assert told == [
        (Event.OPENED, IncidentKind.LATE),
        (Event.UPDATED, IncidentKind.STUCK),
        (Event.UPDATED, IncidentKind.FAILED),
        (Event.UPDATED, IncidentKind.FAILED),  # another cause of what does not pass
    ]
    assert one.updates[-1].text == "now it has failed (503 at FlexNet)"


def test_what_is_tried_again_before_it_is_due_is_not_over() -> None:
    expected = nights(USAGE)
    (one,) = follow(
        look("04:10", expected, {USAGE: NightSeen(Sight.FAILED, at("04:05"), "401")}),
        look("04:20", expected, {USAGE: BEGUN}),
    )
    assert one.is_open
    assert len(one.updates) == 1


def test_a_source_that_stands_still_is_one_message() -> None:
    names = [f"flexnet/{name}" for name in ("account", "device", "usage")]
    expected = nights(*names, "exago/tree")
    found = decide(look("06:00", expected, reasons=dict.fromkeys(names, PAUSED)), ())
    assert {one.subject.name: len(one.members) for one in found} == {"flexnet": 3, "exago/tree": 1}
    assert title_of(found[0]) == f"flexnet: 3 reports, night {NIGHT}, are missing: the DAG is paused"


def test_reports_with_troubles_of_their_own_are_incidents_of_their_own() -> None:
    seen = {
        "flexnet/a": NightSeen(Sight.DRIFTED, at("04:05"), "lost: x"),
        "flexnet/b": NightSeen(Sight.DRIFTED, at("04:05"), "lost: y"),
    }
    found = decide(look("06:00", nights("flexnet/a", "flexnet/b", "flexnet/c"), seen), ())
    assert sorted(one.subject.name for one in found) == ["flexnet/a", "flexnet/b", "flexnet/c"]


def test_a_report_that_is_due_later_joins_what_its_source_has() -> None:
    early, late = nights("flexnet/a", "flexnet/b"), nights("flexnet/c", due="07:00")
    known = follow(look("06:00", [*early, *late]), look("07:00", [*early, *late]))
    (one,) = known
    assert [member.report for member in one.members] == ["flexnet/a", "flexnet/b", "flexnet/c"]
    assert [update.text for update in one.updates if update.told][1:] == ["also flexnet/c"]


def test_reports_of_a_source_come_back_one_by_one_and_the_last_one_closes() -> None:
    names = ["flexnet/a", "flexnet/b", "flexnet/c"]
    looks = [look("06:00", nights(*names))]
    looks += [
        look(
            f"06:{10 * n:02}",
            nights(*names),
            {name: NightSeen(Sight.SOUND, at(f"06:{10 * n - 1:02}")) for name in names[:n]},
        )
        for n in (1, 2, 3)
    ]
    (one,) = follow(*looks)
    assert [update.event for update in one.updates if update.told] == [Event.OPENED, Event.CLOSED]
    assert [update.text for update in one.updates][1:3] == ["flexnet/a is there", "flexnet/b is there"]
    assert (one.outcome, one.until) == (Outcome.RESTORED, at("06:29"))


def test_what_is_altered_after_it_was_published_is_another_incident() -> None:
    altered = NightSeen(Sight.ALTERED, at("06:40"), "12 rows were published, the table has 11 now")
    expected = nights(USAGE)
    known = follow(look("06:00", expected), look("08:00", expected, {USAGE: altered}))
    assert {one.family: one.outcome for one in known} == {Family.ABSENT: Outcome.RESTORED, Family.ALTERED: None}
    known = follow(look("09:00", expected, {USAGE: SOUND}), known=known)
    assert all(one.outcome is Outcome.RESTORED for one in known)


def test_the_same_trouble_again_is_a_new_incident_with_a_name_of_its_own() -> None:
    altered = {USAGE: NightSeen(Sight.ALTERED, at("06:40"), "rows")}
    expected, fine = nights(USAGE), {USAGE: SOUND}
    known = follow(*(look(f"{hour:02}:00", expected, altered if hour % 2 else fine) for hour in range(7, 13)))
    assert [one.id for one in known] == [
        "2026-11-27.flexnet.usage.altered",
        "2026-11-27.flexnet.usage.altered.again-2",
        "2026-11-27.flexnet.usage.altered.again-3",
    ]


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ((), ""),
        (("",), ".again-2"),
        (("", ".again-2"), ".again-3"),
        (("", ".again-3"), ".again-2"),
        ((".again-2", ".again-3"), ""),
    ],
)
def test_what_opens_takes_an_id_that_nothing_has(taken: tuple[str, ...], name: str) -> None:
    base = "2026-11-27.flexnet.usage.absent"
    (one,) = decide(look("06:00", nights(USAGE)), (), [f"{base}{there}" for there in taken])
    assert one.id == f"{base}{name}"


def test_two_troubles_of_a_source_at_once_are_two_incidents() -> None:
    """Both are of several reports, and would be called by the source."""
    names = ["flexnet/a", "flexnet/b", "flexnet/c", "flexnet/d"]
    found = decide(look("06:00", nights(*names), dict.fromkeys(names[:2], BEGUN)), ())
    assert {one.id: [member.report for member in one.members] for one in found} == {
        "2026-11-27.flexnet.absent": names[:2],
        "2026-11-27.flexnet.absent.again-2": names[2:],
    }


def test_what_no_incident_tells_is_not_over() -> None:
    missing = look("06:00", nights(USAGE, "exago/tree"))
    known = decide(missing, ())
    assert uncovered(missing, known) == ()
    assert [one.subject.name for one in uncovered(missing, known[:1])] == ["exago/tree"]
    assert uncovered(look("05:59", nights(USAGE)), ()) == ()
    # What another has closed meanwhile was told; of two that gave way to each other neither tells.
    (one,) = known[:1]
    for closed, outcome, is_covered in (
        ("06:01", Outcome.RESTORED, True),
        ("05:50", Outcome.RESTORED, False),
        ("06:01", Outcome.DOUBLED, False),
    ):
        over = one.model_copy(update={"closed": at(closed), "outcome": outcome})
        assert (uncovered(look("06:00", nights(USAGE)), [over]) == ()) is is_covered


def test_a_night_that_is_too_long_ago_is_given_up() -> None:
    known = follow(look("06:00", nights(USAGE)))
    (one,) = follow(look("2026-12-20T06:00", [], first="2026-12-06"), known=known)
    assert (one.outcome, one.until) == (Outcome.EXPIRED, None)
    assert title_of(one) == f"{USAGE}, night {NIGHT}, never came"


def test_what_nobody_waits_for_any_more_is_over() -> None:
    known = follow(look("06:00", nights(USAGE)))
    (one,) = follow(look("07:00", nights("flexnet/other", due=None)), known=known)
    assert one.outcome is Outcome.DROPPED


def test_what_nobody_can_judge_stays_as_it_is() -> None:
    """Neither is a source whose section cannot be read no longer waited for, nor what is wrong with it over."""
    known = follow(look("06:00", nights(USAGE, "exago/tree"), promotions={"portal": [USAGE]}))
    for gone in (
        look("07:00", [], unjudged={"flexnet"}),
        look("2026-12-20T06:00", [], first="2026-12-06", unjudged={"flexnet"}),
    ):
        (one,) = decide(gone, known)
        assert one.source == "exago"
    (dropped,) = (one for one in follow(look("07:00", []), known=known) if one.source == "flexnet")
    assert dropped.outcome is Outcome.DROPPED


def test_a_report_that_cannot_be_read_keeps_what_it_shares_open() -> None:
    names = ["flexnet/a", "flexnet/b"]
    known = follow(look("06:00", nights(*names)))
    for now, first in (("07:00", "2026-11-14"), ("2026-12-20T06:00", "2026-12-06")):
        one_there = {"flexnet/a": SOUND}
        expected = nights("flexnet/a")
        (one,) = follow(look(now, expected, one_there, first=first, unjudged={"flexnet/b"}), known=known)
        assert (one.is_open, [member.report for member in one.troubled]) == (True, ["flexnet/b"])


def test_what_depends_on_it_is_named() -> None:
    promotions = {"portal": [USAGE, "exago/tree"], "other": ["exago/tree"]}
    (one,) = decide(look("06:00", nights(USAGE), promotions=promotions), ())
    assert one.depends.promotions == ("portal",)
    assert one.depends.tables == (USAGE,)
    assert "Waiting for it: portal" in text_of(one)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_reports_decides_nothing(order: tuple[int, ...]) -> None:
    expected = nights("flexnet/a", "flexnet/b", "flexnet/c")
    straight = decide(look("06:00", expected), ())
    turned = decide(look("06:00", [expected[n] for n in order]), ())
    assert {one.report for one in straight[0].members} == {one.report for one in turned[0].members}
    assert [one.id for one in straight] == [one.id for one in turned]


def test_nothing_new_changes_nothing() -> None:
    known = follow(look("06:00", nights(USAGE)))
    assert decide(look("06:05", nights(USAGE)), known) == ()


def test_a_message_says_everything_once() -> None:
    (one,) = decide(look("06:00", nights(USAGE), reasons={USAGE: QUEUED}, promotions={"portal": [USAGE]}), ())
    assert title_of(one) == f"{USAGE}, night {NIGHT}, is stuck"
    assert text_of(one).splitlines() == [
        "Since: 2026-11-28 06:00 UTC",
        "Likely cause: the task usage.extract is queued",
        "Waiting for it: portal",
        f"What to do: Look at the pool and the executor that flexnet_reports, run of {NIGHT}, waits for: free slots, "
        "living workers.",
    ]
    assert one.updates[0].text == f"{USAGE}, night {NIGHT}, is stuck (the task usage.extract is queued)"
    (paused,) = decide(look("06:00", nights(USAGE), reasons={USAGE: PAUSED}), ())
    assert paused.updates[0].text == f"{USAGE}, night {NIGHT}, is missing: the DAG is paused"


def test_of_two_watchers_that_open_one_for_the_same_one_gives_way() -> None:
    """One saw two reports missing, and so one incident of the source; the other, a moment later, only one of them."""
    source = decide(look("06:00", nights(USAGE, "flexnet/user")), ())
    alone = decide(look("06:00", nights(USAGE)), ())
    known = (*source, *alone)
    assert doubled([], known, at("06:00")) == ()
    assert doubled({one.id for one in source}, source, at("06:00")) == ()
    (gone,) = doubled({one.id for one in alone}, known, at("06:00"))
    assert (gone.id, gone.outcome, gone.revision) == (alone[0].id, Outcome.DOUBLED, 2)
    assert pending(gone, "team", at("06:00")) is None
    other = decide(look("06:00", nights("flexnet/device")), ())
    assert doubled({one.id for one in other}, (*source, *other), at("06:00")) == ()


def test_a_report_that_is_gone_again_is_in_its_incident_once() -> None:
    """Somebody drops the table again while the other report is still missing."""
    both = nights("flexnet/a", "flexnet/b")
    (one,) = follow(
        look("06:00", both),
        look("06:10", both, {"flexnet/a": NightSeen(Sight.SOUND, at("06:05"))}),
        look("06:20", both),
    )
    assert [(member.report, member.until) for member in one.members] == [("flexnet/b", None), ("flexnet/a", None)]
