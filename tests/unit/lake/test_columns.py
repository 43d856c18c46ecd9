from __future__ import annotations

import pytest

from nightshift.lake.columns import drift, known_types
from nightshift.lake.spec import Column, PublishSpec
from nightshift.lake.spelling import as_spelled

TABLE = [Column(name="a", type="int64"), Column(name="b", type="string"), Column(name="night_", type="string")]


def columns(**kinds: str | None) -> list[Column]:
    return [Column(name=name, type=kind) for name, kind in kinds.items()]


def test_new_columns_are_told_and_taken() -> None:
    found = drift(columns(a="int64", b="string", night="string", c="date"), None, TABLE, PublishSpec())
    assert (found.ok, found.added, found.text) == (True, ("c",), "new column 'c', taken into the table")


def test_nothing_changed_or_nothing_to_compare() -> None:
    same = columns(a=None, b="json", night="string")
    assert drift(same, None, TABLE, PublishSpec()).text == "The vendor's columns are as before"
    assert drift(same, None, None, PublishSpec()).ok


@pytest.mark.parametrize(("table", "before"), [(TABLE, None), (None, columns(a="int64", b="string", night="string"))])
def test_losses_and_changes_are_refused_with_the_key_that_allows_them(
    table: list[Column] | None, before: list[Column] | None
) -> None:
    now = columns(a="string", night="string")
    found = drift(now, before, table, PublishSpec())
    assert (found.ok, found.lost, found.changed) == (False, ("b",), (("a", "int64", "string"),))
    assert "'a' was int64 and is string (refused)" in found.text
    assert "allow_lost_columns: [b]" in found.text
    assert "allow_type_change: [a]" in found.text
    rules = {"allow_lost_columns": ["b"], "allow_type_change": True}
    allowed = drift(now, before, table, PublishSpec.model_validate({"schema_rules": rules}))
    assert allowed.ok
    assert "(allowed)" in allowed.text


def test_the_configuration_overrules_the_vendor() -> None:
    assert drift(columns(a="float64", b="string", night="string"), None, TABLE, PublishSpec(types={"a": "int64"})).ok


def test_the_configuration_counts_for_the_night_before_too() -> None:
    """Of a new table there are no types yet: nights of one model were refused, each by the one before it."""
    now = columns(a="string", day="string")
    spec = PublishSpec(types={"a": "int64"}, night_column="day")
    assert drift(now, now, None, spec).text == "The vendor's columns are as before"
    assert drift(now, now, columns(a="int64", day="timestamp"), spec).ok


def test_one_kind_of_number_may_be_another() -> None:
    found = drift(columns(a="decimal(9,2)", b="string", night="string"), None, TABLE, PublishSpec())
    assert (found.ok, found.text) == (True, "column 'a' was int64 and is decimal(9,2) (allowed)")


def test_promoted_members_are_not_the_vendors() -> None:
    table = columns(v="json", v_id="string")
    assert drift(columns(v="json"), None, table, PublishSpec(promote={"v": {"id": "string"}})).ok


def test_a_type_that_is_a_default_changes_no_table() -> None:
    now = [Column(name="a", type="string", default=True), Column(name="b", type="string", default=True)]
    table, before = columns(a="timestamp"), columns(a="timestamp", b="timestamp")
    spec = PublishSpec()
    assert known_types(spec, now, None, {"b": "int64"}) == {"a": "string", "b": "string"}
    assert known_types(spec, now, table, {"b": "int64"}) == {"a": "timestamp", "b": "string"}
    assert drift(now, None, table, spec).text == "new column 'b', taken into the table"
    assert drift(now, before, None, spec).text == "The vendor's columns are as before"
    configured = PublishSpec(types={"a": "date"})
    assert known_types(configured, now, table, {}) == {"a": "date", "b": "string"}
    assert "'a' was timestamp and is date" in drift(now, None, table, configured).text


def test_of_a_model_alone_nothing_is_lost_that_only_the_table_has() -> None:
    alone = drift(columns(a="int64"), columns(a="int64", c="date"), TABLE, PublishSpec(), model_alone=True)
    assert (alone.lost, alone.ok) == (("c",), False)
    assert drift(columns(a="string"), None, TABLE, PublishSpec(), model_alone=True).changed == (
        ("a", "int64", "string"),
    )


@pytest.mark.parametrize(
    ("model", "there", "found"),
    [
        (["accountID", "b"], ["AccountID", "b"], ["AccountID", "b"]),
        (["AccountID", "b"], ["Account ID"], ["Account ID", "b"]),
        (["AccountID"], ["Account ID", "AccountID"], ["AccountID"]),
        (["AccountID"], ["Account ID", "account_id"], ["AccountID"]),
        (["a_b", "aB"], ["ab"], ["a_b", "aB"]),
        (["#", "%"], ["%", "$"], ["#", "%"]),
    ],
)
def test_a_models_name_is_that_of_the_rows_where_only_one_can_be_meant(
    model: list[str], there: list[str], found: list[str]
) -> None:
    columns = as_spelled([Column(name=name, type="int64") for name in model], there)
    assert [(column.name, column.type) for column in columns] == [(name, "int64") for name in found]


def test_a_column_without_a_default_is_written_as_it_always_was() -> None:
    assert Column(name="a", type="date").model_dump() == {"name": "a", "type": "date", "vendor_type": None}
    default = Column(name="a", type="string", default=True)
    assert Column.model_validate_json(default.model_dump_json()) == default
