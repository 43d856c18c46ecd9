"""kill -9 in the middle: exactly one export, and a file without a byte lost or twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from tests.crash.tokenflex.doomed import api_of, download, request
from tests.crash.workers import LONG, kill, stands_still, start, thaw, until
from tests.unit.tokenflex.export_tasks import NIGHT, download_task, request_task
from tests.unit.tokenflex.test_download import big_file
from tests.unit.tokenflex.vendor import Vendor


@pytest.fixture(autouse=True)
def lake_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))


def kill_when_held(vendor: Vendor, process: Any, how: FaultKind) -> None:
    """Kill a worker once the vendor holds its request, its answer or the rest of its file."""
    vendor.ledger.wait_for_request(within=LONG, fault=how)
    kill(process)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_request_that_is_killed_around_its_post_ends_in_one_export(
    vendor: Vendor, tmp_path: Path, moment: str
) -> None:
    how = FaultKind.HOLD if moment == "before" else FaultKind.HOLD_ANSWER
    vendor.faults.add(Fault(kind=how, method="POST", path="/requests$"))
    kill_when_held(vendor, start(request, tmp_path, vendor.url), how)
    run = api_of(tmp_path, vendor.url).run(request_task(), try_number=2)
    assert run.state == "success", run.error
    assert vendor.keys() == [run.result["request_key"]]
    assert vendor.count("POST", "/requests") == (1 if moment == "after" else 2)


@pytest.mark.parametrize("point", ["authorize", "body", "answer"])
def test_a_request_that_is_frozen_beside_its_successor_makes_no_second_export(
    vendor: Vendor, tmp_path: Path, point: str
) -> None:
    process = start(request, tmp_path, vendor.url, point)
    stands_still(process)
    assert len(vendor.keys()) == (1 if point == "answer" else 0)
    run = api_of(tmp_path, vendor.url).run(request_task(), try_number=2)
    assert run.state == "success", run.error
    thaw(process)
    assert (tmp_path / "ended").read_text() != "success"
    assert vendor.keys() == [run.result["request_key"]]
    assert (len(vendor.keys()), vendor.deleted) == (1, [])


def test_a_download_that_is_killed_goes_on_with_what_is_landed(vendor: Vendor, tmp_path: Path) -> None:
    vendor.file = big_file(8)
    vendor.faults.add(Fault(kind=FaultKind.HOLD_BODY, origin="download", at_bytes=6_000_000))
    key = vendor.add().key
    process = start(download, tmp_path, vendor.url, key)
    until(lambda: len(list((tmp_path / "lake").rglob("page-*"))) >= 2, "two parts are landed")
    kill_when_held(vendor, process, FaultKind.HOLD_BODY)
    run = api_of(tmp_path, vendor.url).run(download_task(key), try_number=2)
    assert run.state == "success", run.error

    async def body() -> bytes:
        folder = Landing(Lake.from_url(str(tmp_path / "lake")), "tokenflex", "desktop", NIGHT).extract(
            run.result["extract"]
        )
        return b"".join([await folder.read(entry.number) for entry in (await folder.manifest()).entries])

    assert asyncio.run(body()) == vendor.file
    assert int(vendor.downloads_seen[1].headers["range"].removeprefix("bytes=").removesuffix("-")) > 0
