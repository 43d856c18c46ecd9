"""How it stands with a connection, from what the tasks saw: written once at a task's end, and never a task's error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.standins.scripted import Scripted, answer
from nightshift.camunda_optimize.hook import CamundaOptimizeHook
from nightshift.errors import (
    Ambiguous,
    AuthFailed,
    BadResponse,
    NotFound,
    Redirected,
    Rejected,
    TooLarge,
    Unreachable,
    VendorError,
)
from nightshift.http.health import CallLog, read_health
from nightshift.lake.store import Lake
from tests.unit.http.acme import AcmeHook, MakeHook

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
    for error in (NotFound, Rejected, TooLarge):
        found = await kept(lake, error("no such export", vendor="Token Flex", status=404))
        assert (found.good is not None, found.error) == (True, None)


@pytest.mark.usefixtures("in_task")
async def test_what_was_refused_here_is_no_answer_of_the_vendor(lake: Lake) -> None:
    for error in (NotFound, Rejected, TooLarge, BadResponse, Ambiguous):
        found = await kept(lake, error("nothing was sent", vendor="Token Flex"))
        assert (found.good, found.error.kind) == (None, error.__name__)


class Spent(AcmeHook):
    """Asks the vendor for its credentials, and is refused; credentials that cannot even be asked for come to the same."""

    async def authorize(self) -> Any:
        return await self.request("POST", "/token", credentials=False)


class Odd(AcmeHook):
    async def opening(self) -> None:
        raise Rejected("the extra 'route' is none", vendor=self.vendor)


PAGE = answer(404, b"<html>", Content_Type="text/html")


@pytest.mark.usefixtures("in_task")
@pytest.mark.parametrize(
    ("hook", "given", "scripts", "problem"),
    [
        (CamundaOptimizeHook, {"extra": {"auth_form": "nonsense"}}, [], "the extra auth_form is 'nonsense'"),
        (CamundaOptimizeHook, {"password": "a\tb"}, [], "the access token is empty or has characters"),
        (CamundaOptimizeHook, {"extra": {"verify": 7}}, [], "verify"),
        (Spent, {}, [answer(400, b'{"error": "unauthorized_client"}')], "the vendor calls the request wrong"),
        (Odd, {}, [], "the extra 'route' is none"),
        (AcmeHook, {}, [PAGE], "and sends an HTML page"),
        (AcmeHook, {"host": "http://127.0.0.1:1"}, [], "no connection"),
    ],
)
async def test_a_connection_that_cannot_be_used_is_not_said_to_work(
    lake: Lake, connect: MakeHook, vendor: Scripted, hook: Any, given: Any, scripts: Any, problem: str
) -> None:
    """Whatever was well before; and the error stays until the vendor has answered."""
    before = await kept(lake, None, connection="acme_default")
    vendor.scripts = scripts or vendor.scripts
    extra = json.dumps(given.pop("extra", {}))
    client = connect(hook, {"password": "swordfish", "extra": extra, **given}, conn_id="acme_default", attempts=1)
    with pytest.raises(VendorError):
        async with client:
            await client.request("GET", "/things")
    found = (await read_health(lake, ["acme_default"]))["acme_default"]
    assert problem in found.error.text
    assert found.error.at > found.good.at >= before.good.at


@pytest.mark.usefixtures("in_task")
async def test_another_host_says_nothing_of_the_connection(lake: Lake, connect: MakeHook, other: Scripted) -> None:
    """A signed link that is good, or has expired, is of the store that it leads to."""
    other.scripts = [answer(), answer(400)]
    async with connect() as client:
        async with client.stream("GET", f"{other.url}/export") as download:
            assert [one async for one in download.chunks] == [b"{}"]
        with pytest.raises(Rejected):
            async with client.stream("GET", f"{other.url}/export"):
                pass
    found = (await read_health(lake, ["acme_default"]))["acme_default"]
    assert (found.good, found.error) == (None, None)
    async with connect() as client:
        await client.request("GET", "/things")
    assert (await read_health(lake, ["acme_default"]))["acme_default"].good is not None


@pytest.mark.usefixtures("in_task")
async def test_whoever_sends_a_change_elsewhere_is_not_the_vendor(
    lake: Lake, connect: MakeHook, vendor: Scripted
) -> None:
    vendor.plays(answer(308, Location="https://acme.example/things"))
    with pytest.raises(Redirected):
        async with connect() as client:
            await client.request("POST", "/things")
    found = (await read_health(lake, ["acme_default"]))["acme_default"]
    assert (found.good, found.error.kind) == (None, "Redirected")


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
