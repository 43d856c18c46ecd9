"""Names that differ in case, blanks and signs only: refused, unless the configuration says that they are one column."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from nightshift.lake.errors import SchemaDrift, UnreadablePage
from nightshift.lake.spec import PublishSpec, SchemaRules
from nightshift.lake.spelling import Spelling
from nightshift.lake.store import Lake
from nightshift.lake.tables import content_of, publish
from tests.unit.lake.conftest import land_night, read_table

SAME = SchemaRules(same_column=("AccountID",))
_numbers = itertools.count(1)


async def night(
    lake: Lake, *bodies: str, rules: SchemaRules | None = None, model: dict[str, str] | None = None, **spec: Any
) -> list[str]:
    """Publish the next night, of pages that are CSV or rows of JSON, and return what was said."""
    day = next(_numbers)
    is_csv = not bodies[0].startswith("{")
    pages = [body.encode() if is_csv else f"[{body}]".encode() for body in bodies]
    counts = [body.count("\n") - 1 if is_csv else body.count("}") for body in bodies]
    shape, on = ("csv" if is_csv else "json"), f"20{day:02d}-11-21"
    landed = await land_night(lake, pages, night=on, counts=counts, format=shape, model=model)
    said: list[str] = []
    publish(lake, landed, PublishSpec(schema_rules=rules or SchemaRules(), **spec), say=said.append)
    return [line for line in said if "same_column" in line]


def seen(lake: Lake, *columns: str) -> list[tuple[Any, ...]]:
    rows = sorted(read_table(lake), key=lambda row: (str(row["night"]), row["n"]))
    return [tuple(row[name] for name in columns) for row in rows]


@pytest.mark.parametrize("first", ['{"n":1,"AccountID":"x"}', "n,AccountID\n1,x\n"])
@pytest.mark.parametrize("second", ['{"n":2,"accountID":"y"}', "n,accountID\n2,y\n"])
@pytest.mark.parametrize("model", [None, "accountID"])
async def test_another_spelling_is_refused_until_it_is_called_the_same_column(
    lake: Lake, first: str, second: str, model: str | None
) -> None:
    """No setting led out: the advice was about promote, or ended in the same error."""
    await night(lake, first)
    named = {"n": "int64", model: "string"} if model else None
    told = r"'AccountID' and 'accountID'.*set schema_rules.same_column: \[AccountID\]"
    for rules in (SchemaRules(), SchemaRules(allow_lost_columns=True)):
        with pytest.raises(SchemaDrift, match=told) as refused:
            await night(lake, second, rules=rules, model=named)
        assert "promote" not in str(refused.value)
    said = await night(lake, second, rules=SAME, model=named, key=("n", "accountID"))
    assert said == ["What the vendor calls 'accountID' is the column 'AccountID', by schema_rules.same_column"]
    assert seen(lake, "n", "AccountID") == [(1, "x"), (2, "y")]
    await night(lake, first.replace("1", "3"), rules=SAME)
    with pytest.raises(SchemaDrift, match="column 'AccountID' is gone"):
        await night(lake, '{"n":4}', rules=SAME)


@pytest.mark.parametrize("first_night", [True, False])
@pytest.mark.parametrize(
    "pages",
    [
        ['{"n":2,"accountID":"a"},{"n":3,"AccountID":"b"},{"n":4,"accountID":null},{"n":5,"Account ID":"c"}'],
        ['{"n":2,"accountID":"a"}', '{"n":3,"AccountID":"b"},{"n":4}', '{"n":5,"Account ID":"c"}'],
        ["n,accountID\n2,a\n", "n,AccountID\n3,b\n4,\n", "n,Account ID\n5,c\n"],
        ['{"n":2,"Account\\\\ID":"a"},{"n":3,"AccountID":"b"},{"n":4}', '{"n":5,"\\\\AccountID":"c"}'],
    ],
)
async def test_rows_and_pages_may_spell_it_each_in_its_own_way(lake: Lake, first_night: bool, pages: list[str]) -> None:
    if not first_night:
        await night(lake, '{"n":1,"AccountID":"x"}')
    await night(lake, *pages, rules=SAME)
    assert seen(lake, "n", "AccountID")[-4:] == [(2, "a"), (3, "b"), (4, None), (5, "c")]


async def test_a_row_that_has_it_twice_is_refused(lake: Lake) -> None:
    both = '{"n":1},{"n":2,"AccountID":"x","accountID":"y"}'
    with pytest.raises(SchemaDrift, match=r"same_column: \[AccountID\].*If a row has both, have the vendor name them"):
        await night(lake, both)
    told = r"page 1, row 2 has 'AccountID' and 'accountID', which schema_rules.same_column makes one column"
    with pytest.raises(UnreadablePage, match=told):
        await night(lake, both, rules=SAME)
    with pytest.raises(UnreadablePage, match="page 1: the header has 'Account ID' and 'AccountID'"):
        await night(lake, "n,Account ID,AccountID\n1,x,y\n", rules=SAME)


async def test_a_header_that_is_spelled_otherwise_on_a_later_page_is_no_row(lake: Lake) -> None:
    with pytest.raises(SchemaDrift, match="same_column: "):
        await night(lake, "ID,Name\nx,y\n", "id,name\nz,a\n")


async def test_a_column_that_is_gone_and_came_under_another_spelling_is_told_so(lake: Lake) -> None:
    await night(lake, '{"n":1,"AccountID":"x"}')
    other = "n,Account ID\n2,y\n"
    with pytest.raises(SchemaDrift, match=r"'AccountID' is gone.*same_column: \[AccountID\]"):
        await night(lake, other)
    await night(lake, other, rules=SAME)
    assert seen(lake, "n", "AccountID") == [(1, "x"), (2, "y")]


async def test_all_names_of_a_vendor_that_spells_each_of_them_otherwise_are_told_at_once(lake: Lake) -> None:
    await night(lake, "n,Name\n1,x\n")
    with pytest.raises(SchemaDrift, match=r"\'n\' and \'N\'; \'Name\' and \'NAME\'.*same_column: \[n, Name\]"):
        await night(lake, "N,NAME\n2,y\n")
    with pytest.raises(SchemaDrift, match=r"not this report\'s .*same_column: \[Name, n\]"):
        await night(lake, "_n,_name\n2,y\n")
    await night(lake, "_n,_name\n2,y\n", rules=SchemaRules(same_column=("Name", "n")))
    assert seen(lake, "n", "Name") == [(1, "x"), (2, "y")]


async def test_a_model_that_spells_it_otherwise_lends_its_type(lake: Lake) -> None:
    model = {"n": "int64", "accountID": "decimal(9,2)"}
    for body in ('{"n":1,"AccountID":"1.5"}', "n,AccountID\n2,2.5\n", '{"n":3,"AccountID":"3.5"}'):
        await night(lake, body, model=model)
    assert [str(value) for (value,) in seen(lake, "AccountID")] == ["1.50", "2.50", "3.50"]
    assert "accountID" not in read_table(lake)[0]


def test_the_table_says_the_name_and_what_it_has_stays_as_it_is() -> None:
    spelling = Spelling(["accountid", "Night"], ["AccountID", "Account ID", "night"])
    names = ["accountID", "Account ID", "AccountID", "NIGHT", "other"]
    assert [spelling.of(name) for name in names] == ["AccountID", "Account ID", "AccountID", "night", "other"]


async def test_what_the_setting_joins_is_published_again(lake: Lake) -> None:
    landed = await land_night(lake, [[{"n": 1}]], model={"n": "int64"})
    plain, other = PublishSpec(), PublishSpec(schema_rules=SAME)
    assert content_of(landed, plain) != content_of(landed, other)
    assert content_of(landed, plain) == content_of(
        landed, PublishSpec(schema_rules=SchemaRules(allow_type_change=True))
    )
