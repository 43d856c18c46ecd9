"""Incidents in a lake: one of several watchers gets to make a change, and a message is sent by one of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nightshift.lake import objects
from nightshift.lake.store import Lake
from nightshift.notify.message import Event
from nightshift.watch import incidents
from nightshift.watch.incident import Incident, IncidentKind, Member, Outcome, Subject, Update
from nightshift.watch.incidents import ATTEMPTS, LEASE, PAUSES, Incidents, mean_time_to_restore, read

NOW = datetime(2026, 11, 28, 6, 5, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.from_url(str(tmp_path / "lake"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objects that are read."""
    names: list[str] = []
    aread = objects.aread

    async def counted(store: Any, name: str) -> bytes | None:
        names.append(name)
        return await aread(store, name)

    monkeypatch.setattr(objects, "aread", counted)
    return names


def incident(night: str = "2026-11-27", report: str = "flexnet/usage", **changes) -> Incident:
    given = {
        "id": f"{night}.{report.replace('/', '.')}.absent",
        "subject": Subject(kind="report", name=report),
        "night": night,
        "members": (Member(report=report, kind=IncidentKind.MISSING, since=NOW - timedelta(minutes=5)),),
        "opened": NOW,
        "updates": (Update(number=1, at=NOW, event=Event.OPENED, kind=IncidentKind.MISSING, text="nothing has begun"),),
    }
    return Incident.model_validate({**given, **changes})


async def test_what_is_written_is_read_again(lake: Lake) -> None:
    assert await Incidents(lake).write(incident())
    assert (await Incidents(lake).read()).incidents == (incident(),)


async def test_of_many_watchers_one_makes_a_change(lake: Lake) -> None:
    made = await asyncio.gather(*(Incidents(lake).write(incident()) for _ in range(20)))
    assert sum(made) == 1
    later = incident(revision=2, press="once")
    again = await asyncio.gather(*(Incidents(lake).write(later) for _ in range(20)))
    assert sum(again) == 1
    (found,) = (await Incidents(lake).read()).incidents
    assert (found.revision, found.press) == (2, "once")


async def test_only_the_newest_revisions_are_kept(lake: Lake, tmp_path: Path) -> None:
    for revision in range(1, incidents.KEPT + 4):
        assert await Incidents(lake).write(incident(revision=revision))
    names = sorted(path.name for path in (tmp_path / "lake" / "incidents").rglob("r*.json"))
    assert len(names) == incidents.KEPT
    assert names[0] == "r000004.json"


async def test_a_listing_begins_at_a_night(lake: Lake) -> None:
    for night in ("2026-11-01", "2026-11-20", "2026-11-27"):
        await Incidents(lake).write(incident(night))
    assert [one.night for one in (await Incidents(lake).read("2026-11-20")).incidents] == ["2026-11-20", "2026-11-27"]


async def test_one_of_many_watchers_tells_a_channel(lake: Lake) -> None:
    await Incidents(lake).write(incident())
    claims = await asyncio.gather(*(Incidents(lake).claim(incident(), 1, "team", NOW) for _ in range(20)))
    assert sorted(claims, key=str) == [1, *[None] * 19]
    await Incidents(lake).note(incident().id, 1, "team", 1, NOW, error=None)
    (found,) = (await Incidents(lake).read()).incidents
    (told,) = found.notified
    assert (told.channel, told.attempts, told.error) == ("team", 1, "")
    assert told.sent is not None
    assert await Incidents(lake).claim(found, 1, "team", NOW + timedelta(days=1)) is None


@pytest.mark.parametrize("what", [".sent", ".failed"])
async def test_what_came_of_an_attempt_counts_though_its_record_cannot_be_read(
    lake: Lake, tmp_path: Path, what: str
) -> None:
    await Incidents(lake).write(incident())
    assert await Incidents(lake).claim(incident(), 1, "team", NOW) == 1
    await Incidents(lake).note(incident().id, 1, "team", 1, NOW, error=None if what == ".sent" else "503")
    (path,) = (tmp_path / "lake" / "incidents").rglob(f"*{what}.json")
    path.write_text('{"at": "yes')
    (found,) = (await Incidents(lake).read()).incidents
    assert (found.notified[0].sent is not None) == (what == ".sent")
    assert await Incidents(lake).claim(found, 1, "team", NOW) == (None if what == ".sent" else 2)


async def test_who_died_after_the_claim_is_followed_by_another_after_a_while(lake: Lake) -> None:
    await Incidents(lake).write(incident())
    assert await Incidents(lake).claim(incident(), 1, "team", NOW) == 1
    (found,) = (await Incidents(lake).read()).incidents
    assert await Incidents(lake).claim(found, 1, "team", NOW + LEASE - timedelta(seconds=1)) is None
    assert await Incidents(lake).claim(found, 1, "team", NOW + LEASE) == 2


async def test_a_channel_that_fails_is_tried_again_with_pauses_and_then_given_up(lake: Lake) -> None:
    await Incidents(lake).write(incident())
    moment = NOW
    for number in range(1, ATTEMPTS + 1):
        (found,) = (await Incidents(lake).read()).incidents
        if number > 1:
            pause = PAUSES[min(number - 1, len(PAUSES) - 1)]
            assert await Incidents(lake).claim(found, 1, "team", moment + pause / 2 - timedelta(seconds=5)) is None
            moment += pause + timedelta(seconds=5)
        assert await Incidents(lake).claim(found, 1, "team", moment) == number
        await Incidents(lake).note(found.id, 1, "team", number, moment, error="503, it says")
    (found,) = (await Incidents(lake).read()).incidents
    (told,) = found.notified
    assert (told.attempts, told.sent, told.error, told.given_up) == (ATTEMPTS, None, "503, it says", True)
    assert await Incidents(lake).claim(found, 1, "team", moment + timedelta(days=9)) is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{", "Invalid JSON"),
        ('{"id": 7}', "id: Input should be a valid string"),
        (incident().model_dump_json().replace('"missing"', '"abducted"'), "members.0.kind: Input should be 'late'"),
        (incident().model_dump_json(), "revision 1 says that it is revision 1 of 2026-11-27.flexnet.usage.absent"),
        (
            incident("2026-11-26", "flexnet/device", revision=2).model_dump_json(),
            "revision 1 says that it is revision 2 of 2026-11-26.flexnet.device.absent",
        ),
    ],
)
async def test_an_object_that_is_no_incident_is_left_out_and_named(
    lake: Lake, tmp_path: Path, body: str, why: str
) -> None:
    await Incidents(lake).write(incident())
    broken = tmp_path / "lake" / "incidents" / "2026-11-26.flexnet.device.absent"
    broken.mkdir()
    (broken / "r000001.json").write_text(body)
    found = await Incidents(lake).read()
    assert found.incidents == (incident(),)
    assert list(found.unreadable) == ["2026-11-26.flexnet.device.absent"]
    assert f"({why}" in found.unreadable["2026-11-26.flexnet.device.absent"]
    assert "remove the folder incidents/2026-11-26.flexnet.device.absent" in str(found.unreadable)
    assert found.taken == {incident().id, "2026-11-26.flexnet.device.absent"}


async def test_what_is_left_of_an_incident_keeps_its_id(lake: Lake, tmp_path: Path) -> None:
    """A new one of that id would be taken for told already."""
    await Incidents(lake).write(incident())
    await Incidents(lake).claim(incident(), 1, "team", NOW)
    (revision,) = (tmp_path / "lake" / "incidents").rglob("r*.json")
    revision.unlink()
    found = await Incidents(lake).read()
    assert (found.incidents, dict(found.unreadable), found.taken) == ((), {}, {incident().id})


def test_strangers_on_this_machine_read_none(lake: Lake, tmp_path: Path) -> None:
    assert read(lake) == ()
    assert (tmp_path / "lake" / "incidents").stat().st_mode & 0o007 == 0


def test_the_time_to_restore_is_from_due_to_there() -> None:
    def ended(minutes: float, outcome: Outcome = Outcome.RESTORED) -> Incident:
        since = NOW - timedelta(hours=2)
        until = since + timedelta(minutes=minutes) if outcome is Outcome.RESTORED else None
        member = Member(report="flexnet/usage", kind=IncidentKind.LATE, since=since, until=until)
        return incident(members=(member,), closed=NOW, outcome=outcome)

    every = [ended(10), ended(20), ended(90), ended(5, Outcome.EXPIRED), incident()]
    assert mean_time_to_restore(every) == 2400.0
    assert mean_time_to_restore([incident()]) is None


async def test_who_looks_again_reads_only_what_has_changed(lake: Lake, tmp_path: Path, asked: list[str]) -> None:
    for night in ("2026-11-26", "2026-11-27"):
        await Incidents(lake).write(incident(night))
        await Incidents(lake).claim(incident(night), 1, "team", NOW)
        await Incidents(lake).note(incident(night).id, 1, "team", 1, NOW, error=None)
    kept = Incidents(lake)
    first = await kept.read()
    assert len(asked) == 5
    assert asked[0] == incidents.BESIDE
    assert await kept.read() == first
    assert len(asked) == 5
    await Incidents(lake).write(incident(revision=2, press="once"))
    assert [one.press for one in (await kept.read()).incidents] == ["", "once"]
    assert asked[5:] == [f"{incident().id}/r000002.json"]
    # Whatever else may not be: an object that was put there anew is another one.
    body = incident("2026-11-26", press="by hand").model_dump_json(exclude={"notified"})
    (tmp_path / "lake" / "incidents" / incident("2026-11-26").id / "r000001.json").write_text(body)
    assert [one.press for one in (await kept.read()).incidents] == ["by hand", "once"]
    assert await kept.read() == await Incidents(lake).read()


async def test_what_one_has_read_another_does_not_read_again(lake: Lake, asked: list[str]) -> None:
    nights = [f"2026-11-{day}" for day in range(20, 28)]
    for night in nights:
        await Incidents(lake).write(incident(night))
        await Incidents(lake).claim(incident(night), 1, "team", NOW)
        await Incidents(lake).note(incident(night).id, 1, "team", 1, NOW, error=None)
    first = Incidents(lake)
    found = await first.read()
    await first.keep()
    asked.clear()
    assert await Incidents(lake).read() == found
    assert asked == [incidents.BESIDE]
    await Incidents(lake).write(incident(nights[3], revision=2, press="once"))
    asked.clear()
    later = await Incidents(lake).read()
    assert asked == [incidents.BESIDE, f"{incident(nights[3]).id}/r000002.json"]
    assert [one.press for one in later.incidents] == ["", "", "", "once", "", "", "", ""]


async def test_what_was_kept_is_believed_of_the_very_objects_alone(lake: Lake, tmp_path: Path) -> None:
    await Incidents(lake).write(incident())
    first = Incidents(lake)
    await first.read()
    await first.keep()
    written = tmp_path / "lake" / "incidents" / incident().id / "r000001.json"
    written.write_text(incident(press="by hand").model_dump_json(exclude={"notified"}))
    assert [one.press for one in (await Incidents(lake).read()).incidents] == ["by hand"]
    written.unlink()
    assert (await Incidents(lake).read()).incidents == ()


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"[1]", msgspec.msgpack.encode({"a": ["m", 7]})])
async def test_a_damaged_object_of_what_was_kept_is_written_anew(lake: Lake, tmp_path: Path, damage: bytes) -> None:
    await Incidents(lake).write(incident())
    beside = tmp_path / "lake" / incidents.BESIDE
    beside.parent.mkdir()
    beside.write_bytes(damage)
    reader = Incidents(lake)
    assert (await reader.read()).incidents == (incident(),)
    await reader.keep()
    assert [name for name, _ in msgspec.msgpack.decode(beside.read_bytes()).items()] == [
        f"{incident().id}/r000001.json"
    ]


async def test_a_look_is_not_lost_with_what_it_cannot_keep(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    await Incidents(lake).write(incident())
    reader = Incidents(lake)
    found = await reader.read()

    async def failing(*_: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(objects, "awrite", failing)
        await reader.keep()
    assert await reader.read() == found
    await reader.keep()
    assert await Incidents(lake).read() == found


async def test_no_more_is_kept_than_the_newest(lake: Lake, monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> None:
    monkeypatch.setattr(incidents, "MOST_BESIDE", 2)
    for day in range(20, 25):
        await Incidents(lake).write(incident(f"2026-11-{day}"))
    reader = Incidents(lake)
    found = await reader.read()
    await reader.keep()
    asked.clear()
    assert await Incidents(lake).read() == found
    assert asked == [incidents.BESIDE, *(f"{incident(f'2026-11-{day}').id}/r000001.json" for day in (20, 21, 22))]
