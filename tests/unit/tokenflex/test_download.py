"""The file of an export on its way to the landing, over real sockets from a download host of another origin."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path
from random import Random
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from nightshift.errors import BadResponse, Forbidden, JobFailed, NotFound, Unreachable
from nightshift.lake.errors import LakeError
from nightshift.lake.landing import Landing, Manifest
from nightshift.lake.store import Lake
from tests.dying import dying
from tests.execution_api import FakeExecutionApi
from tests.unit.tokenflex.export_tasks import NIGHT, download_task
from tests.unit.tokenflex.vendor import CSV, NEVER, TOKEN, Vendor

SECRETS = ("X-Amz-Signature", TOKEN, "client-secret-815")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small parts, so that a short file has many, and no pause before a broken download goes on."""
    from nightshift.http.timing import Backoff
    from nightshift.lake.landing import ExtractFolder

    monkeypatch.setattr(Backoff.__init__, "__defaults__", (5, 0.001, 15.0, None))
    monkeypatch.setitem(ExtractFolder.open_stream.__kwdefaults__, "part_bytes", 1 << 20)
    monkeypatch.setattr("nightshift.tokenflex.download.PROGRESS", 1)


def big_file(megabytes: int = 5) -> bytes:
    row = b'2026-11-21,"Auto""CAD, 2026\nLT","ann\xc3\xa4",12.50\n'
    return b"\xef\xbb\xbf" + CSV + row * (megabytes * (1 << 20) // len(row))


def landed(lake: Path, extract: str) -> tuple[Manifest, bytes]:
    async def read() -> tuple[Manifest, bytes]:
        folder = Landing(Lake.from_url(str(lake)), "tokenflex", "desktop", NIGHT).extract(extract)
        manifest = await folder.manifest()
        return manifest, b"".join([await folder.read(entry.number) for entry in manifest.entries])

    return asyncio.run(read())


def fetched(vendor: Vendor, api: FakeExecutionApi, lake: Path, **kwargs: Any) -> tuple[Manifest, bytes]:
    run = api.run(download_task(vendor.keys()[0], **kwargs))
    assert run.state == "success", run.error
    return landed(lake, run.result["extract"])


@pytest.fixture(autouse=True)
def export(vendor: Vendor) -> str:
    return vendor.add().key


def test_a_file_is_landed_as_received_with_its_columns_typed_by_name(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    manifest, body = fetched(vendor, api, lake, look_back=2)
    assert body == vendor.file
    assert (manifest.rows, manifest.format, manifest.bytes) == (2, "csv", len(body))
    assert manifest.window == {"first_night": "2026-11-19", "last_night": NIGHT}
    assert {column.name: column.type for column in manifest.model or ()} == {
        "usageDate": "date",
        "productName": "string",
        "userName": "string",
        "tokensConsumed": "float64",
    }


def test_the_download_host_gets_no_credentials(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    fetched(vendor, api, lake)
    # It refuses a signed link that comes with an Authorization header, as S3 does.
    assert [one.status for one in vendor.downloads_seen] == [200]


def test_nothing_secret_is_anywhere(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.refuses_links(1)
    vendor.file = big_file(2)
    vendor.breaks(1_500_000)
    fetched(vendor, api, lake)
    files = b"".join(path.read_bytes() for path in lake.rglob("manifest.json")).decode()
    everything = caplog.text + str(api.xcoms) + str(dict(api.task_store)) + str(api.rendered) + files
    assert [secret for secret in SECRETS if secret in everything] == []


def test_embedded_line_breaks_and_quotes_end_no_part_and_count_no_row(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    vendor.file = big_file()
    manifest, body = fetched(vendor, api, lake)
    assert hashlib.sha256(body).digest() == hashlib.sha256(vendor.file).digest()
    assert manifest.pages > 2
    assert manifest.rows == vendor.file.count(b"12.50\n")


def test_an_empty_file_and_one_with_a_header_only_have_no_rows(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    for content in (b"", CSV):
        vendor.file = content
        manifest, body = fetched(vendor, api, lake)
        assert (manifest.rows, body) == (0, content)
        api.clear()


def test_that_nothing_is_in_a_file_is_believed_when_it_is_said_twice(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    vendor.faults.add(Fault(kind=FaultKind.EMPTY_200, origin="download"))
    assert fetched(vendor, api, lake)[1] == vendor.file
    assert [one.status for one in vendor.downloads_seen] == [200, 200]


PAGE = "<html>\n<head><title>Sign in</title></head>\n<body>to the proxy</body>\n</html>\n"
NOT_A_FILE = {
    "page": PAGE.encode(),
    "page behind blanks": b"\r\n" * 200 + PAGE.upper().encode(),
    "page with a mark": b"\xef\xbb\xbf <!-- hidden --> " + PAGE.encode(),
    "page in UTF-16": PAGE.encode("utf-16"),
    "page in UTF-16 without a mark": PAGE.encode("utf-16-le"),
    "XML": b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>',
    "object": b'{"message": "no data"}',
    "object behind a mark": b'\xef\xbb\xbf\n{\n  "message": "no data"\n}',
    "empty object": b"{ }",
    "array": b"[]",
    "array of objects": b'[ {"usageDate": "2026-11-21"} ]',
}


@pytest.mark.parametrize("content", NOT_A_FILE.values(), ids=NOT_A_FILE)
def test_what_is_no_file_is_a_broken_answer_of_which_nothing_is_landed(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, content: bytes
) -> None:
    usage, vendor.file = vendor.file, content
    error = api.run(download_task(vendor.keys()[0])).error
    assert isinstance(error, BadResponse)
    assert "came instead of the usage file" in str(error)
    assert len(vendor.downloads_seen) == 5
    assert list(lake.rglob("page-*")) == list(lake.rglob("manifest.json")) == []
    vendor.file = usage
    assert fetched(vendor, api, lake)[1] == usage


@pytest.mark.parametrize("kind", [FaultKind.HTML_200, FaultKind.WRONG_CONTENT_TYPE])
def test_a_page_once_is_asked_past(vendor: Vendor, api: FakeExecutionApi, lake: Path, kind: FaultKind) -> None:
    page = PAGE if kind is FaultKind.HTML_200 else None
    vendor.faults.add(Fault(kind=kind, origin="download", content_type="text/html; charset=utf-8", body=page))
    assert fetched(vendor, api, lake)[1] == vendor.file
    assert [one.status for one in vendor.downloads_seen] == [200, 200]


def test_a_page_in_the_middle_of_a_file_costs_nothing_that_is_landed(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    vendor.file = big_file()
    vendor.breaks(3_500_000)
    vendor.faults.add(Fault(kind=FaultKind.HTML_200, origin="download", content_type="", body=PAGE))
    manifest, body = fetched(vendor, api, lake)
    assert body == vendor.file
    assert [one.status for one in vendor.downloads_seen] == [200, 200, 206]
    assert manifest.notes["fetched_bytes"] == len(vendor.file)


def test_a_file_that_comes_packed_is_taken_to_the_end_of_its_packing_and_not_gone_on_with_by_ranges(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    vendor.file = big_file()
    vendor.faults.add(Fault(kind=FaultKind.CUT_GZIP, origin="download", at_bytes=3_500_000))
    assert fetched(vendor, api, lake)[1] == vendor.file
    assert [one.status for one in vendor.downloads_seen] == [200, 200]


@pytest.mark.parametrize("name", ["{Geo}", "[Geo]", "<5 minutes"])
def test_a_category_of_a_customers_own_is_no_page(vendor: Vendor, api: FakeExecutionApi, lake: Path, name: str) -> None:
    vendor.file = f"{name},usageDate,tokensConsumed\nDE,2026-11-21,1\n".encode()
    assert fetched(vendor, api, lake)[1] == vendor.file


@pytest.mark.parametrize("content", [b"2026-11-21,ann,1\n2026-11-21,bob,2\n", b"usageDate;userName;tokensConsumed\n"])
def test_a_file_whose_first_line_names_nothing_that_was_asked_for_is_refused_and_fetched_anew(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, content: bytes
) -> None:
    usage, vendor.file = vendor.file, content
    error = api.run(download_task(vendor.keys()[0])).error
    assert isinstance(error, BadResponse)
    assert "names none of the fields and metrics" in str(error)
    assert "csv of this export" in str(error)
    assert list(lake.rglob("manifest.json")) == []
    vendor.file = usage
    manifest, body = fetched(vendor, api, lake)
    assert (manifest.rows, body) == (2, usage)
    assert len(vendor.downloads_seen) == 2


@pytest.mark.parametrize(
    "cut",
    [
        CSV[:20],
        CSV + b'2026-11-21,"ann, or',
        CSV + b"2026-11-21,ACD,ann,1\r\n2026-1",
        big_file()[:-9],
        b"\xef\xbb\xbf" + CSV[:20],
    ],
    ids=["in the header", "in quotes", "in a row", "in the last part of many", "in the header behind a mark"],
)
def test_a_file_that_ends_in_the_middle_of_a_line_is_no_file_and_is_fetched_anew(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, cut: bytes
) -> None:
    usage, vendor.file = vendor.file, cut
    error = api.run(download_task(vendor.keys()[0])).error
    assert isinstance(error, BadResponse | LakeError)
    assert list(lake.rglob("manifest.json")) == []
    vendor.file = usage
    assert fetched(vendor, api, lake)[1] == usage


@pytest.mark.parametrize(
    "whole",
    [CSV[:-1], CSV + b"2026-11-21,ACD,ann,1", CSV[:-1] + b",\n2026-11-21,ACD,ann,1,", CSV + b"2026-11-21,ACD,ann,1\n "],
)
def test_a_last_line_needs_no_end(vendor: Vendor, api: FakeExecutionApi, lake: Path, whole: bytes) -> None:
    vendor.file = whole
    assert fetched(vendor, api, lake)[1] == whole


def test_a_column_that_is_missing_is_told(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, _ = fetched(vendor, api, lake, metrics=["tokensConsumed", "useCount"])
    assert manifest.rows == 2
    assert "no column for useCount" in capsys.readouterr().out


def test_an_ended_link_is_renewed_right_before_it_is_used(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    vendor.forget()
    vendor.add(ready=-400)
    fetched(vendor, api, lake)
    assert vendor.count("POST", "/refreshUrl") == 1
    assert [one.status for one in vendor.downloads_seen] == [200]


def test_a_link_that_is_refused_is_renewed(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    vendor.refuses_links(2)
    fetched(vendor, api, lake)
    assert [one.status for one in vendor.downloads_seen] == [403, 403, 200]


def test_links_are_not_renewed_for_ever(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    vendor.refuses_links(None)
    run = api.run(download_task(vendor.keys()[0]))
    assert isinstance(run.error, Forbidden)
    assert len(vendor.downloads_seen) == 3
    assert "has given 2 new links" in str(run.error)
    assert "clear the task that requests the export" in str(run.error)


def test_a_broken_download_goes_on_where_it_broke(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    vendor.file = big_file()
    vendor.breaks(2_000_000, 1_000_000)
    manifest, body = fetched(vendor, api, lake)
    assert body == vendor.file
    starts = [int(one.headers.get("range", "bytes=0-")[6:-1]) for one in vendor.downloads_seen]
    assert starts[0] == 0
    assert 500_000 < starts[1] < starts[2] <= 3_000_000
    assert [one.status for one in vendor.downloads_seen] == [200, 206, 206]
    assert manifest.notes["fetched_bytes"] == len(vendor.file)


@pytest.mark.parametrize("kind", [FaultKind.SHORT_BODY, FaultKind.SHORT_CHUNKED])
def test_an_answer_that_holds_less_than_was_asked_for_is_gone_on_with_until_the_file_is_whole(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, kind: FaultKind
) -> None:
    """A host may hand out pieces, which end anywhere: in the middle of a number the rest would still be a file."""
    vendor.file = big_file(2)
    vendor.turn(part_bytes=300_007)
    vendor.faults.add(Fault(kind=kind, origin="download", at_bytes=1_300_000))
    manifest, body = fetched(vendor, api, lake)
    assert body == vendor.file
    assert (manifest.rows, manifest.notes["fetched_bytes"]) == (vendor.file.count(b"12.50\n"), len(vendor.file))
    assert [one.status for one in vendor.downloads_seen] == [200, 206, 206, 206]


def test_parts_without_a_byte_are_breaks(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    vendor.file = big_file(2)
    vendor.turn(part_bytes=0)
    vendor.breaks(1_500_000)
    error = api.run(download_task(vendor.keys()[0])).error
    assert isinstance(error, Unreachable)
    assert "before the file does" in str(error)
    assert len(vendor.downloads_seen) == 5
    vendor.turn(part_bytes=None)
    assert fetched(vendor, api, lake)[1] == vendor.file


@pytest.mark.parametrize("how", ["no total", "too much"])
def test_a_part_that_cannot_be_told_to_be_the_rest_begins_the_file_again(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, how: str
) -> None:
    vendor.file = big_file(2)
    vendor.faults.add(Fault(kind=FaultKind.SHORT_CHUNKED, origin="download", at_bytes=1_500_000))
    if how == "no total":
        vendor.turn(part_total=False)
    else:
        vendor.faults.add(Fault(kind=FaultKind.OVERSIZE, origin="download", size_bytes=2_000_000))
    assert fetched(vendor, api, lake)[1] == vendor.file
    assert [one.status for one in vendor.downloads_seen] == [200, 206, 200]


def test_a_file_that_is_stored_compressed_begins_again_after_a_break(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    """Its ranges count other bytes than are landed."""
    rows = (f"2026-11-21,AutoCAD,{Random(at).randbytes(40).hex()},1.5\n".encode() for at in range(20_000))
    vendor.file = CSV + b"".join(rows)
    vendor.turn(stored_gzip=True)
    vendor.breaks(900_000)
    manifest, body = fetched(vendor, api, lake)
    assert body == vendor.file
    assert manifest.rows == 20_000
    assert [(one.status, one.headers.get("range")) for one in vendor.downloads_seen] == [(200, None), (200, None)]


def test_the_next_attempt_goes_on_at_the_last_part_that_is_landed(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    vendor.file = big_file()
    vendor.breaks(3_500_000, 0, 0, 0, 0, 0)
    key = vendor.keys()[0]
    assert isinstance(api.run(download_task(key)).error, Unreachable)
    vendor.faults.clear()
    before = len(vendor.downloads_seen)
    manifest, body = fetched(vendor, api, lake)
    assert body == vendor.file
    start = int(vendor.downloads_seen[before].headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 2_000_000 < start <= 3_500_000
    assert manifest.notes["fetched_bytes"] == len(vendor.file) - start


def test_a_file_that_was_landed_whole_is_not_fetched_again(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    with dying(completed=False):
        assert api.run(download_task(vendor.keys()[0])).state == "up_for_retry"
    _, body = fetched(vendor, api, lake)
    assert body == vendor.file
    assert len(vendor.downloads_seen) == 1


def test_parts_that_end_with_the_rows_of_another_dialect_are_not_gone_on_with(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    """A quote that was none had the parts end inside of rows."""
    vendor.file = big_file()
    vendor.breaks(3_500_000, 0, 0, 0, 0, 0, 0)
    assert api.run(download_task(vendor.keys()[0], csv={"quote": "'"})).error is not None
    assert list(lake.rglob("page-*.zst"))
    vendor.faults.clear()
    manifest, body = fetched(vendor, api, lake)
    assert body == vendor.file
    assert manifest.rows == vendor.file.count(b"12.50\n")
    assert manifest.notes["fetched_bytes"] == len(vendor.file)


def test_the_file_of_an_export_that_was_replaced_is_not_taken_for_that_of_the_new_one(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    with dying(completed=True):
        assert api.run(download_task(vendor.keys()[0])).state == "up_for_retry"
    first, _ = landed(lake, api.task_store["extract"]["extract"])
    vendor.forget()
    vendor.add(name="a new one")
    vendor.file = vendor.file.replace(b"12.50", b"99.50")
    second, body = fetched(vendor, api, lake)
    assert body == vendor.file
    assert second.finished > first.finished


@pytest.mark.parametrize("how", ["no ranges", "another file", "no etag"])
def test_what_cannot_be_gone_on_with_is_fetched_from_its_start(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, how: str
) -> None:
    vendor.file = big_file()
    vendor.breaks(3_500_000, 0, 0, 0, 0, 0, 0)
    if how == "no etag":
        vendor.turn(etag="absent")
    assert api.run(download_task(vendor.keys()[0])).error is not None
    vendor.faults.clear()
    if how == "no ranges":
        vendor.turn(range_honoured=False)
    if how == "another file":
        vendor.file = big_file(3).replace(b"12.50", b"99.50")
    manifest, body = fetched(vendor, api, lake)
    assert body == vendor.file
    assert manifest.bytes == len(vendor.file)


def test_another_export_is_never_mixed_with_what_is_landed(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    vendor.file = big_file()
    vendor.breaks(3_500_000, 0, 0, 0, 0, 0)
    api.run(download_task(vendor.keys()[0]))
    vendor.faults.clear()
    vendor.forget()
    vendor.add(name="a new one")
    vendor.file = vendor.file.replace(b"12.50", b"99.50")
    _, body = fetched(vendor, api, lake)
    assert body == vendor.file


def test_an_export_that_is_not_ready_or_gone_is_told(vendor: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    pending = vendor.add(ready=NEVER)
    assert isinstance(api.run(download_task(pending.key)).error, JobFailed)
    api.clear()
    assert isinstance(api.run(download_task("2026-01-01T00:00:00#gone")).error, NotFound)
    assert vendor.downloads_seen == []
