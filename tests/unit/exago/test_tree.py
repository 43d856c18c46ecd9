from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.errors import BadResponse
from nightshift.exago.changes import ChangeKind, compare, summary
from nightshift.exago.paths import ContentPath
from nightshift.exago.tree import Tree
from tests.unit.exago.trees import tree_of, trees

EXAMPLES = Path(__file__).resolve().parents[3] / "include" / "standins" / "exago" / "examples"


def told(before: Tree, after: Tree) -> list[tuple[str, str | None, str | None]]:
    rows = [change.row("2026-11-20") for change in compare(before, after)]
    return [(row["change"], row["path_before"], row["path"]) for row in rows]


def test_the_documented_tree() -> None:
    tree = Tree.of((EXAMPLES / "reports_list_tree.json").read_bytes())
    assert [(row["path"], row["kind"], row["type"]) for row in (entry.row() for entry in tree)] == [
        ("Asset Reports", "folder", None),
        ("Asset Reports/Sales Report", "report", "advanced"),
        ("Asset Reports/Financial Holdings", "folder", None),
        ("Asset Reports/Financial Holdings/Liquidity Report", "report", "expressview"),
        ("Asset Reports/Financial Holdings/Regional Holdings", "report", "dashboard"),
    ]
    assert {(entry.role, entry.read_only) for entry in tree} == {("Admin", False)}
    assert tree.size() == "2 folders and 3 reports"


def test_newer_keys_unknown_keys_and_an_empty_tree() -> None:
    node = {"name": "A", "type": "folder", "content_id": 7, "access_flags": 65535, "Entity": None}
    (entry,) = Tree.of(b"\xef\xbb\xbf" + json.dumps({"Entity": [node]}).encode())
    assert (entry.is_report, entry.content_id, entry.type) == (False, "7", "folder")
    assert len(Tree.of(b'{"entity": []}')) == len(Tree.of(b'{"Entity": null}')) == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"entity": 3}', b'{"entity": [{"name": 1}]}'])
def test_what_is_no_tree(body: bytes) -> None:
    with pytest.raises(BadResponse, match="not a tree"):
        Tree.of(body)


def test_a_tree_of_any_depth_is_read() -> None:
    body = '{"name": "x", "entity": [' * 300 + "]}" * 300
    assert len(Tree.of(body.encode())) == 299


@given(trees(), trees())
@settings(max_examples=50)
def test_the_changes_lead_from_one_tree_to_the_other(before: Tree, after: Tree) -> None:
    changes = compare(before, after)
    state = {entry.key: entry.type for entry in before}
    for change in changes:
        if change.before is not None:
            assert state.pop(change.before.key) == change.before.type
    for change in changes:
        if change.after is not None:
            assert change.after.key not in state
            state[change.after.key] = change.after.type
    assert state == {entry.key: entry.type for entry in after}
    assert bool(changes) == (state != {entry.key: entry.type for entry in before})


@given(trees())
@settings(max_examples=30)
def test_nothing_changes_from_a_tree_to_itself(tree: Tree) -> None:
    assert compare(tree, tree) == ()


@given(trees(), st.data())
@settings(max_examples=60)
def test_a_folder_that_moved_alone_is_said_to_have_moved(tree: Tree, data: st.DataObject) -> None:
    if not tree.folders:
        return
    old = data.draw(st.sampled_from([entry.path for entry in tree.folders]))
    new = ContentPath(("elsewhere", *old.levels[-1:]))
    moved = Tree(
        tuple(
            msgspec.structs.replace(entry, path=entry.path.moved(old, new)) if entry.path.is_in(old) else entry
            for entry in tree
        )
    )
    changes = compare(tree, moved)
    assert {change.kind for change in changes} == {ChangeKind.MOVED}
    assert len(changes) == 1 + len(tree.inside(old))


def test_each_kind_of_change() -> None:
    before = tree_of(["Sales/Daily", "Sales/Weekly", "Old/x", "Old/y", "Gone"])
    after = tree_of(["Sales/Daily|dashboard", "Weekly", "New/x", "New/y", "Fresh"])
    assert told(before, after) == [
        ("appeared", None, "Fresh"),
        ("vanished", "Gone", None),
        ("moved", "Old", "New"),
        ("moved", "Old/x", "New/x"),
        ("moved", "Old/y", "New/y"),
        ("type changed", "Sales/Daily", "Sales/Daily"),
        ("moved", "Sales/Weekly", "Weekly"),
    ]


def test_what_could_be_either_is_not_called_a_move() -> None:
    found = told(tree_of(["A/r", "B/r"]), tree_of(["A/", "B/", "C/r", "D/r"]))
    assert {kind for kind, *_ in found} == {"appeared", "vanished"}


def test_with_ids_a_report_is_known_under_a_new_name_and_another_one_under_an_old_name() -> None:
    before = tree_of(["A/r", "A/s"], {"A/": "1", "A/r": "2", "A/s": "3"})
    after = tree_of(["A/r2", "A/s"], {"A/": "1", "A/r2": "2", "A/s": "9"})
    assert sorted(told(before, after), key=str) == [
        ("appeared", None, "A/s"),
        ("moved", "A/r", "A/r2"),
        ("vanished", "A/s", None),
    ]


def test_the_text_names_what_moved_or_came_once() -> None:
    before = tree_of(["Old/x", "Old/y", "Keep/z"])
    after = tree_of(["Box/New/x", "Box/New/y", "Keep/z|dashboard", "Fresh/a", "Fresh/b"])
    text = summary(compare(before, after), "2026-11-20")
    assert text.splitlines()[0] == "Since the night 2026-11-20: 4 appeared, 3 moved, 1 type changed."
    assert sorted(text.splitlines()[1:]) == [
        "appeared folder Box",
        "appeared folder Fresh",
        "moved folder Old → Box/New",
        "type changed report Keep/z: advanced → dashboard",
    ]
    assert summary((), "2026-11-20") == "No change since the night 2026-11-20."
    assert "first" in summary((), None)
    many = summary(compare(tree_of([]), tree_of([f"r{n}" for n in range(30)])), "2026-11-20")
    assert many.endswith("… and 22 more")
