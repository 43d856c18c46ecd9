"""What Nightshift itself wrote into the lake or into Airflow, and somebody has spoilt."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from nightshift.errors import VendorError
from nightshift.exago.claims import Claims
from nightshift.exago.paths import ContentPath
from nightshift.exago.promotion import FolderRecord
from nightshift.flexdeploy.fields import ids_of, job_id_of
from nightshift.jobs.record import JobRecord
from nightshift.jobs.state import TaskState
from nightshift.lake.commit_note import CommitNote
from nightshift.lake.errors import LakeError
from nightshift.lake.extract import Manifest, Progress
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from nightshift.nights import index as nights
from nightshift.nights.cells import FailureKind, NightFailure
from nightshift.promotion.holds import every_hold, hold, lift
from nightshift.promotion.index import keep_index, read_index, read_standing, read_timeline
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns, Waiter
from nightshift.retry_after import LONGEST_WAIT, retry_after
from nightshift.tokenflex.tokens import Grant, decode
from nightshift.watch.incident import Incident, IncidentKind, Member, Subject
from nightshift.watch.incidents import Incidents
from nightshift.watch.memory import Memory
from tests.fuzz.targets import Box, Skipped, target
from tests.unit.promotion import records as promotions
from tests.unit.tokenflex.records import CONN

MANIFEST = Manifest.of(
    [],
    source="flexnet",
    report="usage",
    night="2026-11-21",
    extract="e1",
    connection="c",
    attempt=1,
    started="2026-11-22T01:00:00+00:00",
    finished="2026-11-22T01:10:00+00:00",
    format="json",
).to_json()
NOTE = CommitNote(content="ab", extract="e1", nights={"2026-11-21": 3}, checks=(("not_empty", True, "3 rows"),))
JOB = b'{"intent": {"name": "x", "payload": "h", "marker": "m", "at": 1.0, "generation": 1}, "id": "7", "done": false}'


@target("records.manifest", [MANIFEST], LakeError, share=2.0)
def _manifest(data: bytes, box: Box) -> None:
    Manifest.from_json(data, "raw/x/manifest.json")


@target("records.landing", [MANIFEST], LakeError)
def _landing(data: bytes, box: Box) -> None:
    lake = Lake.from_url(str(box.empty() / "lake"))
    landing = Landing(lake, "flexnet", "usage", "2026-11-21")
    place = box.folder / "lake" / "raw" / "flexnet" / "usage" / "night=2026-11-21" / "e1"
    place.mkdir(parents=True)
    (place / "manifest.json").write_bytes(data)
    asyncio.run(landing.latest())
    manifest = asyncio.run(landing.manifest("e1"))
    assert (manifest.report, manifest.night, manifest.extract) == ("usage", "2026-11-21", "e1")


def _line(note: str) -> bytes:
    return msgspec.json.encode({"commitInfo": {"timestamp": 1795219200000, "nightshift": note}})


@target(
    "records.commit_note", [_line(NOTE.to_json()), b'{"add":{}}\n' + _line(NOTE.to_json()), b"{}"], LakeError, share=2.0
)
def _note(data: bytes, box: Box) -> None:
    CommitNote.of_commit(data)


@target("records.job", [JOB, b'{"intent": null, "id": null}', b"{}"], VendorError, share=2.0)
def _job(data: bytes, box: Box) -> None:
    _state(data, JobRecord, VendorError)


@target("records.progress", [b'{"extract": "e", "night": "2026-11-21", "started": "x", "plan": {}}'], VendorError)
def _progress(data: bytes, box: Box) -> None:
    _state(data, Progress, VendorError)
    _state(data, FolderRecord, VendorError)


def _state(data: bytes, kind: type[Any], refusal: type[Exception]) -> None:
    try:
        plain = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Skipped from None
    TaskState({"k": plain}, "k", kind, advice="Clear the task.").load()  # type: ignore[arg-type]


_GRANT = b'{"grant_id": "g", "granted_by": "Ada", "granted_at": 1.0, "scope": "data:read", "pair": {"access_token": "a", "refresh_token": "r", "issued": 1.0, "ends": 2.0, "lapses": 3.0}}'


@target("records.grant", [_GRANT], VendorError)
def _grant(data: bytes, box: Box) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Skipped from None
    decode(text, Grant, CONN)


@target("records.job_id", [b"[12001, 12002]", b'"12001"', b"null", b"[true]", b"1.5", b'"1,2"'], VendorError)
def _job_id(data: bytes, box: Box) -> None:
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Skipped from None
    assert all(one.isdigit() for one in ids_of(job_id_of(given)))


INCIDENT = Incident(
    id="2026-11-21-flexnet-usage",
    subject=Subject(kind="report", name="flexnet/usage"),
    night="2026-11-21",
    members=(Member(report="flexnet/usage", kind=next(iter(IncidentKind)), since=datetime(2026, 11, 22, tzinfo=UTC)),),
    opened=datetime(2026, 11, 22, tzinfo=UTC),
    updates=(),
)
FAILURE = NightFailure(kind=next(iter(FailureKind)), text="no answer", at="2026-11-22T01:00:00+00:00")
_SERVER = "http://127.0.0.1:9"
_AT = datetime(2026, 11, 21, tzinfo=UTC)


async def _write_all(lake: Lake) -> None:
    """Write one of each record, as the product does."""
    await hold(lake, application=None, by="Ada", reason="audit", until=None)
    await lift(lake, (await every_hold(lake))[0].id, by="Ada", reason="done")
    turns = Turns(lake, "portal")
    waiter = await turns.enter(Waiter(run_id="r1", night="2026-11-21", opened=_AT))
    await turns.take(waiter, None)
    await Records(lake, "portal").write(promotions.record(promotions.step("build"), promotions.deploy("DEV")))
    await keep_index(Records(lake, "portal"))
    incidents = Incidents(lake)
    await incidents.write(INCIDENT)
    await incidents.claim(INCIDENT, 1, "ops", _AT)
    await incidents.note(INCIDENT.id, 1, "ops", 1, at=_AT, error="refused")
    await incidents.read()
    await incidents.keep()
    await Memory(lake).looked("dag", _AT)
    await Memory(lake).begin("flexnet/usage", "2026-11-21")
    await Claims(lake, _SERVER).take("r1", [ContentPath.parse("App/live")])
    await asyncio.to_thread(nights.record_failure, lake, "flexnet", "usage", "2026-11-21", FAILURE)


async def _read_all(lake: Lake) -> list[BaseException]:
    """Read all that there may be, each by its own reader; return what refused."""
    records, turns = Records(lake, "portal"), Turns(lake, "portal")
    readers: list[Callable[[], Any]] = [
        lambda: every_hold(lake),
        turns.latest,
        turns.waiting,
        lambda: turns.enter(Waiter(run_id="r1", night="2026-11-22", opened=_AT)),
        lambda: records.read("r"),
        lambda: read_index(records),
        lambda: read_timeline(records),
        lambda: read_timeline(records, as_kept=True),
        lambda: read_standing(records),
        Incidents(lake).read,
        lambda: Incidents(lake).claim(INCIDENT, 1, "ops", _AT),
        Memory(lake).read,
        lambda: Claims(lake, _SERVER).refuse_others([ContentPath.parse("App/live")]),
        lambda: asyncio.to_thread(
            nights.read, lake, nights=["2026-11-21"], sources={"flexnet": ["usage"], "exago": ["tree"]}
        ),
    ]
    refused = []
    for reader in readers:
        try:
            await reader()
        except (LakeError, VendorError) as error:
            refused.append(error)
    return refused


def _examples() -> list[bytes]:
    """Return each object that the product writes: its name, a line feed, and its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_write_all(Lake.from_url(folder)))
        found = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        return [path.relative_to(folder).as_posix().encode() + b"\n" + path.read_bytes() for path in found]


_OBJECTS = _examples()
_FOLDERS = frozenset(str(folder) for one in _OBJECTS for folder in Path(one.partition(b"\n")[0].decode()).parents)


@target("records.lake", _OBJECTS, LakeError, VendorError, share=6.0)
def _object(data: bytes, box: Box) -> None:
    name, _, body = data.partition(b"\n")
    if not re.fullmatch(rb"[A-Za-z0-9_][A-Za-z0-9_.=:+-]{0,100}(/[A-Za-z0-9_][A-Za-z0-9_.=:+-]{0,100}){0,6}", name):
        raise Skipped
    if name.decode() in _FOLDERS:
        raise Skipped  # on an object store both may be there, on a disk a folder cannot be a file
    lake = Lake.from_url(str(box.empty() / "lake"))
    place = box.folder / "lake" / name.decode()
    place.parent.mkdir(parents=True)
    place.write_bytes(body)
    refused = asyncio.run(_read_all(lake))
    assert {path.name for path in box.folder.iterdir()} == {"lake"}
    if refused:
        raise refused[0]


_WAITS = [b"120", b"Wed, 21 Oct 2026 07:28:00 GMT", b"1795219200000", b"-1", b"1e9", b"0, 7", b"2026-11-21T00:00:00Z"]


@target("headers.retry_after", _WAITS, share=2.0)
def _wait(data: bytes, box: Box) -> None:
    found = retry_after({"Retry-After": data.decode("latin-1")}, datetime(2026, 11, 21, tzinfo=UTC))
    assert found is None or 0 <= found <= LONGEST_WAIT, found
