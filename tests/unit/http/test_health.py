"""How it stands with a connection, from what the tasks saw: written once at a task's end, and never a task's error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nightshift.errors import AuthFailed, NotFound, Unreachable, VendorError
from nightshift.http.health import CallLog, read_health
from nightshift.lake.store import Lake

ODD = "acme/../flexnet %2F"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return Lake.from_url(str(tmp_path / "lake"))


@pytest.fixture
def in_task() -> Iterator[None]:
    """What a task of Airflow runs in."""
    from types import SimpleNamespace

    from airflow.sdk.definitions._internal.contextmanager import _CURRENT_CONTEXT

    ti = SimpleNamespace(dag_id="flexnet_reports", run_id="r", task_id="entitlement.extract")
    _CURRENT_CONTEXT.append({"ti": ti})  # type: ignore[arg-type]
    yield
    _CURRENT_CONTEXT.pop()


async def kept(lake: Lake, *outcomes: VendorError | None, connection: str = "flexnet_default") -> Any:
    calls = CallLog(connection)
    for one in outcomes:
        calls.good() if one is None else calls.failed(one)
    await calls.keep()
    return (await read_health(lake, [connection]))[connection]


def spoil(lake: Lake) -> None:
    for file in Path(lake.url.removeprefix("file://")).rglob("good.json"):
        file.write_text("{]")


@pytest.mark.usefixtures("in_task")
async def test_the_last_of_each_is_kept_with_where_it_was(lake: Lake) -> None:
    found = await kept(lake, None, Unreachable("no answer", vendor="FlexNet"), None, AuthFailed("no", vendor="FlexNet"))
    assert (found.good.task_id, found.good.run_id) == ("entitlement.extract", "r")
    assert (found.error.kind, "no" in found.error.text) == ("AuthFailed", True)
    assert found.error.at >= found.good.at


@pytest.mark.usefixtures("in_task")
async def test_that_the_vendor_did_not_like_a_request_says_nothing_against_its_connection(lake: Lake) -> None:
    found = await kept(lake, NotFound("no such export", vendor="Token Flex"))
    assert (found.good is not None, found.error) == (True, None)


@pytest.mark.usefixtures("in_task")
async def test_no_secret_is_kept(lake: Lake) -> None:
    found = await kept(lake, AuthFailed("Authorization: Bearer s3cr3t-t0ken-of-acme was refused", vendor="FlexNet"))
    assert "s3cr3t" not in found.error.text


@pytest.mark.usefixtures("in_task")
async def test_any_id_of_a_connection_has_a_place_of_its_own(lake: Lake) -> None:
    assert (await kept(lake, None, connection=ODD)).good.connection == ODD
    assert (await read_health(lake, ["flexnet_default"]))["flexnet_default"].good is None


async def test_outside_of_a_task_nothing_is_written(lake: Lake) -> None:
    assert (await kept(lake, None)).good is None


@pytest.mark.usefixtures("in_task")
async def test_a_lake_that_cannot_be_written_is_no_error_of_the_task(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file")
    calls = CallLog("flexnet_default")
    calls.good()
    await calls.keep()


@pytest.mark.usefixtures("in_task")
async def test_a_damaged_object_says_nothing(lake: Lake) -> None:
    await kept(lake, None)
    spoil(lake)
    assert (await read_health(lake, ["flexnet_default"]))["flexnet_default"].good is None
