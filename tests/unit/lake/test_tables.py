from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from nightshift.lake import staging
from nightshift.lake.delta import night_rows, table_schema
from nightshift.lake.errors import CastError, Damaged, SchemaDrift, Unsound
from nightshift.lake.published import Published
from nightshift.lake.spec import Band, Checks, Column, CsvSpec, PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import NIGHT, json_page, land_night, read_table

KEYED = PublishSpec(key=("id",))


def ids(lake: Lake) -> list[tuple[str, Any]]:
    return sorted((str(row["night"]), row["id"]) for row in read_table(lake))


def files(lake: Lake) -> list[Path]:
    return sorted(Path(lake.url.removeprefix("file://"), "tables").rglob("*.parquet"))


async def put(lake: Lake, rows: list[dict[str, Any]], spec: PublishSpec = KEYED, **more: Any) -> Published:
    return publish(lake, await land_night(lake, [rows], **more), spec)


async def test_a_night_is_published(lake: Lake) -> None:
    pages = [[{"id": 1, "v": "x"}, {"id": 2, "v": None}], [{"id": 3, "v": "é"}]]
    manifest = await land_night(lake, pages, totals=(3, 2))
    said: list[str] = []
    done = publish(lake, manifest, KEYED, say=said.append)
    assert [(row["id"], row["v"], str(row["night"])) for row in read_table(lake)] == [
        (1, "x", NIGHT),
        (2, None, NIGHT),
        (3, "é", NIGHT),
    ]
    assert (done.rows, done.nights, done.added, done.already) == (3, {NIGHT: 3}, ("id", "v"), False)
    assert done.bytes == sum(path.stat().st_size for path in files(lake))
    assert [(check.name, check.ok) for check in done.checks] == [
        ("vendor_totals", True),
        ("rows_read", True),
        ("rows_published", True),
        ("unique_key", True),
    ]
    assert any("3 rows read" in line for line in said)
    assert table_schema(lake, "flexnet", "entitlement") == [
        Column(name="id", type="int64"),
        Column(name="v", type="string"),
    ]


async def test_another_extract_replaces_its_night_and_no_other(lake: Lake) -> None:
    await put(lake, [{"id": 1}], night="2026-11-20")
    await put(lake, [{"id": 2}, {"id": 3}])
    await put(lake, [{"id": 4}], extract="second")
    assert ids(lake) == [("2026-11-20", 1), (NIGHT, 4)]
    assert night_rows(lake, "flexnet", "entitlement") == {"2026-11-20": 1, NIGHT: 1}
    assert night_rows(lake, "flexnet", "entitlement", ["2026-11-19", NIGHT]) == {"2026-11-19": 0, NIGHT: 1}


async def test_what_is_published_already_is_not_published_again(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"id": 1}, {"id": 1}, {"id": 2}]])
    first = publish(lake, manifest, KEYED)
    again = publish(lake, manifest, KEYED)
    assert again.already
    assert (again.version, again.rows, again.bytes, again.duplicates) == (first.version, 2, first.bytes, 1)
    assert again.checks == first.checks
    forced = publish(lake, manifest, KEYED, force=True)
    assert (forced.already, forced.version) == (False, first.version + 1)
    other = publish(lake, manifest, PublishSpec(key=("id",), types={"new": "string"}))
    assert not other.already


async def test_the_same_night_published_twice_is_the_same_bytes(lake: Lake, tmp_path: Path) -> None:
    manifest = await land_night(lake, [[{"id": n, "f": n / 7, "s": str(n)} for n in range(500)]])
    for _ in range(2):
        publish(lake, manifest, KEYED, force=True)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files(lake)}
    assert (len(files(lake)), len(digests)) == (2, 1)


async def test_a_night_that_others_changed_is_published_again(lake: Lake) -> None:
    from deltalake import DeltaTable

    manifest = await land_night(lake, [[{"id": 1}, {"id": 2}]])
    publish(lake, manifest, KEYED)
    DeltaTable(lake.table_url("flexnet", "entitlement")).delete("id = 1")
    assert not publish(lake, manifest, KEYED).already
    assert ids(lake) == [(NIGHT, 1), (NIGHT, 2)]


async def test_an_empty_night_replaces_what_was_there(lake: Lake) -> None:
    await put(lake, [{"id": 1}])
    done = await put(lake, [], extract="second")
    assert (done.rows, done.nights, ids(lake)) == (0, {NIGHT: 0}, [])
    assert publish(lake, await land_night(lake, [[]], extract="second"), KEYED).already
    with pytest.raises(Unsound, match="not_empty: 0 rows"):
        await put(lake, [], PublishSpec(checks=Checks(not_empty=True)), extract="third")


async def test_an_empty_first_night_makes_the_table_of_what_is_known(lake: Lake) -> None:
    await put(lake, [], model={"id": "int64"})
    assert table_schema(lake, "flexnet", "entitlement") == [Column(name="id", type="int64")]
    await put(lake, [], report="unknown")
    assert table_schema(lake, "flexnet", "unknown") == []
    await put(lake, [{"id": "x"}], report="unknown", extract="second")
    assert [row["id"] for row in read_table(lake, "unknown")] == ["x"]


async def test_new_columns_are_added_in_the_same_commit(lake: Lake) -> None:
    first = await put(lake, [{"id": 1}], night="2026-11-20")
    done = await put(lake, [{"id": 2, "colour": "red", "nested": {"a": 1}, "nothing": None}])
    assert (done.added, done.version) == (("colour", "nested"), first.version + 1)
    assert [(row["id"], row["colour"], row["nested"]) for row in read_table(lake)] == [
        (2, "red", '{"a": 1}'),
        (1, None, None),
    ]
    assert table_schema(lake, "flexnet", "entitlement")[2] == Column(name="nested", type="json")  # type: ignore[index]


async def test_a_changed_type_is_refused_and_the_table_stays(lake: Lake) -> None:
    await put(lake, [{"id": 1}], model={"id": "int64"})
    with pytest.raises(SchemaDrift, match="was int64 and is string"):
        await put(lake, [{"id": "2"}], extract="second", model={"id": "string"})
    with pytest.raises(CastError, match=r"'2\.5' is not int64"):
        await put(lake, [{"id": 2.5}], extract="third", model={"id": "float64"})
    assert ids(lake) == [(NIGHT, 1)]
    allowed = PublishSpec.model_validate({"key": ["id"], "schema_rules": {"allow_type_change": True}})
    await put(lake, [{"id": "2"}], allowed, extract="fourth", model={"id": "string"})
    assert ids(lake) == [(NIGHT, 2)]
    await put(lake, [{"id": 2.5}], allowed, extract="fifth", model={"id": "float64"})
    assert ids(lake) == [(NIGHT, 2.5)]


async def test_what_is_advised_about_a_time_that_is_skipped_lets_it_through(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"id": 1, "t": "2026-03-29T02:10:00"}]])
    spec = {"key": ["id"], "types": {"t": "timestamp"}, "timezone": "Europe/Berlin"}
    with pytest.raises(CastError, match=r"skip this hour: correct timezone, or keep the text.*types: \{t: string\}"):
        publish(lake, manifest, PublishSpec.model_validate(spec))
    publish(lake, manifest, PublishSpec.model_validate(spec | {"types": {"t": "string"}}))
    publish(lake, manifest, PublishSpec.model_validate(spec | {"timezone": "UTC"}))
    assert [row["t"].isoformat() for row in read_table(lake)] == ["2026-03-29T02:10:00+00:00"]


async def test_what_is_advised_about_an_empty_text_lets_it_through(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"id": 1, "n": ""}]], model={"id": "int64", "n": "int64"})
    with pytest.raises(CastError, match="empty_as_null: true"):
        publish(lake, manifest, KEYED)
    publish(lake, manifest, PublishSpec(key=("id",), empty_as_null=True))
    assert [row["n"] for row in read_table(lake)] == [None]


async def test_what_is_advised_about_a_night_column_of_the_table_that_says_no_day_lets_it_through(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"id": 1, "day": NIGHT}]])
    publish(lake, manifest, KEYED)
    by_day = {"key": ["id"], "night_column": "day"}
    with pytest.raises(SchemaDrift, match=r"types: \{day: timestamp\}, or date"):
        publish(lake, manifest, PublishSpec.model_validate(by_day))
    for kind in ("timestamp", "date"):
        publish(lake, manifest, PublishSpec.model_validate(by_day | {"types": {"day": kind}}))
    assert [row["day"].isoformat() for row in read_table(lake)] == [NIGHT]


@pytest.mark.parametrize(
    "body", [b'[{"id": 2}, {"id": 3}]', b'{"data": [{"id": 2}, {"id": 3, "w": 1}]}', b"id\n2\n3\n"]
)
async def test_a_column_that_no_row_of_a_night_has_is_lost_without_a_model_too(lake: Lake, body: bytes) -> None:
    """It was null, without a word."""
    shape = "csv" if body.startswith(b"id") else "json"
    publish(lake, await land_night(lake, [b'[{"id": 1, "v": 1}]'], counts=[1], night="2026-11-20"), KEYED)
    manifest = await land_night(lake, [body], counts=[2], format=shape)
    with pytest.raises(SchemaDrift, match=r"'v' is gone.*schema_rules.allow_lost_columns: \[v\]"):
        publish(lake, manifest, KEYED)
    allowed = PublishSpec.model_validate({"key": ["id"], "schema_rules": {"allow_lost_columns": ["v"]}})
    assert publish(lake, manifest, allowed).rows == 2
    assert sorted((row["id"], row["v"]) for row in read_table(lake)) == [(1, 1), (2, None), (3, None)]


async def test_a_column_that_the_vendor_names_and_a_csv_header_no_longer_does_is_lost(lake: Lake) -> None:
    model = {"id": "int64", "v": "int64", "never": "string"}
    first = await land_night(lake, [b"id,v\n1,1\n"], counts=[1], format="csv", model=model, night="2026-11-20")
    publish(lake, first, KEYED)
    without = await land_night(lake, [b"id\n2\n"], counts=[1], format="csv", model=model)
    with pytest.raises(SchemaDrift, match=r"'v' is gone.*allow_lost_columns: \[v\]") as refused:
        publish(lake, without, KEYED)
    assert "never" not in str(refused.value)
    allowed = PublishSpec.model_validate({"key": ["id"], "schema_rules": {"allow_lost_columns": ["v"]}})
    assert publish(lake, without, allowed).rows == 1


async def test_a_column_that_never_had_a_value_is_not_lost_where_no_model_names_it(lake: Lake) -> None:
    """The vendor's model named it alone, and one night there was none."""
    model = {"id": "int64", "v": "int64", "note": "string"}
    await put(lake, [{"id": 1, "v": 1}], night="2026-11-20", model=model)
    await put(lake, [{"id": 2, "v": None}], night="2026-11-21")
    with pytest.raises(SchemaDrift, match="'v' is gone") as refused:
        await put(lake, [{"id": 3}], night="2026-11-22")
    assert "note" not in str(refused.value)


@pytest.mark.parametrize("kind", [None, "int64", "float64"])
async def test_keys_that_a_float_makes_one_stay_two(lake: Lake, kind: str | None) -> None:
    """They were one, and a row was dropped as identical."""
    model = {"id": kind, "x": "string"} if kind else None
    first, second = b'{"id": 9007199254740992, "x": "a"}', b'{"id": 9007199254740993, "x": "a"}'
    page = b"[" + first + b", " + second + b', {"id": 9007199254740993.0, "x": "b"}]'
    with pytest.raises(Unsound, match="unique_key: 1 rows have the key"):
        publish(lake, await land_night(lake, [page], counts=[3], model=model), KEYED)
    page = page.replace(b"993.0", b"995")
    done = publish(lake, await land_night(lake, [page], counts=[3], model=model, extract="second"), KEYED)
    assert (done.rows, done.duplicates) == (3, 0)


@pytest.mark.parametrize("rows", [[{"id": 2, "v": None}], [{"id": 2}, {"id": 3, "v": None}], []])
async def test_a_column_that_is_null_in_one_row_or_has_no_rows_is_not_lost(
    lake: Lake, rows: list[dict[str, Any]]
) -> None:
    await put(lake, [{"id": 1, "v": 1}], night="2026-11-20")
    assert (await put(lake, rows)).rows == len(rows)


async def test_a_lost_column_is_refused(lake: Lake) -> None:
    await put(lake, [{"id": 1, "v": 1}], model={"id": "int64", "v": "int64"})
    with pytest.raises(SchemaDrift, match="'v' is gone"):
        await put(lake, [{"id": 2}], extract="second", model={"id": "int64"})
    with pytest.raises(SchemaDrift, match="'v' is gone"):
        publish(lake, await land_night(lake, [b"id\n7\n"], counts=[1], extract="third", format="csv"), KEYED)


async def test_failed_checks_leave_the_table_as_it_was(lake: Lake) -> None:
    await put(lake, [{"id": 1}])
    before = files(lake)
    wrong = await land_night(
        lake, [[{"id": 5, "v": 1}, {"id": 5, "v": 2}, {"id": None}]], extract="second", totals=(4, 1)
    )
    with pytest.raises(Unsound, match="kept") as found:
        publish(lake, wrong, PublishSpec(key=("id",)))
    for part in (
        "the vendor speaks of 4 rows, 3 are landed",
        "1 rows have the key (id)",
        "for instance 5",
        "no value in the key column 'id'",
    ):
        assert part in str(found.value)
    assert (ids(lake), files(lake)) == ([(NIGHT, 1)], before)


async def test_the_band_is_of_the_nights_before(lake: Lake) -> None:
    spec = PublishSpec(checks=Checks(band=Band(history=2, nights=3)))
    for night in ("2026-11-18", "2026-11-19", "2026-11-20"):
        await put(lake, [{"id": n} for n in range(10)], spec, night=night)
    with pytest.raises(Unsound, match=f"band: {NIGHT}: 4 rows, 5 to 20 expected"):
        await put(lake, [{"id": n} for n in range(4)], spec)


async def test_identical_rows_are_dropped_once_and_counted(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "SUSPECTS_A_PASS", 7)
    monkeypatch.setattr(staging, "GROUP_BYTES", 200)
    rows = [{"id": n, "v": str(n)} for n in range(50)]
    done = await put(lake, [*rows, *rows[10:40], *rows[:5]])
    assert (done.rows, done.duplicates) == (50, 35)
    assert [row["id"] for row in read_table(lake)] == list(range(50))


async def test_rows_go_to_the_night_of_their_own_date(lake: Lake) -> None:
    await put(lake, [{"id": 9}], night="2026-11-18")
    spec = PublishSpec(key=("id",), night_column="at", nights=("2026-11-20", "2026-11-21"), timezone="Europe/Berlin")
    rows = [
        {"id": 1, "at": "2026-11-19T23:30:00Z"},
        {"id": 1, "at": "2026-11-20T23:30:00Z"},
        {"id": 2, "at": "2026-11-21T22:59:59Z"},
        {"id": 3, "at": "2026-11-21T23:00:00Z"},
    ]
    done = await put(lake, rows, spec)
    assert (done.nights, done.outside) == ({"2026-11-20": 1, "2026-11-21": 2}, 1)
    assert ids(lake) == [("2026-11-18", 9), ("2026-11-20", 1), ("2026-11-21", 1), ("2026-11-21", 2)]
    fewer = await put(lake, rows[1:2], spec, extract="second")
    assert fewer.nights == {"2026-11-20": 0, "2026-11-21": 1}
    assert ids(lake) == [("2026-11-18", 9), ("2026-11-21", 1)]


async def test_rows_without_a_night_are_not_dropped_in_silence(lake: Lake) -> None:
    spec = PublishSpec(night_column="at")
    with pytest.raises(Unsound, match="1 rows have no value in 'at'"):
        await put(lake, [{"id": 1, "at": None}, {"id": 2, "at": f"{NIGHT}T00:00:00Z"}], spec)
    with pytest.raises(SchemaDrift, match="no row has the night_column 'gone'"):
        await put(lake, [{"id": 1}], PublishSpec(night_column="gone", types={}), extract="second")


async def test_a_page_that_was_changed_is_not_published(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"id": 1}], [{"id": 2}]])
    other = await land_night(lake, [[{"id": 1}], [{"id": 3}]], extract="second")
    night = Path(lake.url.removeprefix("file://"), "raw", "flexnet", manifest.report, f"night={NIGHT}")
    changed, into = (night / one.extract / "page-00002.json.zst" for one in (manifest, other))
    changed.write_bytes(into.read_bytes())
    with pytest.raises(Damaged, match=r"page-00002\.json\.zst is not what was received"):
        publish(lake, manifest, KEYED)


async def test_csv_parts_become_one_table(lake: Lake) -> None:
    pages = [b'usageDate,tokens,who\n2026-11-21,1.5,"a\nb"\n', b"2026-11-21,2,\n"]
    manifest = await land_night(lake, pages, counts=[1, 1], format="csv")
    publish(lake, manifest, PublishSpec(types={"usageDate": "date"}))
    assert [(row["tokens"], row["who"]) for row in read_table(lake)] == [(1.5, "a\nb"), (2.0, None)]


async def test_rows_that_are_not_found_are_noticed(lake: Lake) -> None:
    manifest = await land_night(lake, [json_page([{"id": 1}])], counts=[2])
    with pytest.raises(Unsound, match="rows_read: 2 rows landed, 1 read"):
        publish(lake, manifest, KEYED)


async def test_many_row_groups_and_files_stay_in_order(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "GROUP_BYTES", 2_000)
    monkeypatch.setattr(staging, "FILE_BYTES", 1_000)
    done = publish(
        lake, await land_night(lake, [[{"id": page * 100 + n} for n in range(100)] for page in range(30)]), KEYED
    )
    assert len(files(lake)) > 3
    assert (done.rows, sorted(row["id"] for row in read_table(lake))) == (3000, list(range(3000)))


@pytest.mark.parametrize(
    ("pages", "total", "published"),
    [
        # The report grew at its front: a row came twice, and the vendor counts what is published.
        ([["a", "b"], ["b", "c"]], 3, 3),
        # It counts one row more, which is therefore missing.
        ([["a", "b"], ["b", "c"]], 4, None),
        # The report's own duplicate is on one page; the vendor counts it, or does not.
        ([["a", "b"], ["c", "c"]], 4, 3),
        ([["a", "b"], ["c", "c"]], 3, 3),
        # One of each.
        ([["a", "a", "b"], ["b", "c"]], 4, 3),
        ([["a", "a", "b"], ["b", "c"]], 5, None),
        ([["a"], ["b"], ["c", "a"]], 4, None),
        ([["a", "b"], ["c"]], 4, None),
        ([["a", "b"], ["c"]], 2, None),
    ],
)
async def test_identical_rows_are_dropped_then_the_totals_are_compared(
    lake: Lake, pages: list[list[str]], total: int, published: int | None
) -> None:
    landed = await land_night(lake, [[{"id": one, "v": 1} for one in page] for page in pages], totals=(total, None))
    if published is None:
        with pytest.raises(Unsound, match=f"vendor_totals: the vendor speaks of {total} rows"):
            publish(lake, landed, PublishSpec(key=("id",)))
    else:
        assert publish(lake, landed, PublishSpec(key=("id",))).rows == published
        assert sorted(row["id"] for row in read_table(lake)) == ["a", "b", "c"]


async def test_csv_is_published_in_the_character_set_of_its_extract(lake: Lake) -> None:
    page = "id,name\r\n1,Müller\r\n".encode("cp1252")
    plain = await land_night(lake, [page], counts=[1], format="csv")
    landed = plain.model_copy(update={"notes": {"charset": "cp1252"}})
    publish(lake, landed, PublishSpec())
    assert read_table(lake)[0]["name"] == "Müller"
    publish(lake, landed, PublishSpec(csv=CsvSpec(charset="cp850")))
    assert read_table(lake)[0]["name"] != "Müller"


async def test_a_row_of_csv_that_looks_like_the_header_is_a_row(lake: Lake) -> None:
    manifest = await land_night(lake, [b"a\nx\n", b"a\ny\n"], counts=[1, 2], format="csv")
    publish(lake, manifest, PublishSpec())
    assert sorted(row["a"] for row in read_table(lake)) == ["a", "x", "y"]


async def test_names_that_some_engines_do_not_read_are_told_once(lake: Lake) -> None:
    for extract, times in (("first", 1), ("second", 0)):
        said: list[str] = []
        manifest = await land_night(lake, [[{"cost center": 1, "b": 2}]], extract=extract)
        publish(lake, manifest, PublishSpec(), say=said.append)
        assert sum("Spark and Databricks do not read" in line and "cost center" in line for line in said) == times


@pytest.mark.parametrize(
    ("shape", "body"), [("json", b'{"data":[{"a":null,"b":null},{"a":null}]}'), ("csv", b"a,b\n,\n,\n")]
)
async def test_a_first_night_without_any_value_is_published(lake: Lake, shape: str, body: bytes) -> None:
    publish(lake, await land_night(lake, [body], counts=[2], format=shape), PublishSpec(types={"b": "int64"}))
    assert [(row["a"], row["b"]) for row in read_table(lake)] == [(None, None)] * 2
    assert {c.name: c.type for c in table_schema(lake, "flexnet", "entitlement") or ()} == {"a": "string", "b": "int64"}


async def test_rows_without_any_column_are_refused_by_name(lake: Lake) -> None:
    manifest = await land_night(lake, [b'{"data":[{},{}]}'], counts=[2])
    with pytest.raises(SchemaDrift, match="2 rows have no column at all"):
        publish(lake, manifest, PublishSpec())
