"""CSV that is not the report it stands for: an error text, another report, another delimiter, quotes nobody closed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from nightshift.lake.csv_pages import CsvTexts
from nightshift.lake.csv_text import RecordCounter
from nightshift.lake.errors import SchemaDrift, UnreadablePage
from nightshift.lake.published import Published
from nightshift.lake.spec import CsvSpec, PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import land_night, read_table

GOOD = b"id,name\n1,Acme\n2,Globex\n"
ROWS = [{"id": 1, "name": "Acme"}, {"id": 2, "name": "Globex"}]


_numbers = itertools.count(1)


async def land(lake: Lake, body: bytes, rows: int, model: dict[str, str] | None = None, **spec: Any) -> Published:
    extract = f"extract-{next(_numbers):03d}"
    manifest = await land_night(lake, [body], extract=extract, counts=[rows], format="csv", model=model)
    return publish(lake, manifest, PublishSpec(**spec))


def seen(lake: Lake) -> list[dict[str, Any]]:
    return [{name: row[name] for name in ("id", "name")} for row in read_table(lake)]


@pytest.mark.parametrize("model", [None, {"id": "int64", "name": "string"}])
@pytest.mark.parametrize(
    "body",
    [
        b"System is under maintenance",
        b"No data qualified for the report\n",
        b'<?xml version="1.0"?><error>quota exceeded</error>',
        b"customer,region\r\n",
    ],
)
async def test_an_error_text_or_another_report_is_no_empty_night(
    lake: Lake, body: bytes, model: dict[str, str] | None
) -> None:
    await land(lake, GOOD, 2, model=model)
    with pytest.raises(SchemaDrift, match=r"the header is not this report's .*Ask for the report by hand"):
        await land(lake, body, 0, model=model)
    assert seen(lake) == ROWS


async def test_a_header_without_rows_is_an_empty_night(lake: Lake) -> None:
    await land(lake, GOOD, 2)
    assert (await land(lake, b"id,name\n", 0)).rows == 0
    assert read_table(lake) == []


async def test_a_header_without_rows_lacks_no_column(lake: Lake) -> None:
    await land(lake, GOOD, 2)
    with pytest.raises(SchemaDrift, match="column 'name' is gone"):
        await land(lake, b"id\n", 0)
    await land(lake, b"id,extra\n", 0, schema_rules={"allow_lost_columns": ["name"]})
    assert read_table(lake) == []


async def test_the_first_header_without_rows_has_the_key(lake: Lake) -> None:
    with pytest.raises(SchemaDrift, match=r"lacks 'id' of the key\); it begins 'System is under maintenance'"):
        await land(lake, b"System is under maintenance", 0, key=["id"])
    await land(lake, b"id,name\n", 0, key=["id"])


async def test_no_rule_lets_an_error_text_be_an_empty_night(lake: Lake) -> None:
    """It emptied a night that was published, where the rule once let a renamed column through."""
    rules = {"allow_lost_columns": True}
    await land(lake, GOOD, 2)
    with pytest.raises(SchemaDrift, match=r"correct schema_rules.allow_lost_columns: \[id, name\] and key, by which"):
        await land(lake, b"An error has occurred", 0, schema_rules=rules)
    assert seen(lake) == ROWS
    assert (await land(lake, b"ident,label\n", 0, schema_rules=rules, key=["ident"])).rows == 0


async def test_a_vendor_that_renames_every_column_is_let_through_by_name(lake: Lake) -> None:
    await land(lake, GOOD, 2)
    told = r"it begins 'tag, ident, label'.*correct schema_rules.allow_lost_columns: \[id, name\]"
    with pytest.raises(SchemaDrift, match=told):
        await land(lake, b"tag,ident,label\nx,3,Umbrella\n", 1)
    await land(lake, b"ident,label\n3,Umbrella\n", 1, schema_rules={"allow_lost_columns": ["id", "name"]})
    assert [(row["ident"], row["label"]) for row in read_table(lake)] == [(3, "Umbrella")]


@pytest.mark.parametrize("first_night", [True, False])
@pytest.mark.parametrize(
    ("body", "rows", "where"),
    [
        (b"id,name\n1,Acme\nid,name\n2,Globex\n", 3, "row 2"),
        (b"id,name,\n1,Acme,\nid,name,\n2,Globex,\n", 3, "row 2"),
        (b"id, name\r\nid, name\r\n1,Acme\r\n2,Globex\r\n", 3, "row 1"),
        (b'"id";"name"\n1;Acme\n"id";"name"\n', 2, "row 2"),
    ],
)
async def test_a_header_line_among_the_rows_is_none_of_them(
    lake: Lake, first_night: bool, body: bytes, rows: int, where: str
) -> None:
    """It was a row, and on a first night it made texts of numbers for good."""
    csv = {"delimiter": ";" if b";" in body else ","}
    if not first_night:
        await land(lake, GOOD, 2, model={"id": "string"})
    with pytest.raises(UnreadablePage, match=f"page 1, {where} is the header once more .*repeated_header: row") as told:
        await land(lake, body, rows, csv=csv)
    assert "extract the night again" in str(told.value)
    await land(lake, body, rows, csv={**csv, "repeated_header": "row"})
    assert "id" in [row["id"] for row in seen(lake)]


async def test_a_later_part_that_begins_with_the_header_has_it_once_more(lake: Lake) -> None:
    """Where the count says that it is a row, as in a download that was cut into parts."""
    parts = [b"id,name\n1,Acme\n", b"id,name\n2,Globex\n"]
    landed = await land_night(lake, parts, counts=[1, 2], format="csv")
    with pytest.raises(UnreadablePage, match="page 2, row 1 is the header once more"):
        publish(lake, landed, PublishSpec())
    landed = await land_night(lake, parts, counts=[1, 1], format="csv", extract="second")
    assert publish(lake, landed, PublishSpec()).rows == 2


async def test_a_row_that_is_the_header_in_some_fields_is_a_row(lake: Lake) -> None:
    await land(lake, b"id,name\nid,Acme\n2,name\nname,id\n,\n", 4)
    assert [row["id"] for row in seen(lake)] == ["id", "2", "name", None]


def test_a_setting_that_nobody_uses_changes_no_content() -> None:
    assert "repeated_header" not in PublishSpec().model_dump_json()
    other = CsvSpec(repeated_header="row")
    assert CsvSpec.model_validate_json(other.model_dump_json()) == other


@pytest.mark.parametrize("other", [";", "\t", "|"])
async def test_one_column_that_another_delimiter_divides_is_none(lake: Lake, other: str) -> None:
    body = GOOD.replace(b",", other.encode())
    with pytest.raises(UnreadablePage, match=r"there is one column, .*Correct csv"):
        await land(lake, body, 2)
    with pytest.raises(UnreadablePage, match="there is one column"):
        await land(lake, body[:8], 0)
    await land(lake, body, 2, csv={"delimiter": other})
    assert seen(lake) == ROWS


async def test_one_column_may_have_another_delimiter_in_its_values(lake: Lake) -> None:
    await land(lake, b"a;b\nx;y\nz\n", 2)
    assert [row["a;b"] for row in read_table(lake)] == ["x;y", "z"]


@pytest.mark.parametrize(
    ("body", "record"),
    [
        (b'id,name\n1,"disk 12\\""\n2,"disk 14\\""\n', 2),
        (b'id,name\n1,x\n\n2,"12" disk"\n', 3),
        (b'id,name\n1,"a" "b"\n', 2),
        (b'"id" x,name\n1,a\n', 1),
    ],
)
async def test_a_text_behind_a_closing_quote_is_refused_by_its_record(lake: Lake, body: bytes, record: int) -> None:
    with pytest.raises(UnreadablePage, match=f"record {record}: a text stands behind the quote that closes a field"):
        await land(lake, body, 2)


async def test_a_quote_that_is_never_closed_is_refused(lake: Lake) -> None:
    with pytest.raises(UnreadablePage, match="a quote is open at its end"):
        await land(lake, b'id,name\n1,"disk 12\\""\n', 1)


async def test_blanks_behind_a_quote_and_quotes_inside_a_bare_field_are_as_before(lake: Lake) -> None:
    await land(lake, b'id,name\n1,"Acme" \n2,5" nail\n"3","say ""no"""\n4,""\n', 4)
    assert [row["name"] for row in seen(lake)] == ["Acme ", '5" nail', 'say "no"', ""]


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le"])
def test_what_stands_behind_a_quote_is_seen_across_blocks(size: int, charset: str) -> None:
    width = len("a".encode(charset))
    for text, record in (('a,"b"\n"c","d"x\n', 2), ('a,"b""c"\n', None), ('a,"b"\r\n"c"\n', None), ('"a"b\n', 1)):
        counter = RecordCounter(charset=charset, is_start=False, watchful=True)
        body = text.encode(charset)
        for at in range(0, len(body), size * width):
            counter.feed(body[at : at + size * width])
        assert counter.misquoted == record, text


def test_a_big_page_is_looked_at_piece_by_piece() -> None:
    lines = b'1,"x"\n' * (3 << 20)
    body = b"id,name\n" + lines + b'2,"y"z\n'
    with pytest.raises(UnreadablePage, match=f"page 1 .*record {(3 << 20) + 2}: "):
        list(CsvTexts(CsvSpec(), "r").batches(1, body))
