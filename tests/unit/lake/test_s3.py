"""The same lake on an object store, over a real socket."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from nightshift.lake.delta import night_rows
from nightshift.lake.errors import Completed, PageTaken
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.crash.lake.test_races import ROWS, together
from tests.crash.lake.workers import SPEC
from tests.unit.lake.conftest import NIGHT, land_night, read_table


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest) -> Lake:
    import boto3

    name = f"lake-{abs(hash(request.node.name))}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="hush"
    )
    client.create_bucket(Bucket=name)
    options = {
        "aws_access_key_id": "key",
        "aws_secret_access_key": "hush",
        "aws_region": "us-east-1",
        "aws_endpoint": endpoint,
        "aws_allow_http": "true",
    }
    return Lake.from_url(f"s3://my_aws@{name}/some/prefix", options)


async def test_a_night_lands_and_is_published(bucket: Lake) -> None:
    manifest = await land_night(bucket, [[{"id": 1}, {"id": 1}], [{"id": 2}]])
    landing = Landing(bucket, "flexnet", "entitlement", NIGHT)
    assert await landing.latest() == manifest
    assert await landing.extract("first").landed() == [1, 2]
    done = publish(bucket, manifest, SPEC)
    assert (done.rows, done.duplicates) == (2, 1)
    assert sorted(row["id"] for row in read_table(bucket)) == [1, 2]
    assert publish(bucket, manifest, SPEC).already
    with pytest.raises(Completed):
        await landing.extract("first").begin_again()
    half = landing.extract("second")
    await half.write(1, b'{"data": [1]}', 1)
    with pytest.raises(PageTaken):
        await half.write(1, b'{"data": [2]}', 1)
    await half.begin_again()
    assert await landing.extract("second").landed() == []
    assert await landing.latest() == manifest


async def test_a_download_lands_in_parts(bucket: Lake) -> None:
    text = b"a,b\n" + b"1,2\n" * 500_000
    folder = Landing(bucket, "tokenflex", "usage", NIGHT).extract("x")
    async with await folder.open_stream(part_bytes=1 << 20) as stream:
        for at in range(0, len(text), 100_000):
            await stream.write(text[at : at + 100_000])
    assert sum(entry.rows for entry in stream.entries) == 500_000
    assert b"".join([await folder.read(number) for number in await folder.landed()]) == text


async def test_two_processes_at_once_on_an_object_store(bucket: Lake) -> None:
    works = []
    for name in "ab":
        nights = [NIGHT, f"2026-11-0{'ab'.index(name) + 1}"]
        for night in nights:
            rows = [{"id": n, "by": name} for n in range(ROWS)]
            await land_night(bucket, [rows], night=night, extract=name)
        works.append([(night, name) for night in nights])
    together(bucket, works, dict(bucket.options))
    assert night_rows(bucket, "flexnet", "entitlement") == dict.fromkeys(("2026-11-01", "2026-11-02", NIGHT), ROWS)
    assert max(Counter((row["id"], row["night"]) for row in read_table(bucket)).values()) == 1
