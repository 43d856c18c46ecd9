"""kill -9 in the middle: exactly one export, and a file without a byte lost or twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from tests.unit.tokenflex.doomed import api_of
from tests.unit.tokenflex.export_tasks import NIGHT, download_task, request_task
from tests.unit.tokenflex.test_tokenflex_download import big_file
from tests.unit.tokenflex.usage_server import UsageServer

ROOT = Path(__file__).resolve().parents[3]


def command_of(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.unit.tokenflex.doomed", *arguments]


def environment_of() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}


def kill_when_held(vendor: UsageServer, *arguments: str, lake: Path | None = None) -> None:
    """Kill it once the vendor holds its answer, and, where a lake is given, two parts are landed there."""
    with subprocess.Popen(
        command_of(*arguments), cwd=ROOT, env=environment_of(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            assert vendor.held.wait(60), (
                process.stderr.read().decode()[-2000:] if process.poll() is not None else "it hangs"
            )  # type: ignore[union-attr]
            end = time.monotonic() + 20
            while lake is not None and len(list(lake.rglob("page-*"))) < 2:
                assert time.monotonic() < end, "nothing was landed"
                vendor.held.clear()
                vendor.held.wait(0.01)
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_request_that_is_killed_around_its_post_ends_in_one_export(
    vendor: UsageServer, tmp_path: Path, moment: str
) -> None:
    vendor.hold_create = moment
    kill_when_held(vendor, "request", str(tmp_path), vendor.url, "-")
    run = api_of(tmp_path, vendor.url).run(request_task(), try_number=2)
    assert run.state == "success", run.error
    assert list(vendor.exports) == [run.result["request_key"]]
    assert vendor.count("POST", "/requests") == (1 if moment == "after" else 2)


@pytest.mark.parametrize("point", ["authorize", "body", "answer"])
def test_a_request_that_is_frozen_beside_its_successor_makes_no_second_export(
    vendor: UsageServer, tmp_path: Path, point: str
) -> None:
    with subprocess.Popen(
        command_of("freeze", str(tmp_path), vendor.url, point), cwd=ROOT, env=environment_of(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            wait_until_stopped(process.pid)
            assert len(vendor.exports) == (1 if point == "answer" else 0)
            run = api_of(tmp_path, vendor.url).run(request_task(), try_number=2)
            assert run.state == "success", run.error
            os.kill(process.pid, signal.SIGCONT)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "ended as TaskInstanceState.SUCCESS" not in said
    assert list(vendor.exports) == [run.result["request_key"]]
    assert (len(vendor.exports), vendor.deleted) == (1, [])


def wait_until_stopped(pid: int) -> None:
    end = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < end, "it never stood still"
        time.sleep(0.02)


def test_a_download_that_is_killed_goes_on_with_what_is_landed(
    vendor: UsageServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.file, vendor.hold_at = big_file(8), 6_000_000
    key = vendor.add("Download").key
    kill_when_held(vendor, "download", str(tmp_path), vendor.url, key, lake=tmp_path / "lake")
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    run = api_of(tmp_path, vendor.url).run(download_task(key), try_number=2)
    assert run.state == "success", run.error

    async def body() -> bytes:
        folder = Landing(Lake.from_url(str(tmp_path / "lake")), "tokenflex", "desktop", NIGHT).extract(
            run.result["extract"]
        )
        return b"".join([await folder.read(entry.number) for entry in (await folder.manifest()).entries])

    assert asyncio.run(body()) == vendor.file
    assert int(vendor.downloads[1].headers["Range"].removeprefix("bytes=").removesuffix("-")) > 0
