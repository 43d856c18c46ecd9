"""Any text as a name or as a value: in the table as it was sent, or a typed error that says where it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightshift.lake.errors import LakeError, SchemaDrift, UnreadablePage
from nightshift.lake.spec import PublishSpec, table_name, vendor_name
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import land_night, read_table

AWKWARD = [
    "night",
    "Night",
    "NIGHT",
    "night_",
    "",
    "_",
    'a"b',
    "a\\b",
    "a\nb",
    "a\tb",
    "a b",
    "a,b;{}()=c",
    "é",
    "\x7f",
]
characters = st.sampled_from('ab"\\\n\t ,;{}()=_\0é😀') | st.characters(exclude_categories=["Cs"])
names = st.sampled_from(AWKWARD) | st.text(characters, max_size=6)


async def publish_body(lake: Lake, body: bytes, extract: str = "x", **spec: Any) -> None:
    publish(lake, await land_night(lake, [body], counts=[1], extract=extract), PublishSpec(**spec))


@pytest.mark.parametrize("name", AWKWARD)
async def test_a_column_of_any_name_is_published_night_after_night(lake: Lake, name: str) -> None:
    for extract in ("first", "second"):
        await publish_body(lake, json.dumps([{name: extract, "id": 1, "v": {"k": 1}}]).encode(), extract)
        [row] = read_table(lake)
        assert (row[table_name(name)], row["id"], row["v"]) == (extract, 1, '{"k": 1}')


@pytest.mark.parametrize("name", AWKWARD)
async def test_a_csv_column_of_any_name_is_published_night_after_night(lake: Lake, name: str) -> None:
    written = name.replace('"', '""')
    for extract in ("first", "second"):
        body = f'"{written}","id"\n{extract},1\n'.encode()
        manifest = await land_night(lake, [body], counts=[1], extract=extract, format="csv")
        if not name:
            with pytest.raises(UnreadablePage, match="no name for column 1"):
                publish(lake, manifest, PublishSpec())
            continue
        publish(lake, manifest, PublishSpec())
        [row] = read_table(lake)
        assert (row[table_name(name.strip())], row["id"]) == (extract, 1)


@settings(max_examples=25)
@given(
    row=st.dictionaries(names, st.text(characters, max_size=5) | st.none() | st.integers(-9, 9), min_size=1, max_size=5)
)
@example(row={"Night": "a", "night_": "b"})
def test_any_row_of_texts_comes_through_or_is_refused_by_name(row: dict[str, Any]) -> None:
    row["some"] = "thing"
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.from_url(folder)
        for extract in ("first", "second"):
            try:
                asyncio.run(publish_body(lake, json.dumps({"data": [row]}).encode(), extract))
            except SchemaDrift:
                refused = True
                break
        else:
            refused = False
        there = [name for name in row if row[name] is not None]
        lowered = {table_name(name).lower() for name in there}
        assert refused == (len(lowered) < len(there) or any("\0" in name for name in there))
        if refused:
            return
        [found] = read_table(lake)
    assert {name: found[table_name(name)] for name in row if row[name] is not None} == {
        name: value for name, value in row.items() if value is not None
    }


@given(name=st.text(st.sampled_from("nNigh_t"), max_size=8) | st.sampled_from(AWKWARD))
def test_no_two_names_fall_together(name: str) -> None:
    assert vendor_name(table_name(name)) == name
    assert table_name(name).lower() not in ("night", "")


DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize("with_table", [False, True])
@pytest.mark.parametrize(
    ("body", "row", "column", "told"),
    [
        ('{"data":[{"id":1,"a":"x"},{"id":2,"a":"\\ud800"}]}', 2, "a", "one half of a character"),
        ('[{"id":1,"a":"\\\\ud800, \\ud83d\\ude00"},{"id":"]","a":["\\udc00"]}]', 2, "a", "one half of a character"),
        ('{"header":{"x":[1,2]},"data":[{"id":1,"a":' + DEEP + "}]}", 1, "a", "nested too deep"),
        ('[{"id":1,"a":2},{"id":1,"a":{"data":[1,{"b":NaN}]}}]', 2, "a", "invalid character"),
        ('[{"id":1,"a":"M\udcfcller"}]', 1, "a", "byte 0xfc|byte 15 is no character of utf-8"),
        ('{"header":"M\udcfcller","data":[{"id":1,"a":2}]}', None, None, "is no character of utf-8"),
        ('{"data":[{"id":1,"a":2},', None, None, "truncated"),
    ],
)
async def test_what_is_no_text_is_told_with_page_row_and_column(
    lake: Lake, body: str, row: int | None, column: str | None, told: str, with_table: bool
) -> None:
    if with_table:
        await publish_body(lake, b'[{"id":1,"a":"x"}]')
    with pytest.raises(UnreadablePage, match=told) as found:
        await publish_body(lake, body.encode("utf-8", "surrogateescape"), "second")
    assert (found.value.page, found.value.row, found.value.column) == (1, row, column)
    assert "the landed night is untouched" in str(found.value)


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "utf-32"])
async def test_a_byte_order_mark_says_the_character_set_of_json(lake: Lake, charset: str) -> None:
    for extract in ("first", "second"):
        await publish_body(lake, '{"data": [{"id": 1, "a": "é"}]}'.encode(charset), extract)
    assert [row["a"] for row in read_table(lake)] == ["é"]
    await publish_body(lake, '{"data": 7}'.encode(charset), "third", schema_rules={"allow_lost_columns": True})
    assert [row["value"] for row in read_table(lake)] == [7]


@settings(max_examples=40)
@given(body=st.text(st.sampled_from('[]{}",:\\u0dc8a1e.\x00 é\ufeff'), max_size=20), mark=st.binary(max_size=2))
def test_no_body_ends_in_an_error_that_is_not_ours(body: str, mark: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for before in (b"[", b'[{"a":', b'{"data":[{"a":"'):
            with contextlib.suppress(LakeError):
                asyncio.run(publish_body(Lake.from_url(folder), mark[:1] + before + body.encode() + mark[1:]))
