"""Rows that another engine has deleted by deletion vectors: they count for nobody, and what they are kept in stays."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import pytest
from deltalake import QueryBuilder

from nightshift.lake.delta import NightTable, night_rows, published_night
from nightshift.lake.errors import Damaged, SchemaDrift
from nightshift.lake.history import history_of
from nightshift.lake.maintenance import LandingRules, Removed, compact, tidy_landing, vacuum
from nightshift.lake.snapshot import Snapshot
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.published import land, publish_night
from tests.unit.lake.test_maintenance import age, scatter

DAY = timedelta(days=1)
NIGHT, OTHER = "2026-06-01", "2026-06-02"
REPORT = "flexnet/entitlement"
VECTOR = "deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin"
NAMED = "vBn[lx{q8@P<9BNH/isA"
"""The same name as a log has it, in Z85."""
FEATURE = {"minReaderVersion": 3, "minWriterVersion": 7}
FEATURE |= {of: ["deletionVectors"] for of in ("readerFeatures", "writerFeatures")}


def vector(rows: int) -> bytes:
    """Return the file of a vector that takes the first rows out, by Delta's protocol, "Deletion Vector Format"."""
    bits = struct.pack("<IIHHI", 12346, 1, 0, rows - 1, 16) + struct.pack(f"<{rows}H", *range(rows))
    body = struct.pack("<IQI", 1681511377, 1, 0) + bits
    return b"\x01" + struct.pack(">I", len(body)) + body + struct.pack(">I", zlib.crc32(body))


def delete_first(lake: Lake, rows: int, night: str = NIGHT) -> None:
    """Delete rows of a night as Spark and Databricks do: its file stays, beside a vector."""
    table = NightTable(lake, "flexnet", "entitlement")
    store, now = table.objects(), opened(lake)
    entries = [bytes(obstore.get(store, log_entry(version)).bytes()) for version in range(now.version + 1)]
    actions = [json.loads(line) for entry in entries for line in entry.splitlines()]
    there = {path for path, of in now.files() if of == night}
    add = next(action["add"] for action in actions if action.get("add", {}).get("path") in there)
    body = vector(rows)
    at = {"storageType": "u", "pathOrInlineDv": NAMED, "offset": 1, "sizeInBytes": len(body) - 9, "cardinality": rows}
    old = {"path": add["path"], "deletionTimestamp": 1, "dataChange": True}
    commit = [
        {"commitInfo": {"operation": "DELETE"}},
        {"protocol": FEATURE},
        {"remove": old},
        {"add": add | {"deletionVector": at}},
    ]
    obstore.put(store, VECTOR, body)
    obstore.put(store, log_entry(now.version + 1), "\n".join(map(json.dumps, commit)).encode())


def log_entry(version: int) -> str:
    return f"_delta_log/{version:020d}.json"


def opened(lake: Lake) -> Snapshot:
    found = NightTable(lake, "flexnet", "entitlement").snapshot()
    assert found is not None
    return found


def ids(lake: Lake) -> int:
    """Return how many rows an engine reads."""
    engine = QueryBuilder().register("it", opened(lake).table)
    return sum(batch.num_rows for batch in engine.execute("SELECT id FROM it").read_all().to_batches())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake.from_url(str(tmp_path))
    for night in (NIGHT, OTHER):
        publish_night(found, REPORT, night)
    return found


@pytest.fixture
def table(tmp_path: Path, lake: Lake) -> Path:
    return tmp_path / "tables/flexnet/entitlement"


def test_deleted_rows_count_for_nobody_and_their_night_is_told(lake: Lake) -> None:
    delete_first(lake, 5)
    assert ids(lake) == 19
    assert night_rows(lake, "flexnet", "entitlement") == {NIGHT: 7, OTHER: 12}
    told = published_night(lake, "flexnet", "entitlement", NIGHT)
    assert told is not None
    assert not told.sound
    assert "12 rows were published, the table has 7 now" in told.checks[-1].detail
    history = history_of(lake, "flexnet", "entitlement")
    assert history is not None
    assert [entry.sound for entry in history.nights.values()] == [False, True]


def test_rows_of_a_file_that_does_not_say_how_many_it_has_are_counted(lake: Lake, table: Path) -> None:
    scatter(table, 2)
    log = table / log_entry(opened(lake).version)
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        action.get("add", {}).pop("stats", None)
    log.write_text("\n".join(map(json.dumps, actions)))
    assert night_rows(lake, "flexnet", "entitlement") == {NIGHT: 14, OTHER: 12}
    delete_first(lake, 5)
    assert night_rows(lake, "flexnet", "entitlement") == {NIGHT: 9, OTHER: 12}


def test_a_night_that_was_changed_so_is_not_called_published_already(lake: Lake) -> None:
    delete_first(lake, 5)
    manifest = asyncio.run(land(lake, REPORT, NIGHT))
    with pytest.raises(SchemaDrift, match=r"deleted by deletion vectors.*REORG TABLE"):
        publish(lake, manifest, PublishSpec(key=("id",)))
    assert ids(lake) == 19


def test_a_vector_that_is_gone_is_told_and_nothing_is_counted_without_it(lake: Lake, table: Path) -> None:
    delete_first(lake, 5)
    (table / VECTOR).unlink()
    with pytest.raises(Damaged, match=r"cannot be read .*RESTORE TABLE"):
        night_rows(lake, "flexnet", "entitlement")


def test_the_care_of_a_table_leaves_what_is_not_a_file_of_ours(lake: Lake, table: Path) -> None:
    delete_first(lake, 5)
    theirs = ["_change_data/cdc.parquet", "_delta_index/i.idx", "README.md", "metadata/v1.metadata.json", "x.parquet"]
    ours = f"night={NIGHT}/dead.parquet"
    for name in (ours, *theirs):
        (table / name).parent.mkdir(exist_ok=True)
        (table / name).write_bytes(b"x" * 100)
    for name in (ours, VECTOR, *theirs):
        age(table / name, 40)
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY) == Removed(1, 100)
    assert [name for name in (ours, VECTOR, *theirs) if not (table / name).exists()] == [ours]
    assert ids(lake) == 19


def test_rows_that_were_deleted_do_not_come_back_when_files_are_put_together(lake: Lake, table: Path) -> None:
    delete_first(lake, 5)
    scatter(table, 3)
    assert compact(lake, "flexnet", "entitlement").files_before == 4
    assert (ids(lake), opened(lake).nights()) == (22, {NIGHT: 10, OTHER: 12})


def test_the_landing_of_such_a_night_stays(lake: Lake, tmp_path: Path) -> None:
    delete_first(lake, 5)
    at = datetime.now(UTC)
    for file in (tmp_path / "raw").rglob("*.*"):
        os.utime(file, ((at - 9 * DAY).timestamp(),) * 2)
    gone = tidy_landing(lake, "flexnet", "entitlement", LandingRules(nights=7 * DAY), at=at)
    assert gone.names == (f"{OTHER}/first",)


@pytest.fixture
def bucket() -> Iterator[Lake]:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "hush"}
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys)
    client.create_bucket(Bucket="vectors")
    options = {"aws_endpoint": f"http://{host}:{port}", "aws_region": "us-east-1", "aws_allow_http": "true", **keys}
    yield Lake.from_url("s3://vectors/some/prefix", options)
    server.stop()


def test_deleted_rows_are_told_on_an_object_store(bucket: Lake) -> None:
    publish_night(bucket, REPORT, NIGHT)
    delete_first(bucket, 5)
    assert night_rows(bucket, "flexnet", "entitlement") == {NIGHT: 7}
