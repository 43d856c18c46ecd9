"""Tables that another engine has touched: published into exactly, or refused with the reason, in one attempt and
unchanged.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import deltalake
import pytest
from deltalake import DeltaTable

from nightshift.lake.errors import CastError, SchemaDrift
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import land_night, read_table


def field(name: str, kind: Any, *, nullable: bool = True, **metadata: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": nullable, "metadata": metadata}


PLAIN = [field("id", "long"), field("v", "double"), field("night", "date")]


def made_by_another(lake: Lake, fields: list[dict[str, Any]], by: str = "night", **properties: str) -> DeltaTable:
    schema = deltalake.Schema.from_json(json.dumps({"type": "struct", "fields": fields}))
    url = lake.table_url("flexnet", "entitlement")
    return DeltaTable.create(url, schema, partition_by=[by], configuration=properties or None)


def with_protocol(lake: Lake, protocol: dict[str, Any]) -> None:
    log = Path(lake.url.removeprefix("file://"), "tables/flexnet/entitlement/_delta_log", f"{0:020d}.json")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text("\n".join(json.dumps({"protocol": protocol} if "protocol" in e else e) for e in entries) + "\n")


async def put(lake: Lake, *rows: dict[str, Any], pages: int = 1, **spec: Any) -> None:
    landed = [[{"id": 1, "v": 0}] for _ in range(pages - 1)]
    publish(lake, await land_night(lake, [*landed, list(rows)], **spec.pop("landing", {})), PublishSpec(**spec))


@pytest.mark.parametrize(
    ("kind", "most", "told"),
    [("integer", 2**31 - 1, "INT"), ("short", 2**15 - 1, "SMALLINT"), ("byte", 127, "TINYINT")],
)
async def test_whole_numbers_go_into_a_narrower_column_exactly_or_not_at_all(
    lake: Lake, kind: str, most: int, told: str
) -> None:
    made_by_another(lake, [field("id", kind), *PLAIN[1:]])
    await put(lake, {"id": most, "v": 1.5}, {"id": -most - 1}, {"id": None})
    assert sorted(row["id"] for row in read_table(lake) if row["id"] is not None) == [-most - 1, most]
    for allowed in (False, True):
        rules = {"allow_type_change": allowed}
        with pytest.raises(CastError, match=f"'{most + 1}' is not {told}.*make the column BIGINT there") as found:
            await put(lake, {"id": 1}, {"id": most + 1}, pages=2, schema_rules=rules, landing={"extract": "second"})
        assert (found.value.page, found.value.row, found.value.column) == (2, 2, "id")
    assert len(read_table(lake)) == 3
    schema = json.loads(DeltaTable(lake.table_url("flexnet", "entitlement")).schema().to_json())
    assert schema["fields"][0]["type"] == kind


async def test_the_type_of_a_column_that_another_engine_made_is_left_to_it(lake: Lake) -> None:
    made_by_another(lake, [field("id", "integer"), *PLAIN[1:]])
    await put(lake, {"id": 1, "v": 1.5})
    with pytest.raises(SchemaDrift, match="another engine has defined the column 'id', and types make it string"):
        await put(lake, {"id": 2, "v": 1.5}, types={"id": "string"}, landing={"extract": "second"})
    with pytest.raises(CastError, match=r"'2\.5' is not int64.*this, make the column one that holds it, in the engine"):
        await put(lake, {"id": 2.5, "v": 1.5}, landing={"extract": "third"}, schema_rules={"allow_type_change": True})
    await put(lake, {"id": 2, "v": 1.5}, landing={"extract": "second"})
    assert [row["id"] for row in read_table(lake)] == [2]


async def test_fractions_go_into_a_float_column_exactly_or_not_at_all(lake: Lake) -> None:
    made_by_another(lake, [PLAIN[0], field("v", "float"), PLAIN[2]])
    await put(lake, {"id": 1, "v": 0.5}, {"id": 2, "v": None})
    assert [row["v"] for row in read_table(lake)] == [0.5, None]
    with pytest.raises(CastError, match=r"'0\.1' is not FLOAT.*make the column DOUBLE there") as found:
        await put(lake, {"id": 1, "v": 0.1}, landing={"extract": "second"})
    assert (found.value.page, found.value.row) == (1, 1)


async def test_csv_rows_are_counted_across_the_page(lake: Lake) -> None:
    made_by_another(lake, [field("id", "byte"), *PLAIN[1:]])
    manifest = await land_night(lake, [b"id,v\n1,1\n", b"2,2\n300,3\n"], counts=[1, 2], format="csv")
    with pytest.raises(CastError) as found:
        publish(lake, manifest, PublishSpec())
    assert (found.value.page, found.value.row, found.value.value) == (2, 2, "300")


async def test_a_column_that_needs_a_value_gets_one_or_the_night_is_refused(lake: Lake) -> None:
    made_by_another(lake, [field("id", "long", nullable=False), *PLAIN[1:]])
    await put(lake, {"id": 1, "v": 1})
    with pytest.raises(CastError, match="NOT NULL") as found:
        await put(lake, {"id": 1}, {"id": None}, landing={"extract": "second"})
    assert (found.value.row, found.value.column) == (2, "id")
    with pytest.raises(CastError, match=r"'id': 'null' is not a value \(NOT NULL"):
        await put(lake, {"v": 1}, landing={"extract": "third", "model": {"v": "float64"}})
    assert [row["id"] for row in read_table(lake)] == [1]


REFUSED: dict[str, tuple[list[dict[str, Any]], dict[str, str], str]] = {
    "append-only": (PLAIN, {"delta.appendOnly": "true"}, "only takes appends"),
    "mapped": (PLAIN, {"delta.columnMapping.mode": "name"}, "mapped columns"),
    "invariant": (
        [field("id", "long", **{"delta.invariants": '{"expression":{"expression":"id > 5"}}'}), *PLAIN[1:]],
        {},
        "invariant",
    ),
    "generated": (
        [*PLAIN, field("g", "long", **{"delta.generationExpression": "id + 1"})],
        {},
        "'g', which is generated",
    ),
    "identity": ([*PLAIN, field("g", "long", **{"delta.identity.start": 1})], {}, "'g', which is an identity"),
    "ntz": ([field("id", "timestamp_ntz"), *PLAIN[1:]], {}, "'id' timestamp_ntz"),
    "nested": (
        [field("id", {"type": "array", "elementType": "long", "containsNull": True}), *PLAIN[1:]],
        {},
        "'id' array",
    ),
    "binary": ([field("id", "binary"), *PLAIN[1:]], {}, "'id' binary"),
    "varchar": ([field("id", "string", __CHAR_VARCHAR_TYPE_STRING="varchar(3)"), *PLAIN[1:]], {}, r"'id' VARCHAR\(3\)"),
    "night": ([*PLAIN[:2], field("night", "string")], {}, "'night' as string, not as DATE"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_a_publish_would_ignore_is_refused_with_the_reason(lake: Lake, what: str) -> None:
    fields, properties, told = REFUSED[what]
    made_by_another(lake, fields, **properties)
    with pytest.raises(SchemaDrift, match=told) as found:
        await put(lake, {"id": 1, "v": 2.5})
    assert str(found.value).endswith("then clear this task.")
    assert DeltaTable(lake.table_url("flexnet", "entitlement")).version() == 0


async def test_another_partition_is_refused(lake: Lake) -> None:
    made_by_another(lake, PLAIN, by="id")
    with pytest.raises(SchemaDrift, match="partitioned by id"):
        await put(lake, {"id": 1, "v": 2.5})


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ({"minReaderVersion": 1, "minWriterVersion": 9}, "writer version 9"),
        ({"minReaderVersion": 1, "minWriterVersion": 6}, "refused, though no other writer came first"),
        (
            {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["clustering", "domainMetadata"]},
            "feature clustering",
        ),
        ({"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["rowTracking"]}, "feature rowTracking"),
        (
            {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["neverHeardOf"]},
            "DROP FEATURE neverHeardOf",
        ),
        (
            {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": ["neverHeardOf"],
                "writerFeatures": ["neverHeardOf"],
            },
            "'neverHeardOf' is not supported",
        ),
    ],
)
async def test_a_version_or_feature_that_is_not_known_is_refused(
    lake: Lake, protocol: dict[str, Any], told: str
) -> None:
    made_by_another(lake, PLAIN)
    with_protocol(lake, protocol)
    with pytest.raises(SchemaDrift, match=told):
        await put(lake, {"id": 1, "v": 2.5})


async def test_a_change_feed_is_no_obstacle(lake: Lake) -> None:
    table = made_by_another(lake, PLAIN, **{"delta.enableChangeDataFeed": "true"})
    for extract, value in (("first", 1), ("second", 2)):
        await put(lake, {"id": value, "v": 2.5}, landing={"extract": extract})
    changes = DeltaTable(table.table_uri).load_cdf(starting_version=1).read_all()
    assert sorted(zip(changes["_change_type"].to_pylist(), changes["id"].to_pylist(), strict=True)) == [
        ("delete", 1),
        ("insert", 1),
        ("insert", 2),
    ]


async def test_a_constraint_that_comes_while_a_night_is_published_is_not_ignored(lake: Lake) -> None:
    await put(lake, {"id": 1, "v": 2.5})
    url = lake.table_url("flexnet", "entitlement")
    manifest = await land_night(lake, [[{"id": 1, "v": 3.5}]], extract="second")

    def say(line: str) -> None:
        if "files are in place" in line:
            DeltaTable(url).alter.add_constraint({"small": "v < 3"})

    with pytest.raises(SchemaDrift, match=r"CHECK constraint small \(v < 3\)"):
        publish(lake, manifest, PublishSpec(), say=say)
    assert [row["v"] for row in read_table(lake)] == [2.5]
    with pytest.raises(SchemaDrift, match="DROP CONSTRAINT small"):
        publish(lake, manifest, PublishSpec())
    DeltaTable(url).alter.drop_constraint("small")
    publish(lake, manifest, PublishSpec())
    assert [row["v"] for row in read_table(lake)] == [3.5]


async def test_a_narrower_column_that_comes_while_a_first_night_is_published_is_cast_to(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"id": 7, "v": 3.5}]])

    def say(line: str) -> None:
        if "files are in place" in line and not DeltaTable.is_deltatable(lake.table_url("flexnet", "entitlement")):
            made_by_another(lake, [field("id", "integer"), *PLAIN[1:]])

    publish(lake, manifest, PublishSpec(), say=say)
    assert [(row["id"], row["v"]) for row in read_table(lake)] == [(7, 3.5)]
    dataset = DeltaTable(lake.table_url("flexnet", "entitlement")).to_pyarrow_dataset()
    assert str(dataset.schema.field("id").type) == "int32"
