"""The stand-in of Exago: the tree of folders and reports, and everybody who changes it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from include.standins import Fault, FaultKind
from include.standins.exago import REST_KEY, USER_ID, ExagoStandIn, ExagoSwitches

EXAMPLES = Path(__file__).parents[4] / "include" / "standins" / "exago" / "examples"


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


class Asker:
    """A plain client with one session."""

    def __init__(self, vendor: ExagoStandIn, http: aiohttp.ClientSession) -> None:
        self.vendor = vendor
        self.http = http
        self.sid = ""

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        joint = "&" if "?" in path else "?"
        url = URL(f"{self.vendor.url}/rest/{path}{joint}sid={self.sid}", encoded=True)
        data = None if body is None else json.dumps(body)
        async with self.http.request(method, url, data=data) as response:
            found = await response.json() if response.content_type == "application/json" else await response.text()
            return response.status, found

    async def folder(self, method: str, path: str) -> tuple[int, Any]:
        return await self.ask(method, "folders/" + quote(path, safe="/"))

    async def rename(self, old: str, new: str) -> tuple[int, Any]:
        return await self.ask("POST", "folders/rename", {"OldName": old, "NewName": new})

    async def tree(self) -> Any:
        status, found = await self.ask("GET", "reports/list")
        assert status == 200, found
        return found

    async def paths(self) -> list[str]:
        def below(node: Any, above: str) -> list[str]:
            found = []
            for child in node["entity"]:
                path = above + child["name"] + ("" if child["leaf_flag"] else "/")
                found += [path, *([] if child["leaf_flag"] else below(child, path))]
            return found

        return below(await self.tree(), "")


async def opened(vendor: ExagoStandIn, http: aiohttp.ClientSession) -> Asker:
    asker = Asker(vendor, http)
    status, session = await asker.ask("POST", "sessions")
    assert status == 201, session
    asker.sid = session["Id"]
    return asker


def client() -> aiohttp.ClientSession:
    known = base64.b64encode(f"{USER_ID}:{REST_KEY}".encode()).decode()
    json_only = {"Accept": "application/json", "Content-Type": "application/json"}
    return aiohttp.ClientSession(headers={**json_only, "Authorization": f"Basic {known}"})


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    async with ExagoStandIn() as vendor, client() as http:
        yield await opened(vendor, http)


async def test_documented_tree_and_answers() -> None:
    async with ExagoStandIn(switches=ExagoSwitches(documented_tree=True)) as vendor, client() as http:
        asker = await opened(vendor, http)
        tree = await asker.tree()
        assert tree == example("reports_list_tree")
        assert list(tree["entity"][0]) == list(example("reports_list_tree")["entity"][0])
        created = (200, example("folder_create_response_200"))
        assert await asker.folder("POST", "Asset Reports/Overseas Holdings") == created
        renamed = await asker.ask("POST", "folders/rename", example("folder_rename_request"))
        assert renamed == (200, example("folder_rename_response_200"))
        await asker.rename("Asset Reports\\Regional Holdings", "Asset Reports\\Overseas Holdings")
        deleted = (200, example("folder_delete_response_200"))
        assert await asker.folder("DELETE", "Asset Reports/Overseas Holdings") == deleted
        assert await asker.tree() == tree


async def test_tree_of_2021() -> None:
    async with ExagoStandIn(switches=ExagoSwitches(version="2021.1")) as vendor, client() as http:
        tree = await (await opened(vendor, http)).tree()
        assert list(tree) == ["Entity"]
        folder = next(node for node in tree["Entity"] if node["name"] == "Templates")
        report = folder["Entity"][0]
        assert "entity" not in folder
        assert (folder["content_type"], folder["report_type"], folder["access_flags"]) == ("Folder", 6, 840)
        assert (report["content_type"], report["report_type"], report["access_flags"]) == ("Report", 0, 65_535)
        assert report["Entity"] is None
        assert folder["content_id"] != report["content_id"]


async def test_id_stays_when_a_folder_moves(asker: Asker) -> None:
    asker.vendor.turn(version="2021.1")

    async def found(name: str) -> str:
        return next(node["content_id"] for node in (await asker.tree())["Entity"] if node["name"] == name)

    before = await found("Empty")
    await asker.rename("Empty", "Emptied")
    assert await found("Emptied") == before


async def test_switches_of_nodes(asker: Asker) -> None:
    asker.vendor.turn(child_key="Entity", numeric_types=True, role="Clerk")
    node = (await asker.tree())["Entity"][0]
    assert (node["user"], node["Entity"][0]["type"], node["type"]) == ("Clerk", 0, None)


async def test_create_rename_move_delete(asker: Asker) -> None:
    assert (await asker.folder("POST", "Sales/New"))[1]["Status"] == "Created"
    assert "Sales/New/" in await asker.paths()
    assert (await asker.rename("Sales\\New", "Empty\\Newer"))[1] == {
        "Id": None,
        "Name": "Empty/Newer",
        "Status": "Renamed",
    }
    assert (await asker.rename("Sales\\Live", "Empty\\Live"))[1]["Status"] == "Renamed"
    paths = await asker.paths()
    assert {"Empty/Newer/", "Empty/Live/", "Empty/Live/Daily", "Empty/Live/Weekly"} <= set(paths)
    assert not [path for path in paths if path.startswith(("Sales/New/", "Sales/Live"))]
    assert (await asker.folder("DELETE", "Empty/Newer"))[1]["Status"] == "Deleted"
    effects = asker.vendor.ledger.effects()
    assert [(one.kind, one.key) for one in effects] == [
        ("session_made", "1"),
        ("folder_created", "Sales/New"),
        ("folder_renamed", "Sales/New"),
        ("folder_renamed", "Sales/Live"),
        ("folder_deleted", "Empty/Newer"),
    ]
    assert effects[2].detail == {"to": "Empty/Newer"}
    assert paths[:-1] != asker.vendor.live.paths()
    assert await asker.paths() == asker.vendor.live.paths()


@pytest.mark.parametrize(
    "name", ["A b", "50 % off", "50%25", "#1", "a+b", "a?b&c=d", "Ünïcødé 東京", 'O\'Neil "q"', "rename"]
)
async def test_names_are_decoded_once(asker: Asker, name: str) -> None:
    status, answer = await asker.folder("POST", f"Empty/{name}")
    assert (status, answer["Name"]) == (200, f"Empty/{name}")
    assert f"Empty/{name}/" in asker.vendor.live.paths()
    assert (await asker.folder("DELETE", f"Empty/{name}"))[1]["Status"] == "Deleted"


@pytest.mark.parametrize("raw", ["Overseas%Holdings", "A%2FB", "A%5CB", "A//B", "A/", "A%2"])
async def test_paths_that_no_folder_can_have(asker: Asker, raw: str) -> None:
    assert (await asker.ask("POST", f"folders/{raw}"))[0] == 400
    assert not asker.vendor.ledger.effects(kind="folder_created")


@pytest.mark.parametrize(("answer", "status"), [("status", 200), ("not_found", 404), ("conflict", 409), ("error", 500)])
async def test_answers_of_what_cannot_be_done(asker: Asker, answer: str, status: int) -> None:
    asker.vendor.turn(existing=answer, missing=answer, not_empty=answer, read_only=answer)
    cases = [
        (await asker.folder("POST", "Empty"), "Exists"),
        (await asker.folder("DELETE", "None"), "DoesNotExist"),
        (await asker.folder("DELETE", "Sales"), "Exists"),
        (await asker.folder("POST", "None/Below"), "DoesNotExist"),
        (await asker.rename("None", "Other"), "DoesNotExist"),
        (await asker.rename("Empty", "Sales"), "Exists"),
        (await asker.rename("Empty", "None\\Empty"), "DoesNotExist"),
        (await asker.folder("DELETE", "Templates/Old"), "Exists"),
        (await asker.folder("POST", "Templates/New"), "Exists"),
        (await asker.rename("Templates", "Patterns"), "Exists"),
        (await asker.rename("Empty", "Templates\\Empty"), "Exists"),
    ]
    for (got, body), expected in cases:
        assert got == status
        if status == 200:
            assert body["Status"] == expected
        else:
            assert body["reason"]
    assert [one.kind for one in asker.vendor.ledger.effects()] == ["session_made"]


async def test_folder_inside_itself_and_report_as_folder(asker: Asker) -> None:
    assert (await asker.rename("Sales", "Sales\\Live\\Sales"))[0] == 500
    assert (await asker.folder("DELETE", "Sales/Daily"))[1]["Status"] == "DoesNotExist"
    assert (await asker.folder("POST", "Sales/Daily"))[1]["Status"] == "Created"


async def test_parents_can_be_made(asker: Asker) -> None:
    asker.vendor.turn(parents_made=True)
    assert (await asker.folder("POST", "Deep/er/est"))[1]["Status"] == "Created"
    assert {"Deep/", "Deep/er/", "Deep/er/est/"} <= set(await asker.paths())


async def test_letter_case_of_names(asker: Asker) -> None:
    assert (await asker.folder("POST", "EMPTY"))[1]["Status"] == "Created"
    await asker.folder("DELETE", "EMPTY")
    asker.vendor.turn(names_case_sensitive=False)
    assert (await asker.folder("POST", "EMPTY"))[1]["Status"] == "Exists"
    assert (await asker.rename("empty", "EMPTY"))[1]["Status"] == "Renamed"
    assert (await asker.folder("DELETE", "Empty"))[1]["Status"] == "Deleted"


@pytest.mark.parametrize(
    ("switches", "backslash", "slash"),
    [
        ({}, "Renamed", "DoesNotExist"),
        ({"version": "2020.1"}, "Renamed", "Renamed"),
        ({"separator": "slash"}, "DoesNotExist", "Renamed"),
        ({"version": "2021.1", "separator": "backslash"}, "Renamed", "DoesNotExist"),
    ],
)
async def test_separators_in_bodies(asker: Asker, switches: Mapping[str, Any], backslash: str, slash: str) -> None:
    asker.vendor.turn(**switches)

    async def status(separator: str) -> str:
        code, body = await asker.rename(f"Sales{separator}Archive", f"Sales{separator}Archive")
        return "DoesNotExist" if code == 400 else str(body["Status"])

    assert (await status("\\"), await status("/")) == (backslash, slash)


async def test_folder_named_rename_cannot_be_made_at_the_root(asker: Asker) -> None:
    assert (await asker.folder("POST", "rename"))[0] == 500
    assert (await asker.folder("POST", "Rename"))[0] == 500
    assert "rename/" not in asker.vendor.live.paths()


@pytest.mark.parametrize("body", [None, {}, {"OldName": "Empty"}, {"OldName": "Empty", "NewName": 3}])
async def test_malformed_bodies(asker: Asker, body: Any) -> None:
    status, found = await asker.ask("POST", "folders/rename", body)
    assert (status, "malformed" in found["reason"]) == (500, True)


async def test_words_in_any_letter_case_unless_a_switch_says_otherwise(asker: Asker) -> None:
    assert (await asker.ask("GET", "Reports/List"))[0] == 200
    assert (await asker.ask("POST", "FOLDERS/Sales/X"))[1]["Name"] == "Sales/X"
    url = URL(f"{asker.vendor.url}/Rest/folders/Sales/X?sid={asker.sid}", encoded=True)
    async with asker.http.delete(url) as response:
        assert response.status == 200
    asker.vendor.turn(words_case_sensitive=True)
    assert (await asker.ask("GET", "Reports/List"))[0] == 500
    assert (await asker.ask("GET", "reports/list"))[0] == 200


@pytest.mark.parametrize(("case", "status"), [("lower", "created"), ("upper", "CREATED")])
async def test_letter_case_of_status(asker: Asker, case: str, status: str) -> None:
    asker.vendor.turn(status_case=case)
    assert (await asker.folder("POST", "New"))[1]["Status"] == status


async def test_odd_status(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind="odd_status", detail={"status": "Queued"}))
    assert (await asker.folder("POST", "New"))[1]["Status"] == "Queued"
    assert "New/" in asker.vendor.live.paths()


async def test_answer_lost_after_the_deed(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST"))
    with pytest.raises(aiohttp.ClientError):
        await asker.folder("POST", "New")
    assert (await asker.folder("POST", "New"))[1]["Status"] == "Exists"


# Others at work.


async def test_other_user_before_the_nth_call(asker: Asker) -> None:
    asker.vendor.faults.add(
        Fault(
            kind="other_user", path="/list$", after=1, detail={"do": "rename", "path": "Sales/Live", "to": "Sales/Gone"}
        )
    )
    assert "Sales/Live/" in await asker.paths()
    assert "Sales/Gone/" in await asker.paths()
    effect = asker.vendor.ledger.effects(kind="other_user")[0]
    assert (effect.key, effect.detail) == ("Sales/Live", {"do": "rename", "to": "Sales/Gone"})


async def test_other_user_takes_the_name_first(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind="other_user", method="POST", detail={"do": "create", "path": "Sales/New"}))
    assert (await asker.folder("POST", "Sales/New"))[1]["Status"] == "Exists"


async def test_other_user_puts_something_in(asker: Asker) -> None:
    detail = {"do": "create_report", "path": "Empty/Mine", "type": "express"}
    asker.vendor.faults.add(Fault(kind="other_user", method="DELETE", detail=detail))
    assert (await asker.folder("DELETE", "Empty"))[0] == 409
    assert "Empty/Mine" in asker.vendor.live.paths()


async def test_all_that_other_users_do(asker: Asker) -> None:
    live = asker.vendor.live
    assert live.other_user("delete", "Sales/Live")
    assert live.other_user("delete_report", "Sales/Daily")
    assert live.other_user("protect", "Empty")
    assert not live.other_user("delete", "No such folder")
    assert (await asker.folder("DELETE", "Empty"))[0] == 500
    assert live.other_user("unprotect", "Empty")
    assert (await asker.folder("DELETE", "Empty"))[0] == 200
    paths = await asker.paths()
    assert not [path for path in paths if path.startswith("Sales/Live") or path == "Sales/Daily"]
    assert len(asker.vendor.ledger.effects(kind="other_user")) == 4
    with pytest.raises(ValueError, match="cannot 'burn'"):
        live.other_user("burn", "Sales")


async def test_listing_late_by_calls(asker: Asker) -> None:
    asker.vendor.turn(listing_lag_calls=2)
    await asker.folder("POST", "New")
    assert ["New/" in await asker.paths() for _ in range(3)] == [False, False, True]


async def test_list_cache_of_the_session_can_be_off(asker: Asker) -> None:
    asker.vendor.turn(listing_lag_calls=9, version="2020.1")
    await asker.folder("POST", "New")
    assert "New/" not in await asker.paths()
    assert (await asker.ask("PATCH", "StorageMgmt", {"ReportListCacheEnabled": False}))[0] == 204
    assert "New/" in await asker.paths()


async def test_tree_differs_by_storage_identity(asker: Asker) -> None:
    asker.vendor.turn(version="2020.1", parties={"Sales": "acme"})
    assert "Sales/" in await asker.paths()
    assert (await asker.ask("PATCH", "StorageMgmt", {"IsAdmin": False, "Identities": {"company": "other"}}))[0] == 204
    assert "Sales/" not in await asker.paths()
    assert (await asker.ask("PATCH", "StorageMgmt", {"Identities": {"company": "acme"}}))[0] == 204
    assert "Sales/" in await asker.paths()


async def test_no_storage_identity_before_2020(asker: Asker) -> None:
    assert (await asker.ask("PATCH", "StorageMgmt", {}))[0] == 500


async def test_a_tree_of_paths_and_another_user_who_comes_after_the_request() -> None:
    switches = ExagoSwitches(tree=["Sales/Live/Daily", "Sales/Archive/", "Board"])
    async with ExagoStandIn(switches=switches) as vendor, client() as http:
        asker = await opened(vendor, http)
        assert await asker.paths() == ["Sales/", "Sales/Live/", "Sales/Live/Daily", "Sales/Archive/", "Board"]
        change = {"do": "create", "path": "Sales/New", "late": True}
        vendor.faults.add(Fault(kind="other_user", path="/reports/list", detail=change))
        assert "Sales/New/" not in await asker.paths()
        assert "Sales/New/" in await asker.paths()
