from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.standins.exago import REST_KEY
from nightshift.errors import Ambiguous, AuthFailed, NotFound, Rejected, Unreachable
from nightshift.exago.hook import ExagoHook
from nightshift.exago.paths import ContentPath
from nightshift.exago.responses import FolderStatus, ReportFailed, SessionGone
from tests.unit.exago.vendor import Vendor

path = ContentPath.parse
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(" %#+?&;=@:'\"ä漢🙂"),
    min_size=1,
    max_size=12,
).filter(lambda name: not set(name) & set("/\\") and name.strip() not in ("", ".", "..") and name.lower() != "rename")


async def test_one_session_for_all_calls_ended_at_the_end(server: Vendor) -> None:
    server.put("Sales/Daily")
    async with ExagoHook() as hook:
        tree = await hook.tree()
        assert await hook.create_folder(path("Sales/New")) is FolderStatus.CREATED
        assert await hook.create_folder(path("Sales/New")) is FolderStatus.EXISTS
        assert await hook.rename_folder(path("Sales/New"), path("Old")) is FolderStatus.RENAMED
        assert await hook.delete_folder(path("Old")) is FolderStatus.DELETED
        assert await hook.delete_folder(path("Old")) is FolderStatus.MISSING
    assert [str(entry.path) for entry in tree] == ["Sales", "Sales/Daily"]
    assert (server.made, server.open) == (1, 0)


async def test_the_session_is_ended_after_an_error(server: Vendor) -> None:
    async def broken() -> None:
        async with ExagoHook() as hook:
            await hook.tree()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await broken()
    assert (server.made, server.open) == (1, 0)


async def test_a_forgotten_session_is_made_anew_once(server: Vendor) -> None:
    async with ExagoHook() as hook:
        await hook.tree()
        server.forget_session()
        await hook.create_folder(path("A"))
        assert (server.made, server.open) == (2, 1)
        server.script["create"] = ["session dies", "session dies"]
        with pytest.raises(SessionGone, match="does not know the session"):
            await hook.create_folder(path("B"))
    assert server.changes == ["create A"]
    assert server.open == 0


async def test_calls_side_by_side_share_one_session_also_when_it_is_made_anew(server: Vendor) -> None:
    import asyncio

    async with ExagoHook() as hook:
        await asyncio.gather(*(hook.tree() for _ in range(5)))
        server.forget_session()
        await asyncio.gather(*(hook.tree() for _ in range(5)))
    assert (server.made, server.open) == (2, 0)


async def test_a_session_that_cannot_be_ended_is_no_error(server: Vendor, capsys: pytest.CaptureFixture[str]) -> None:
    server.script["end"] = [(400, b"{}")]
    async with ExagoHook() as hook:
        await hook.tree()
    assert "could not be ended (Rejected)" in capsys.readouterr().out


async def test_the_session_id_is_in_no_log_line_and_no_error(
    server: Vendor, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ExagoHook(attempts=2) as hook:
        await hook.tree()
        (sid,) = server.sids()
        server.script["list"] = [(503, b'{"reason": "busy"}'), (503, f'{{"reason": "no {sid} here"}}'.encode())]
        with pytest.raises(Unreachable) as raised:
            await hook.tree()
        server.script["end"] = [(400, f'{{"reason": "no {sid} here"}}'.encode())]
    printed = capsys.readouterr()
    assert "could not be ended" in printed.out
    for text in (printed.out, printed.err, caplog.text, str(raised.value), repr(raised.value), repr(hook)):
        assert sid not in text
        assert REST_KEY not in text


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b'{"reason": "Unauthorized"}', AuthFailed, "user id"),
        (b'{"reason": "Invalid length for a Base-64 char array"}', AuthFailed, "REST key"),
        (b"Invalid length for a Base64 string", AuthFailed, "REST key"),
        (b'{"reason": "Unable to load configuration"}', Rejected, "extra config"),
        (b"<html><body>Server Error</body></html>", NotFound, "ExagoREST"),
        (b'{"reason": "something else"}', Unreachable, "something else"),
        (b'{"Id": 7', Unreachable, "no answer|not JSON|failed"),
    ],
)
async def test_what_a_500_at_the_door_means(server: Vendor, body: bytes, kind: type, words: str) -> None:
    server.script["open"] = [(500, body)]
    with pytest.raises(kind, match=words):
        async with ExagoHook(attempts=1) as hook:
            await hook.tree()


async def test_wrong_credentials_and_the_test_button(server: Vendor, connect: Callable[..., None]) -> None:
    server.put("A/B")
    ok, told = ExagoHook().test_connection()
    assert (ok, told) == (True, f"Exago answers at {server.url}: 1 folder and 1 report")
    connect(password="wrong-key-1234")
    ok, told = ExagoHook().test_connection()
    assert not ok
    assert told.startswith("Login refused.")
    assert "wrong-key-1234" not in told


async def test_signed_requests(server: Vendor, connect: Callable[..., None]) -> None:
    connect(extra={"auth": "exagokey"})
    async with ExagoHook() as hook:
        await hook.create_folder(path("Sales 100%/ä#+?"))
        await hook.rename_folder(path("Sales 100%/ä#+?"), path("Sales 100%/b"))
        await hook.delete_folder(path("Sales 100%/b"))
        await hook.tree()
    assert server.open == 0
    connect(extra={"auth": "exagokey"}, password="wrong-key-1234")
    with pytest.raises(AuthFailed):
        async with ExagoHook() as hook:
            await hook.tree()


async def test_an_unsecured_server_gets_the_empty_pair(server: Vendor, connect: Callable[..., None]) -> None:
    connect(login=None, password=None)
    async with ExagoHook() as hook:
        assert await hook.authorize() == {"Authorization": "Basic Og=="}


@pytest.mark.parametrize(("extra", "sent"), [({}, "A\\B"), ({"separator": "/"}, "A/B")])
async def test_both_separators(server: Vendor, connect: Callable[..., None], extra: dict[str, str], sent: str) -> None:
    connect(extra=extra)
    server.put("A/B/")
    server.turn(separator="slash" if sent == "A/B" else "backslash")
    async with ExagoHook() as hook:
        assert await hook.rename_folder(path("A/B"), path("A\\C")) is FolderStatus.RENAMED
    assert server.bodies == [{"OldName": sent, "NewName": sent.replace("B", "C")}]


@pytest.mark.parametrize("key", ["entity", "Entity"])
async def test_both_spellings_of_the_children(server: Vendor, key: str) -> None:
    server.put("A/B")
    server.turn(child_key=key)
    async with ExagoHook() as hook:
        assert [str(entry.path) for entry in await hook.tree()] == ["A", "A/B"]


async def test_config_session_and_identity(server: Vendor, connect: Callable[..., None]) -> None:
    identity = {"IsAdmin": False, "Identities": {"companyId": "7"}}
    connect(extra={"config": "Acme", "storage_identity": identity})
    server.turn(configs=["Acme"], version="2020.1")
    async with ExagoHook() as hook:
        await hook.tree()
    assert server.ledger.requests()[0].query == (("config", "Acme"),)
    assert server.bodies == [identity]
    server.script["identity"] = [(400, b"{}")]
    with pytest.raises(Rejected):
        async with ExagoHook() as hook:
            await hook.tree()
    assert server.open == 0


@given(names=st.lists(NAMES, min_size=1, max_size=3))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_names_are_encoded_level_by_level_exactly_once(server: Vendor, names: list[str]) -> None:
    server.clear()
    async with ExagoHook() as hook:
        await hook.create_folder(ContentPath(tuple(names)))
        assert "/".join(names) + "/" in server.paths()
        assert [list(entry.path.levels) for entry in await hook.tree()][-1] == names
        await hook.rename_folder(ContentPath(tuple(names)), ContentPath((*names[:-1], "neu ☃ %20")))
        assert "/".join((*names[:-1], "neu ☃ %20")) + "/" in server.paths()


@given(names=st.lists(NAMES, min_size=1, max_size=4), separator=st.sampled_from("/\\"))
def test_a_path_is_read_as_it_is_written(names: list[str], separator: str) -> None:
    found = path(separator.join(names))
    assert found.levels == tuple(names)
    assert path(str(found)) == path(found.in_body("\\")) == found


@pytest.mark.parametrize("text", ["", "/", "A//B", "A/../B", ".", "A/\x00", "A/\nB", "x" * 256])
def test_a_path_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        path(text)


async def test_a_folder_named_rename_at_the_root_is_refused(server: Vendor) -> None:
    async with ExagoHook() as hook:
        with pytest.raises(Rejected, match="cannot be made by REST"):
            await hook.create_folder(path("Rename"))
        await hook.create_folder(path("A/rename"))
    assert server.changes == ["create A/rename"]


async def test_a_status_decides_not_the_200(server: Vendor) -> None:
    server.put("A/B")
    async with ExagoHook() as hook:
        with pytest.raises(Rejected, match="its status is DoesNotExist"):
            await hook.rename_folder(path("X"), path("Y"))
        server.script["delete"] = [(200, b'{"Id": null, "Name": "A", "Status": "Exists"}')]
        with pytest.raises(Rejected, match="did not delete A: its status is Exists"):
            await hook.delete_folder(path("A"))
        server.script["create"] = [(200, b'{"Status": "created"}'), (200, b'{"Status": "Queued"}'), (204, b"")]
        assert await hook.create_folder(path("N")) is FolderStatus.CREATED
        with pytest.raises(Ambiguous, match="'Queued'"):
            await hook.create_folder(path("N"))
        with pytest.raises(Ambiguous):
            await hook.create_folder(path("N"))


@pytest.mark.parametrize("action", ["drop", "lost", (500, b"Folder is not empty"), (500, b"<html></html>")])
async def test_a_change_without_a_clear_answer_is_sent_once(server: Vendor, action: object) -> None:
    server.put("A/")
    server.script["rename"] = [action]
    async with ExagoHook() as hook:
        with pytest.raises(Ambiguous):
            await hook.rename_folder(path("A"), path("B"))
    assert server.counts["rename"] == 1


async def test_reports(server: Vendor) -> None:
    filters = [{"FilterText": "Orders.Day", "Operator": 0, "Values": ["11/21/2026"]}]
    server.report = {"ExecuteData": "a,b\r\n1,2\r\n", "IsError": False, "DataType": "Data"}
    async with ExagoHook() as hook:
        assert await hook.execute_report(path("Sales/Daily"), filters=filters) == b"a,b\r\n1,2\r\n"
        assert server.bodies[-1] == {"ReportPath": "Sales\\Daily", "DataType": "Data", "Filters": filters}
        server.report = {"ExecuteData": '[{"a": "\\u00e4"}]'}
        assert await hook.execute_report(report_id="7", form="json") == b'[{"a": "\\u00e4"}]'
        server.report = {"ExecuteData": [{"a": 1}]}
        assert await hook.execute_report(report_id="7", form="json", data_type=None) == b'[{"a":1}]'
        assert server.bodies[-1] == {"Id": "7"}
        server.report = {"ExecuteData": None, "IsError": True, "ErrorList": ["no such column", "Orders.Day"]}
        with pytest.raises(ReportFailed, match="no such column · Orders"):
            await hook.execute_report(report_id="7")
        server.report = {"ExecuteData": "ExecuteExport.aspx?x", "DataType": "Url"}
        with pytest.raises(Exception, match="a link instead of the report"):
            await hook.execute_report(report_id="7")
        with pytest.raises(Rejected, match="by one of them"):
            await hook.execute_report()


def test_a_hook_serves_two_event_loops_in_turn(server: Vendor) -> None:
    import asyncio

    hook = ExagoHook()

    async def once() -> int:
        async with hook:
            return len(await hook.tree())

    assert [asyncio.run(once()) for _ in range(2)] == [0, 0]
    assert server.made == 2
    assert threading.active_count() < 20
