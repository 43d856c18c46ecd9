"""A store that ignores a condition of a write is found by one try, and nothing is built on it: a real S3 server behind
a proxy.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from moto.server import ThreadedMotoServer

from nightshift.exago.claims import Claims
from nightshift.exago.paths import ContentPath
from nightshift.lake import objects as probing
from nightshift.lake.errors import Contended, LakeError, UnfitStore
from nightshift.lake.landing import Landing
from nightshift.lake.objects import probe
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from nightshift.promotion.record import PromotionRecord
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns, Waiter
from nightshift.promotion.vocabulary import PromotionOutcome
from tests.unit.lake.conftest import NIGHT, land_night, read_table


class Proxy(ThreadingHTTPServer):
    """Passes requests on to an S3 server and keeps a ledger of them.

    :param server: URL of the server

    ``drops`` names the header that it does not pass on.
    """

    daemon_threads = True

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server = urlsplit(server)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.drops = ""
        self.refuses = False
        self.requests: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _pass_on(self) -> None:
        proxy = self.server
        proxy.requests.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        is_conditional = headers.get("If-None-Match", headers.get("if-none-match")) is not None
        if proxy.drops:
            headers = {name: value for name, value in headers.items() if name.lower() != proxy.drops}
        if proxy.refuses and is_conditional:
            status, answer, kept = 501, b"<Error><Code>NotImplemented</Code></Error>", {}
        else:
            there = http.client.HTTPConnection(proxy.server.hostname or "", proxy.server.port, timeout=30)
            there.request(self.command, self.path, body, headers)
            response = there.getresponse()
            status, answer = response.status, response.read()
            skipped = {"transfer-encoding", "connection", "content-length"}
            kept = {name: value for name, value in response.getheaders() if name.lower() not in skipped}
            if self.command == "HEAD":
                kept["Content-Length"] = response.getheader("Content-Length") or "0"
            there.close()
        self.send_response(status)
        for name, value in kept.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - the names of http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        return


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    proxy = Proxy(server)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    yield proxy
    proxy.shutdown()
    proxy.server_close()
    thread.join(5)


@pytest.fixture
def lake(proxy: Proxy, request: pytest.FixtureRequest) -> Iterator[Lake]:
    import boto3

    name = f"lake-{abs(hash(request.node.name))}"
    words = {"region_name": "us-east-1", "aws_access_key_id": "key", "aws_secret_access_key": "hush"}
    boto3.client("s3", endpoint_url=proxy.url, **words).create_bucket(Bucket=name)
    options = {
        "aws_access_key_id": "key",
        "aws_secret_access_key": "hush",
        "aws_region": "us-east-1",
        "aws_endpoint": proxy.url,
        "aws_allow_http": "true",
    }
    proxy.requests.clear()
    yield Lake.from_url(f"s3://{name}/x", options)
    probing._fit.clear()


async def test_a_store_that_ignores_the_condition_is_refused_for_tables_turns_and_claims(
    lake: Lake, proxy: Proxy
) -> None:
    proxy.drops = "if-none-match"
    manifest = await land_night(lake, [[{"id": 1}]])
    waiter = Waiter(run_id="r", night=NIGHT, opened=datetime.now(UTC))
    with pytest.raises(UnfitStore, match=r"ignores the condition.*If-None-Match.*Nothing was changed") as found:
        publish(lake, manifest, PublishSpec())
    assert str(found.value).endswith("then clear the task.")
    assert "hush" not in str(found.value)
    with pytest.raises(UnfitStore):
        await Turns(lake, "app").take(waiter, None)
    with pytest.raises(UnfitStore):
        await Claims(lake, "https://bi.example.com").take("me", [ContentPath.parse("A/B")])
    written = {path.split("/x/")[1] for method, path in proxy.requests if method == "PUT"}
    assert {path for path in written if not path.startswith(("raw/", "claims/probe/try-"))} == set()
    proxy.drops = ""
    publish(lake, manifest, PublishSpec())
    assert [row["id"] for row in read_table(lake)] == [1]


async def test_a_store_that_ignores_what_was_read_is_refused_for_all_of_it_too(lake: Lake, proxy: Proxy) -> None:
    proxy.drops = "if-match"
    for _ in range(2):
        with pytest.raises(UnfitStore, match=r"ignores the condition.*If-Match.*Nothing was changed.*then clear"):
            probe(lake)
    with pytest.raises(UnfitStore, match="If-Match"):
        publish(lake, await land_night(lake, [[{"id": 1}]]), PublishSpec())
    assert probing.try_condition(lake).is_kept
    assert not probing.try_condition(lake).is_compared
    assert await probing.anames(lake.objects("claims")) == []


async def test_a_record_is_written_over_by_no_writer_that_has_read_an_older_one(lake: Lake, proxy: Proxy) -> None:
    one = PromotionRecord(application="portal", dag_id="promote_portal", run_id="r1", opened=datetime.now(UTC))
    frozen, newer = Records(lake, "portal"), Records(lake, "portal")
    await newer.write(one)
    old, new = await frozen.read("r1"), await newer.read("r1")
    assert old is not None
    assert new is not None
    await newer.write(new.close(PromotionOutcome.PROMOTED))
    with pytest.raises(Contended):
        await frozen.write(old.close(PromotionOutcome.FAILED))
    probing._fit.clear()
    await lake.objects(*probing.FOLDER).delete_async(probing.VERDICT)
    proxy.drops = "if-match"
    with pytest.raises(UnfitStore, match="If-Match"):
        await frozen.write((await frozen.read("r1") or old).close(PromotionOutcome.FAILED))
    told = await Records(lake, "portal").read("r1")
    assert told is not None
    assert told.outcome is PromotionOutcome.PROMOTED


async def test_a_lake_that_was_tried_by_an_earlier_version_is_tried_once_more(lake: Lake, proxy: Proxy) -> None:
    await probing.awrite(lake.objects(*probing.FOLDER), "conditional-writes.json", b'{"conditional_writes":true}')
    proxy.drops = "if-match"
    with pytest.raises(UnfitStore, match="If-Match"):
        probe(lake)


async def test_a_store_that_does_not_know_the_condition_is_refused(lake: Lake, proxy: Proxy) -> None:
    proxy.refuses = True
    with pytest.raises(UnfitStore, match="cannot be written on the condition"):
        probe(lake)
    proxy.refuses = False
    with pytest.raises(UnfitStore, match="cannot be written on the condition"):
        probe(Lake.from_url("s3://no-such-bucket-at-all/x", lake.options))


def test_a_store_that_is_not_there_just_now_is_not_called_unfit() -> None:
    options = {
        "aws_access_key_id": "key",
        "aws_secret_access_key": "hush",
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
        "aws_endpoint": "http://127.0.0.1:9",
        "timeout": "2s",
        "connect_timeout": "1s",
    }
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9") as found:  # the library's own, which a retry may cure
        probe(Lake.from_url("s3://nowhere/x", options))
    assert not isinstance(found.value, LakeError)


async def test_it_is_tried_once_and_known_from_then_on(lake: Lake, proxy: Proxy) -> None:
    probe(lake)
    tried = ["PUT", "PUT", "GET", "PUT", "PUT", "GET", "POST"]
    assert [method for method, _ in proxy.requests] == ["HEAD", *tried, "PUT"]
    proxy.requests.clear()
    probe(lake)
    assert proxy.requests == []
    probing._fit.clear()
    probe(lake)
    assert [method for method, _ in proxy.requests] == ["HEAD"]
    assert await Landing(lake, "flexnet", "usage", NIGHT).latest() is None


def test_a_folder_needs_no_trial(tmp_path: object) -> None:
    lake = Lake.from_url(str(tmp_path))
    probe(lake)
    assert not any(True for batch in lake.objects().list() for _ in batch)


def test_a_try_is_made_each_time_and_leaves_nothing_behind(lake: Lake, proxy: Proxy) -> None:
    """A store that has begun to ignore the condition is found, whatever was found before."""
    before = datetime.now(UTC) - timedelta(seconds=2)
    tried = probing.try_condition(lake)
    assert (tried.is_kept, tried.is_compared) == (True, True)
    assert before < tried.written < datetime.now(UTC) + timedelta(seconds=2)
    proxy.drops = "if-none-match"
    assert not probing.try_condition(lake).is_kept
    assert asyncio.run(probing.anames(lake.objects("claims"))) == []
