from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from nightshift.lake.delta import table_schema
from nightshift.lake.errors import CastError, SchemaDrift
from nightshift.lake.published import Published
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import NIGHT, land_night, read_table

LATER = "2026-11-22"
LAST = "2026-11-23"
ALLOWED = {"schema_rules": {"allow_type_change": ["v"]}}


async def night(
    lake: Lake,
    *values: str,
    on: str = LATER,
    model: dict[str, str] | None = None,
    is_csv: bool = False,
    **spec: Any,
) -> Published:
    lines = "\n".join(["v,k", *(f"{value},x" for value in values)])
    objects = ",".join(f'{{"v":{value},"k":"x"}}' for value in values)
    body, shape = (lines, "csv") if is_csv else (f"[{objects}]", "json")
    manifest = await land_night(lake, [body.encode()], night=on, counts=[len(values)], format=shape, model=model)
    return publish(lake, manifest, PublishSpec(**spec))


def seen(lake: Lake) -> list[Any]:
    return [row["v"] for row in sorted(read_table(lake), key=lambda row: str(row["night"]))]


def kind(lake: Lake) -> str | None:
    return {column.name: column.type for column in table_schema(lake, "flexnet", "entitlement") or ()}["v"]


async def test_whole_numbers_take_fractions_by_themselves_and_it_is_told(lake: Lake) -> None:
    await night(lake, "2", "null", on=NIGHT)
    told = await night(lake, "2.5")
    assert told.widened == {"v": ("int64", "float64")}
    assert (kind(lake), seen(lake)) == ("float64", [2.0, None, 2.5])
    assert (await night(lake, "3", on=LAST)).widened == {}


@pytest.mark.parametrize("is_csv", [False, True])
async def test_older_nights_stay_readable_by_any_reader_and_in_every_version(lake: Lake, is_csv: bool) -> None:
    await night(lake, "2", on=NIGHT, is_csv=is_csv)
    before = deltalake.DeltaTable(lake.table_url("flexnet", "entitlement")).version()
    await night(lake, "2.5", is_csv=is_csv)
    table = deltalake.DeltaTable(lake.table_url("flexnet", "entitlement"))
    assert table.protocol().reader_features is None
    assert {
        str(field.type)
        for uri in table.file_uris()
        for field in pq.read_schema(uri.removeprefix("file://"))
        if field.name == "v"
    } == {"double"}
    assert sorted(row["v"] for row in table.to_pyarrow_dataset().to_table().to_pylist()) == [2.0, 2.5]
    assert [row["v"] for row in read_table(lake, version=before)] == [2]


async def test_a_night_rewritten_is_still_the_extract_it_was(lake: Lake) -> None:
    await night(lake, "2", on=NIGHT)
    await night(lake, "2.5")
    assert (await night(lake, "2", on=NIGHT)).already


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("9007199254740993", "2.5"),
        ("1", "9223372036854775808"),
        ("1", '"text"'),
        ("1.5", "9007199254740993"),
        ("1", "1e400"),
    ],
)
async def test_what_a_float_would_round_or_is_text_is_refused_and_each_advice_lets_it_through(
    lake: Lake, first: str, later: str
) -> None:
    await night(lake, first, on=NIGHT)
    with pytest.raises(CastError) as refused:
        await night(lake, later)
    assert "types: {v: string}" in str(refused.value)
    assert "schema_rules.allow_type_change: [v]" in str(refused.value)
    assert seen(lake) == [float(first) if "." in first else int(first)]
    told = await night(lake, later, **ALLOWED)
    assert told.widened["v"][1] == kind(lake)
    assert list(map(Decimal, map(str, seen(lake)))) == [Decimal(first), Decimal(later)] if later != '"text"' else True
    as_text = await night(lake, later, on=LAST, types={"v": "string"})
    assert kind(lake) == "string"
    assert as_text.widened == ({} if told.widened["v"][1] == "string" else {"v": (told.widened["v"][1], "string")})
    assert seen(lake)[-1] == later.strip('"')


async def test_a_column_of_the_key_does_not_become_fractions_by_itself(lake: Lake) -> None:
    await night(lake, "1", on=NIGHT, key=("v",))
    with pytest.raises(CastError):
        await night(lake, "1.5", key=("v",))
    assert (await night(lake, "1.5", key=("v",), **ALLOWED)).widened == {"v": ("int64", "float64")}


@pytest.mark.parametrize(
    ("first", "wanted", "value"),
    [
        ("2", "decimal(9,2)", Decimal("2.00")),
        ("2.0", "int64", 2),
        ('"2026-01-31"', "date", "2026-01-31"),
        ("true", "string", "true"),
        ("1.25", "string", "1.25"),
        ('"7"', "int64", 7),
    ],
)
async def test_types_give_the_table_a_type_where_every_older_value_is_one_of_it(
    lake: Lake, first: str, wanted: str, value: Any
) -> None:
    await night(lake, first, on=NIGHT)
    told = await night(lake, first, types={"v": wanted})
    assert told.widened["v"][1] == wanted
    assert list(map(str, seen(lake))) == [str(value)] * 2


async def test_a_number_that_becomes_text_has_no_zeros_that_its_type_added(lake: Lake) -> None:
    await night(lake, "9007199254740993", "0.25", "100", "-0.5", on=NIGHT)
    assert kind(lake) == "decimal(38,2)"
    await night(lake, '"x"', **ALLOWED)
    assert sorted(seen(lake)) == ["-0.5", "0.25", "100", "9007199254740993", "x"]


async def test_types_that_an_older_value_is_not_of_are_refused_with_it_and_nothing_changes(lake: Lake) -> None:
    await night(lake, '"x"', on=NIGHT)
    with pytest.raises(
        SchemaDrift, match=r"'v' from string to int64 is not possible: 'x' in row 1 of night=2026-11-21"
    ) as refused:
        await night(lake, "1", types={"v": "int64"})
    assert "types: {v: string}" in str(refused.value)
    assert seen(lake) == ["x"]
    files = {path.name for path in (lake_folder(lake)).glob("night=*/*.parquet")}
    assert len(files) == 1
    await night(lake, "1", types={"v": "string"})
    assert seen(lake) == ["x", "1"]


async def test_a_model_that_changes_between_numbers_is_no_drift_and_to_text_is(lake: Lake) -> None:
    await night(lake, "1", on=NIGHT, model={"v": "int64", "k": "string"})
    assert (await night(lake, "2", model={"v": "float64", "k": "string"})).widened == {}
    text = {"v": "string", "k": "string"}
    with pytest.raises(SchemaDrift) as refused:
        await night(lake, '"3"', on=LAST, model=text)
    for advice in ("types: {v: string}", "types: {v: int64}", "allow_type_change: [v]"):
        assert advice in str(refused.value)
    for advised in ({"types": {"v": "int64"}}, ALLOWED, {"types": {"v": "string"}}):
        await night(lake, '"3"', on=LAST, model=text, **advised)
        assert str(seen(lake)[-1]) == "3"
    assert (kind(lake), seen(lake)) == ("string", ["1", "2", "3"])


async def test_a_models_number_that_would_be_rounded_has_the_digits_from_the_first_night_on(lake: Lake) -> None:
    await night(lake, "9007199254740993", "0.5", on=NIGHT, model={"v": "float64", "k": "string"})
    assert (kind(lake), seen(lake)) == ("decimal(38,1)", [Decimal("9007199254740993.0"), Decimal("0.5")])
    await night(lake, "9007199254740995", model={"v": "float64", "k": "string"})
    assert seen(lake)[-1] == Decimal(9007199254740995)


async def test_what_is_no_object_is_published_by_what_its_error_says(lake: Lake) -> None:
    await night(lake, '{"n": 1}', on=NIGHT, promote={"v": {"n": "int64"}})
    told = r"take n of v out of promote and set schema_rules.allow_lost_columns: \[v_n\]: 'v' keeps the vendor's text"
    with pytest.raises(CastError, match=told):
        await night(lake, "[7]", promote={"v": {"n": "int64"}})
    await night(lake, "[7]", schema_rules={"allow_lost_columns": ["v_n"]})
    assert sorted((row["v"], row["v_n"]) for row in read_table(lake)) == [("[7]", None), ('{"n": 1}', 1)]


async def test_a_promoted_member_takes_the_type_that_is_configured(lake: Lake) -> None:
    await night(lake, '{"n": 1}', on=NIGHT, promote={"v": {"n": "int64"}})
    with pytest.raises(CastError, match=r"promote: \{v: \{n: string\}\}"):
        await night(lake, '{"n": 1.5}', promote={"v": {"n": "int64"}})
    told = await night(lake, '{"n": 1.5}', promote={"v": {"n": "string"}})
    assert told.widened == {"v_n": ("int64", "string")}
    assert {row["v_n"] for row in read_table(lake)} == {"1", "1.5"}


async def test_the_large_files_of_another_engine_are_rewritten_row_by_row(lake: Lake) -> None:
    """Its row group is of 40 MB, its file is named otherwise and it has a row of no night."""
    count = 100_000
    days = [None, *[date(2026, 10, 1)] * (count - 1)]
    rows = pa.table(
        {"v": range(count), "k": ["x" * 400] * count, "night": pa.array(days, pa.date32())},
        pa.schema([("v", pa.int64()), ("k", pa.string()), ("night", pa.date32())]),
    )
    deltalake.write_deltalake(lake.table_url("flexnet", "entitlement"), rows, partition_by=["night"])
    await night(lake, "2.5")
    found = deltalake.DeltaTable(lake.table_url("flexnet", "entitlement")).to_pyarrow_table(columns=["v", "night"])
    assert len(found) == count + 1
    assert pc.sum(found["v"]).as_py() == count * (count - 1) / 2 + 2.5
    assert found.filter(pc.is_null(found["night"]))["v"].to_pylist() == [0.0]


async def test_nights_that_others_publish_meanwhile_are_rewritten_too(lake: Lake) -> None:
    """Eight writers, half of them with fractions, over a table of whole numbers: every row is there, none is twice."""
    await night(lake, "0", on="2026-10-01")
    manifests = []
    for number in range(1, 9):
        value = b"%d" % number if number % 2 else b"%d.5" % number
        manifests.append(
            await land_night(lake, [b'[{"v":%s,"k":"x"}]' % value], night=f"2026-10-{number + 1:02d}", counts=[1])
        )
    failures: list[BaseException] = []

    def run(manifest: Any) -> None:
        try:
            publish(lake, manifest, PublishSpec())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(manifest,)) for manifest in manifests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (kind(lake), seen(lake)) == ("float64", [n if n % 2 else n + 0.5 if n else 0 for n in range(9)])


def lake_folder(lake: Lake) -> Any:
    from pathlib import Path

    return Path(lake.table_url("flexnet", "entitlement").removeprefix("file://"))


@pytest.mark.parametrize(
    ("is_csv", "value"), [(True, "007"), (True, "-01"), (False, '"007"'), (False, '"-00.5"'), (True, "00.5")]
)
async def test_zeros_before_a_number_are_not_lost_where_nobody_said_that_it_is_one(
    lake: Lake, is_csv: bool, value: str
) -> None:
    text = value.strip('"')
    first = "1.5" if "." in value else "1"
    await night(lake, first, on=NIGHT, is_csv=is_csv)
    with pytest.raises(CastError, match=rf"'{text}' is not .* \(the zeros before it would be lost\)"):
        await night(lake, value, is_csv=is_csv)
    await night(lake, value, is_csv=is_csv, types={"v": "string"})
    assert seen(lake) == [first, text]


async def test_zeros_before_a_number_are_dropped_where_the_configuration_says_that_it_is_one(lake: Lake) -> None:
    await night(lake, "1", on=NIGHT, is_csv=True)
    await night(lake, "007", "0", "-0", is_csv=True, types={"v": "int64"})
    assert seen(lake) == [1, 7, 0, 0]


@pytest.mark.parametrize("other", ["01", "+1", "1.0"])
async def test_two_texts_of_a_key_never_become_one_number(lake: Lake, other: str) -> None:
    await night(lake, "1", "0", "-2", on=NIGHT, is_csv=True, key=["v"])
    with pytest.raises(CastError, match="texts that differ could become one number"):
        await night(lake, "1", other, is_csv=True, key=["v"])
    await night(lake, "1", other, is_csv=True, key=["v"], types={"v": "string"})
    assert sorted(seen(lake)) == sorted(["1", "0", "-2", "1", other])
