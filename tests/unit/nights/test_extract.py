"""Two attempts at one extract: a worker that was held up wakes up after its retry has begun."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from airflow.sdk import DAG, RetryAction

from nightshift.lake.errors import Completed, Incomplete, PageTaken
from nightshift.lake.extract import Manifest, Progress
from nightshift.lake.landing import ExtractFolder, Landing
from nightshift.lake.store import Lake
from nightshift.nights.extract import STATE_KEY, ExtractOperator, imports_at_rest
from nightshift.retries import VendorRetryPolicy
from tests.execution_api import FakeExecutionApi

NIGHT = "2026-11-21"
TOMORROW, NEXT_WEEK = ((datetime.now(UTC) + timedelta(days=days)).isoformat() for days in (1, 7))
Play = Callable[["Source", ExtractFolder, Progress, Any], Awaitable[Manifest]]


class Source(ExtractOperator):
    """Plays what a test says, one play an attempt."""

    source: ClassVar[str] = "flexnet"
    plays: ClassVar[list[Play]] = []

    flexnet_conn_id = "flexnet_default"

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        return await self.plays.pop(0)(self, folder, progress, context)

    async def landed(self, folder: ExtractFolder, progress: Progress, context: Any, *bodies: bytes) -> Manifest:
        entries = [await folder.write(number, body, 1) for number, body in enumerate(bodies, 1)]
        return self.manifest_of(entries, progress, context, format="json")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return Lake.from_url(str(tmp_path / "lake"))


@pytest.fixture
def landing(lake: Lake) -> Landing:
    return Landing(lake, "flexnet", "usage", NIGHT)


def attempts(*plays: Play) -> tuple[FakeExecutionApi, Any]:
    """Run attempts until the plays are over; return the last."""
    Source.plays = list(plays)
    api = FakeExecutionApi(max_tries=5)
    with DAG("d", schedule=None):
        task = Source(task_id="usage.extract", report="usage", night=NIGHT)
    while Source.plays:
        run = api.run(task)
    return api, run


async def dies(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
    await folder.write(1, b'{"data": [1]}', 1)
    raise ConnectionError("the worker is gone")


def refused(extract_id: str) -> None:
    """Answer as Airflow does an attempt that is none any more."""
    raise PermissionError(extract_id)


def test_what_the_attempt_before_has_completed_is_the_tasks_extract(landing: Landing) -> None:
    """It wakes up, completes what it was at, and cannot report it: the retry neither fails nor lands it twice."""

    async def begins_again(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        thawed = landing.extract(progress.extract, refused)
        await thawed.complete(await self.landed(thawed, progress, context, b'{"data": [1]}'))
        await folder.begin_again()
        raise AssertionError("it would land it twice")

    api, run = attempts(dies, begins_again)
    assert run.state == "success", run.error
    manifest = asyncio.run(landing.latest())
    assert manifest is not None
    assert run.result["extract"] == manifest.extract
    assert STATE_KEY not in api.task_store


def test_the_retry_that_comes_second_to_the_manifest_has_the_first_one(landing: Landing) -> None:
    async def comes_second(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        thawed = landing.extract(progress.extract, refused)
        await thawed.complete(await self.landed(thawed, progress, context, b'{"data": [1]}'))
        return await self.landed(folder, progress, context, b'{"data": [1]}')

    _, run = attempts(dies, comes_second)
    assert (run.state, run.result["rows"]) == ("success", 1)


def test_a_page_that_the_attempt_before_lands_meanwhile_is_not_mixed_with_those_of_the_retry(landing: Landing) -> None:
    """The vendor's rows have changed between the two: each extract is of one attempt, and both can be read."""
    folders: list[str] = []

    async def meets_it(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        self.remember(context, msgspec.structs.replace(progress, plan={"window": "of attempt 1"}))
        await landing.extract(progress.extract, refused).write(2, b'{"data": ["old"]}', 1)
        return await goes_on(self, folder, progress, context)

    async def goes_on(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        folders.append(folder.extract_id)
        manifest = await self.landed(folder, progress, context, b'{"data": [1]}', b'{"data": ["new"]}')
        assert progress.plan == {"window": "of attempt 1"}
        self.remember(context, progress)
        return manifest

    async def notes(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        found = context["task_state_store"].get(STATE_KEY, None)
        assert (found["extract"], found["plan"]) == (folder.extract_id, {"window": "of attempt 1"})
        return await goes_on(self, folder, progress, context)

    _, run = attempts(dies, meets_it, notes)
    assert run.state == "success", run.error
    first, second = folders
    assert first != second == run.result["extract"]
    assert asyncio.run(landing.extract(second).read(2)) == b'{"data": ["new"]}'

    async def thaws() -> None:
        """What is left of the first folder is no extract, and the second is not the thawed worker's to touch."""
        entries = [await landing.extract(second).write(n, await landing.extract(second).read(n), 1) for n in (1, 2)]
        manifest = (await landing.manifest(second)).model_copy(update={"extract": first})
        with pytest.raises(Incomplete):
            await landing.extract(first, refused).complete(manifest)
        late = Manifest.of(
            entries[:1],
            **(await landing.manifest(second)).model_dump(exclude={"entries", "rows", "pages", "bytes", "sha256"}),
        )
        with pytest.raises(Completed):
            await landing.extract(second, refused).complete(late)

    asyncio.run(thaws())
    assert asyncio.run(landing.latest()) == asyncio.run(landing.manifest(second))


def test_an_attempt_that_is_none_any_more_writes_over_nothing(landing: Landing) -> None:
    """Here the one that was held up finds the retry's page: Airflow refuses it another folder, and that ends it."""

    async def retry_is_quicker(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        folder._renewed = refused
        await landing.extract(progress.extract).write(1, b'{"data": ["of the retry"]}', 1)
        return await self.landed(folder, progress, context, b'{"data": [1]}')

    api, run = attempts(retry_is_quicker)
    assert isinstance(run.error, PermissionError)
    kept = api.task_store[STATE_KEY]
    assert asyncio.run(landing.extract(kept["extract"]).read(1)) == b'{"data": ["of the retry"]}'


def test_an_extract_is_newer_than_what_was_there_whatever_the_clock_says(landing: Landing) -> None:
    """The worker of the first one had a clock that was ahead by a day, and the second attempt of the other has it, too:
    what counts is what was there when it began.
    """

    async def ahead(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        manifest = await self.landed(folder, progress, context, b'{"data": [1]}')
        return manifest.model_copy(update={"finished": TOMORROW})

    async def meanwhile(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        another = landing.extract("another")
        await another.complete(
            (await self.landed(another, progress, context, b'{"data": [2]}')).model_copy(
                update={"extract": "another", "finished": NEXT_WEEK}
            )
        )
        raise ConnectionError("the worker is gone")

    async def lands(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        return await self.landed(folder, progress, context, b'{"data": [3]}')

    attempts(ahead)
    _, run = attempts(meanwhile, lands)
    finished = asyncio.run(landing.manifest(run.result["extract"])).finished
    assert TOMORROW < finished < NEXT_WEEK


def test_an_extract_does_not_mind_that_another_one_cannot_be_read(landing: Landing) -> None:
    async def lands(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        return await self.landed(folder, progress, context, b'{"data": [1]}')

    _, first = attempts(lands)
    folder = Path(landing.lake.url.removeprefix("file://"), *landing.path, first.result["extract"])
    (folder / "manifest.json").write_bytes(b"{")
    _, run = attempts(lands)
    assert run.state == "success", run.error


ONE, OTHER = {"query": "one"}, {"query": "other"}


def asks(asked: dict[str, Any], *, dying: bool = False, hours: float | None = None) -> Play:
    """Return an attempt that asks for this, plans as it says, and lands a page of it where none is landed."""

    async def play(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        progress = await self.going_on(folder, progress, context, asked, hours)
        assert progress.plan in ({}, asked), "a plan is one of what is asked for"
        self.remember(context, msgspec.structs.replace(progress, plan=asked))
        if await folder.landed():
            body = await folder.read(1)
        else:
            body = msgspec.json.encode({"data": [asked["query"]]})
        entry = await folder.write(1, body, 1)
        if dying:
            raise ConnectionError("the worker is gone")
        return self.manifest_of([entry], progress, context, format="json")

    return play


def page_of(landing: Landing, run: Any) -> bytes:
    assert run.state == "success", run.error
    return asyncio.run(landing.extract(run.result["extract"]).read(1))


@pytest.mark.parametrize("second", [ONE, OTHER], ids=["the same", "other"])
def test_what_is_landed_is_gone_on_with_where_the_same_is_asked_for(landing: Landing, second: dict[str, Any]) -> None:
    starts: list[str] = []

    async def looks(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        starts.append(folder.extract_id)
        return await asks(second)(self, folder, progress, context)

    _, run = attempts(asks(ONE, dying=True), looks)
    assert page_of(landing, run) == msgspec.json.encode({"data": [second["query"]]})
    assert (run.result["extract"] == starts[0]) == (second is ONE)
    pages = Path(landing.lake.url.removeprefix("file://")).rglob("page-*")
    assert [page.parent.name for page in pages] == [run.result["extract"]], "nothing else is left"


@pytest.mark.parametrize("second", [ONE, OTHER], ids=["the same", "other"])
def test_what_an_attempt_has_completed_is_taken_where_the_same_is_asked_for(
    landing: Landing, second: dict[str, Any]
) -> None:
    """A complete one of another request stays as it is, and what comes now is newer, whatever the clocks say."""

    async def completes(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
        manifest = await asks(ONE)(self, folder, progress, context)
        await folder.complete(manifest.model_copy(update={"finished": TOMORROW}))
        raise ConnectionError("the worker is gone")

    api, run = attempts(completes, asks(second))
    assert page_of(landing, run) == msgspec.json.encode({"data": [second["query"]]})
    newest = asyncio.run(landing.latest())
    assert newest is not None
    assert newest.extract == run.result["extract"]
    manifests = list(Path(landing.lake.url.removeprefix("file://")).rglob("manifest.json"))
    assert len(manifests) == (1 if second is ONE else 2)
    assert STATE_KEY not in api.task_store


@pytest.mark.parametrize("completed", [False, True])
def test_what_the_release_before_has_left_begins_again(landing: Landing, completed: bool) -> None:
    """It kept no word of what it asked for."""
    folder = landing.extract("left")
    entry = asyncio.run(folder.write(1, b'{"data": ["of the release before"]}', 1))
    if completed:
        about = {"source": "flexnet", "report": "usage", "night": NIGHT, "extract": "left", "connection": "c"}
        about |= {"attempt": 1, "started": "s", "finished": "2026-11-22T00:00:00+00:00", "format": "json"}
        asyncio.run(folder.complete(Manifest.of([entry], **about)))
    Source.plays = [asks(OTHER)]
    api = FakeExecutionApi(max_tries=5)
    api.task_store[STATE_KEY] = {"extract": "left", "night": NIGHT, "started": "s", "plan": {"date_to": "x"}}
    with DAG("d", schedule=None):
        run = api.run(Source(task_id="usage.extract", report="usage", night=NIGHT), try_number=2)
    assert page_of(landing, run) == b'{"data":["other"]}'
    assert asyncio.run(folder.landed()) == ([1] if completed else [])


def test_pages_that_are_too_old_are_not_gone_on_with(landing: Landing) -> None:
    """A folder is as old as when it was begun, not as the first attempt."""
    names: list[str] = []

    def ages(hours: float) -> Play:
        async def play(self: Source, folder: ExtractFolder, progress: Progress, context: Any) -> Manifest:
            begun = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
            self._at = progress = msgspec.structs.replace(progress, begun=begun)
            try:
                return await asks(ONE, dying=True, hours=24)(self, folder, progress, context)
            finally:
                names.append(folder.extract_id)

        return play

    attempts(*(ages(hours) for hours in (0, 23.9, 24.1, 1, 48)), asks(ONE, hours=24))
    assert [names[0] == name for name in names] == [True, True, False, False, False]
    assert (names[2] == names[3], names[3] == names[4]) == (True, False)


def test_an_attempt_that_met_another_twice_is_tried_again() -> None:
    assert VendorRetryPolicy().evaluate(PageTaken("two pages"), 1, 3).action is not RetryAction.FAIL


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("nothing_frozen")
def test_what_is_imported_is_left_out_of_collections_and_is_back_afterwards() -> None:
    with pytest.raises(KeyError), imports_at_rest():
        raise KeyError(gc.get_freeze_count() > 0 or pytest.fail("nothing was left out"))
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("nothing_frozen")
def test_what_somebody_else_has_left_out_stays_so() -> None:
    gc.freeze()
    with imports_at_rest():
        pass
    assert gc.get_freeze_count() > 0
