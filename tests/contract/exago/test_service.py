"""The client against the stand-in: each form of authorization, error, tree and answer that is left open."""

from __future__ import annotations

from typing import Any

import pytest

from include.standins import Fault
from nightshift.errors import AuthFailed, NotFound, Rejected, VendorError
from nightshift.exago.hook import ExagoHook
from nightshift.exago.paths import ContentPath
from nightshift.exago.responses import FolderStatus, ReportFailed
from tests.contract.exago.conftest import Start

path = ContentPath.parse
ODD = "Empty/50 % off + #1 ä東/a?b&c=d"


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"session_id_key": "id"},
        {"status_case": "lower"},
        {"status_case": "upper", "version": "2020.1"},
        {"version": "2021.1"},
        {"child_key": "Entity"},
        {"words_case_sensitive": True},
        {"error_body": "text"},
    ],
)
@pytest.mark.parametrize("auth", ["basic", "exagokey"])
async def test_folders_come_and_go(vendor_with: Start, switches: dict[str, Any], auth: str) -> None:
    vendor = vendor_with(extra={"auth": auth}, auth_types=[auth], **switches)
    async with ExagoHook() as hook:
        assert await hook.create_folder(path(ODD.rpartition("/")[0])) is FolderStatus.CREATED
        assert await hook.create_folder(path(ODD)) is FolderStatus.CREATED
        assert await hook.create_folder(path(ODD)) is FolderStatus.EXISTS
        assert (await hook.tree()).folder(path(ODD)) is not None
        assert await hook.rename_folder(path(ODD), path("Empty/x")) is FolderStatus.RENAMED
        assert await hook.delete_folder(path("Empty/x")) is FolderStatus.DELETED
        assert await hook.delete_folder(path("Empty/x")) is FolderStatus.MISSING
    assert vendor.access.open_sessions() == 0
    assert len(vendor.ledger.effects(kind="session_made")) == 1


@pytest.mark.parametrize(
    ("switches", "separator"),
    [
        ({}, "\\"),
        ({"version": "2020.1"}, "\\"),
        ({"version": "2020.1"}, "/"),
        ({"separator": "slash"}, "/"),
        ({"version": "2021.1", "separator": "backslash"}, "\\"),
    ],
)
async def test_separators(vendor_with: Start, switches: dict[str, Any], separator: str) -> None:
    vendor = vendor_with(extra={"separator": separator}, **switches)
    async with ExagoHook() as hook:
        await hook.rename_folder(path("Sales/Live"), path("Empty/Live"))
        assert await hook.execute_report(path("Sales/Daily"))
    assert "Empty/Live/Daily" in vendor.live.paths()


async def test_the_tree_is_the_vendors(vendor_with: Start) -> None:
    for version in ("2019.2", "2020.1", "2021.1"):
        vendor = vendor_with(version=version, numeric_types=version == "2020.1")
        async with ExagoHook() as hook:
            tree = await hook.tree()
        assert [f"{entry.path}{'' if entry.is_report else '/'}" for entry in tree] == vendor.live.paths()
        assert {str(entry.path) for entry in tree if entry.read_only} >= {"Templates"}
        assert all(entry.content_id for entry in tree) == (version == "2021.1")


@pytest.mark.parametrize("wrong_auth", ["error", "unauthorized"])
@pytest.mark.parametrize("body", ["json", "text"])
@pytest.mark.parametrize("auth", ["basic", "exagokey"])
async def test_wrong_credentials(vendor_with: Start, wrong_auth: str, body: str, auth: str) -> None:
    vendor = vendor_with(extra={"auth": auth}, wrong_auth=wrong_auth, error_body=body, rest_key="another-key")
    with pytest.raises(AuthFailed, match="REST key"):
        async with ExagoHook(attempts=2) as hook:
            await hook.tree()
    assert len(vendor.ledger.requests()) == 1
    ok, told = ExagoHook().test_connection()
    assert not ok
    assert told.startswith("Login refused")


async def test_the_door_is_another_one(vendor_with: Start) -> None:
    vendor_with(rest_enabled=False)
    with pytest.raises(NotFound, match="ExagoREST"):
        async with ExagoHook(attempts=1) as hook:
            await hook.tree()
    vendor_with(extra={"config": "Nowhere"})
    with pytest.raises(Rejected, match="extra config"):
        async with ExagoHook(attempts=1) as hook:
            await hook.tree()
    vendor = vendor_with(extra={"config": "WebReports"})
    async with ExagoHook() as hook:
        assert len(await hook.tree()) == len(vendor.live.paths())


async def test_an_unsecured_service(vendor_with: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = vendor_with(secured=False)
    monkeypatch.setenv("AIRFLOW_CONN_EXAGO_DEFAULT", f'{{"conn_type": "exago", "host": "{vendor.url}"}}')
    ok, told = ExagoHook().test_connection()
    assert ok, told


@pytest.mark.parametrize("body", ["json", "text"])
async def test_sessions_that_die_are_made_anew(vendor_with: Start, body: str) -> None:
    vendor = vendor_with(session_calls=3, error_body=body)
    async with ExagoHook() as hook:
        for number in range(5):
            await hook.create_folder(path(f"N{number}"))
    assert len(vendor.ledger.effects(kind="folder_created")) == 5
    assert vendor.access.open_sessions() == 0
    told = repr(vendor.ledger.requests())
    assert "setupD" not in told


async def test_a_session_that_ended_with_time(vendor_with: Start) -> None:
    vendor = vendor_with(session_seconds=60)
    async with ExagoHook() as hook:
        await hook.tree()
        vendor.clock.advance(100)
        await hook.create_folder(path("New"))
    assert len(vendor.ledger.effects(kind="session_made")) == 2
    assert vendor.access.open_sessions() == 0


async def test_a_session_that_dies_at_once_ends_in_an_error(vendor_with: Start) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind="session_dies", path="/list$", times=None))
    with pytest.raises(VendorError, match="does not know the session"):
        async with ExagoHook() as hook:
            await hook.tree()
    assert len(vendor.ledger.effects(kind="session_made")) == 2


@pytest.mark.parametrize("answer", ["status", "bad_request", "not_found", "conflict", "error"])
@pytest.mark.parametrize("body", ["json", "text", "html"])
async def test_what_cannot_be_done_is_an_error_and_no_change(vendor_with: Start, answer: str, body: str) -> None:
    shared = dict.fromkeys(("missing", "not_empty", "read_only"), answer)
    vendor = vendor_with(**shared, existing=answer, error_body=body)
    before = vendor.live.paths()
    async with ExagoHook(attempts=1) as hook:
        for change in (
            hook.delete_folder(path("Sales")),
            hook.rename_folder(path("None"), path("Other")),
            hook.rename_folder(path("Empty"), path("Sales")),
            hook.create_folder(path("None/Below")),
            hook.rename_folder(path("Templates"), path("Patterns")),
        ):
            with pytest.raises(VendorError):
                await change
    assert vendor.live.paths() == before


async def test_storage_identity(vendor_with: Start) -> None:
    identity = {"IsAdmin": False, "Identities": {"company": "acme"}}
    vendor_with(extra={"storage_identity": identity}, version="2020.1", parties={"Sales": "acme", "Empty": "other"})
    async with ExagoHook() as hook:
        tree = await hook.tree()
    assert tree.folder(path("Sales")) is not None
    assert tree.folder(path("Empty")) is None


@pytest.mark.parametrize("result", ["text", "value"])
async def test_reports(vendor_with: Start, result: str) -> None:
    vendor = vendor_with(json_result=result, failing_reports={"Sales/Live/Daily": "The database is asleep."})
    one = {"FilterText": "Orders.Region", "DataType": "string", "Operator": 14, "Values": ["EU", "US"]}
    async with ExagoHook() as hook:
        content = await hook.execute_report(path("Sales/Daily"), form="json", filters=[one])
        assert content.startswith(b"[{")
        assert b"APAC" not in content
        assert (await hook.execute_report(path("Sales/Daily"))).count(b"\n") > 1
        with pytest.raises(ReportFailed, match="The database is asleep"):
            await hook.execute_report(path("Sales/Live/Daily"))
        with pytest.raises(ReportFailed):
            await hook.execute_report(path("Sales/None"))
    assert [one.detail["error"] for one in vendor.ledger.effects(kind="report_executed")][:3] == [False, False, True]
