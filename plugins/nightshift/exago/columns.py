"""The columns of the tables that are made of the tree."""

from __future__ import annotations

from nightshift.lake.spec import Column

TREE_COLUMNS = tuple(
    Column(name=name, type=kind)
    for name, kind in (
        ("path", "string"), ("parent", "string"), ("name", "string"), ("kind", "string"), ("type", "string"),
        ("read_only", "bool"), ("role", "string"), ("content_id", "string"),
    )
)  # fmt: skip
CHANGE_COLUMNS = tuple(
    Column(name=name, type="string")
    for name in ("change", "kind", "name", "path", "path_before", "type", "type_before", "since")
)
