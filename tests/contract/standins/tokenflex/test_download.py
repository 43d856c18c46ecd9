"""The download host of the Token Flex stand-in: signatures, expiry, ranges, ETags, faults, CSV dialects, size."""

from __future__ import annotations

import csv
import http.client
import io
import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from include.standins import Clock, Fault
from include.standins.kept import MOST_BYTES, Kept
from include.standins.tokenflex import CONTRACTS, RateLimit, TokenFlexStandIn, TokenFlexSwitches, vendor_fault
from include.standins.tokenflex.asked import asked
from include.standins.tokenflex.contracts import own_names
from include.standins.tokenflex.files import ExportFile
from include.standins.tokenflex.table import Source
from include.standins.tokenflex.usage import Usage
from tests.contract.standins.client import Answer, ask
from tests.contract.standins.tokenflex.client import DAILY, SESSIONS, Caller

TWO_DAYS = "usageDate >= '2026-11-19' and usageDate <= '2026-11-20'"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def caller_with() -> Iterator[Callable[..., Caller]]:
    """Start stand-ins whose clock stands at noon of 2026-11-22 and that have no rate limit."""
    started: list[TokenFlexStandIn] = []

    def start(*, seed: int = 7, **switches: Any) -> Caller:
        turned = TokenFlexSwitches(**{"rate_limit": RateLimit.OFF, "rows_per_day": 60, **switches})
        started.append(TokenFlexStandIn(seed=seed, clock=Clock(NOON), switches=turned).__enter__())
        return Caller(started[-1])

    yield start
    for vendor in started:
        vendor.__exit__(None, None, None)


@pytest.fixture
def caller(caller_with: Callable[..., Caller]) -> Caller:
    return caller_with()


def part(url: str, asked_for: str, **headers: str) -> Answer:
    return ask(url, headers={"Range": asked_for, **{name.replace("_", "-"): value for name, value in headers.items()}})


class TestSignedUrls:
    def test_the_file_is_at_another_origin_and_needs_no_token(self, caller: Caller) -> None:
        key, url = caller.ready()
        answer = ask(url)
        assert urlsplit(url).netloc != urlsplit(caller.vendor.url).netloc
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) == len(answer.body) > 1000
        assert answer.headers["ETag"].startswith('"')
        assert answer.body == caller.vendor.file_of(key)
        assert caller.vendor.ledger.effects(kind="file_read")[0].detail["status"] == 200

    def test_credentials_are_refused_as_s3_does(self, caller: Caller) -> None:
        _, url = caller.ready()
        answer = ask(url, headers={"Authorization": f"Bearer {caller.token}"})
        assert answer.status == 400
        assert b"<Code>InvalidArgument</Code>" in answer.body
        caller.vendor.turn(s3_strict=False)
        assert ask(url, headers={"Authorization": "Bearer x"}).status == 200

    def test_no_signature_a_forged_one_and_another_method(self, caller: Caller) -> None:
        _, url = caller.ready()
        assert ask(url.partition("?")[0]).status == 403
        assert b"SignatureDoesNotMatch" in ask(url[:-1] + ("0" if url[-1] != "0" else "1")).body
        assert ask(url.replace("X-Amz-Expires=3", "X-Amz-Expires=9")).status == 403
        assert ask(url, method="HEAD").status == 403

    def test_a_url_expires_at_the_time_it_says_and_refresh_gives_another(self, caller: Caller) -> None:
        key, url = caller.ready()
        shown = caller.look(key).json["downloadUrlExpireDate"]
        ends = datetime.fromisoformat(shown)
        assert ((ends if ends.tzinfo else ends.replace(tzinfo=UTC)) - caller.vendor.now()).total_seconds() == 300
        caller.vendor.clock.advance(299)
        assert ask(url).status == 200
        caller.vendor.clock.advance(1)
        expired = ask(url)
        assert (expired.status, b"Request has expired" in expired.body) == (403, True)
        assert caller.look(key).json["requestStatus"] == "Download"
        refreshed = caller.look(key, "/refreshUrl", "POST").json
        assert refreshed["downloadUrl"] != url
        assert ask(refreshed["downloadUrl"]).status == 200
        caller.vendor.turn(expired_status=404)
        assert ask(url).status == 404

    def test_there_is_no_url_to_refresh_before_the_file_is_ready(self, caller: Caller) -> None:
        assert caller.look(caller.exported(), "/refreshUrl", "POST").status == 400

    def test_no_signature_is_in_the_ledger(self, caller: Caller) -> None:
        _, url = caller.ready()
        ask(url)
        signature = url.rpartition("X-Amz-Signature=")[2]
        assert signature not in repr((caller.vendor.ledger.requests(), caller.vendor.ledger.effects()))


class TestRanges:
    def test_parts_are_the_bytes_of_the_whole(self, caller: Caller) -> None:
        _, url = caller.ready()
        whole = ask(url).body
        for asked_for, start, stop in (
            ("bytes=0-9", 0, 10),
            ("bytes=100-", 100, len(whole)),
            ("bytes=-7", len(whole) - 7, len(whole)),
            (f"bytes=50-{10**9}", 50, len(whole)),
        ):
            answer = part(url, asked_for)
            assert answer.status == 206
            assert answer.body == whole[start:stop]
            assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
        assert part(url, f"bytes={len(whole)}-").status == 416
        assert part(url, f"bytes={len(whole)}-").headers["Content-Range"] == f"bytes */{len(whole)}"
        for ignored in ("bytes=9-1", "rows=1-2", "bytes=0-1,4-5", "bytes=-"):
            assert part(url, ignored).status == 200

    def test_if_range_and_if_match(self, caller: Caller) -> None:
        _, url = caller.ready()
        whole = ask(url)
        for condition, status in (
            (whole.headers["ETag"], 206),
            (whole.headers["Last-Modified"], 206),
            ('"other"', 200),
        ):
            assert part(url, "bytes=5-9", If_Range=condition).status == status
        assert part(url, "bytes=5-9", If_Match='"other"').status == 412
        assert part(url, "bytes=5-9", If_Match=whole.headers["ETag"]).status == 206
        caller.vendor.turn(etag="weak")
        weak = ask(url).headers["ETag"]
        assert weak.startswith("W/")
        assert part(url, "bytes=5-9", If_Range=weak).status == 200
        caller.vendor.turn(etag="absent")
        assert ask(url).headers["ETag"] is None

    def test_ranges_can_be_ignored(self, caller: Caller) -> None:
        _, url = caller.ready()
        caller.vendor.faults.add(vendor_fault("range_ignored"))
        assert [part(url, "bytes=5-9").status for _ in range(2)] == [200, 206]
        caller.vendor.turn(range_honoured=False)
        answer = part(url, "bytes=5-9")
        assert (answer.status, answer.headers["Accept-Ranges"]) == (200, None)


class TestFaults:
    def test_a_reset_in_mid_file_leaves_a_url_that_goes_on(self, caller: Caller) -> None:
        _, url = caller.ready()
        whole = ask(url).body
        caller.vendor.faults.add(Fault(kind="reset_body", origin="download", at_bytes=500))
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            ask(url)
        assert whole[:500] + part(url, "bytes=500-").body == whole

    def test_a_url_that_expires_in_mid_file(self, caller: Caller) -> None:
        key, url = caller.ready()
        whole = ask(url).body
        caller.vendor.faults.add(vendor_fault("url_dies"), Fault(kind="reset_body", origin="download", at_bytes=500))
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            ask(url)
        assert part(url, "bytes=500-").status == 403
        fresh = caller.look(key, "/refreshUrl", "POST").json["downloadUrl"]
        assert part(fresh, "bytes=500-").body == whole[500:]

    def test_a_url_that_is_over_before_it_says_so(self, caller: Caller) -> None:
        key, url = caller.ready()
        caller.vendor.faults.add(vendor_fault("url_expired"))
        assert [ask(url).status for _ in range(2)] == [403, 403]
        assert ask(caller.look(key, "/refreshUrl", "POST").json["downloadUrl"]).status == 200

    def test_a_file_that_is_made_anew_has_another_etag_and_what_came_since(self, caller: Caller) -> None:
        key, url = caller.ready()
        before = ask(url)
        caller.vendor.clock.advance(200)
        caller.vendor.faults.add(vendor_fault("file_replaced"))
        after = ask(url)
        assert after.headers["ETag"] != before.headers["ETag"]
        assert part(url, "bytes=5-9", If_Range=before.headers["ETag"]).status == 200
        caller.vendor.clock.advance(86400 * 4)
        caller.vendor.faults.add(vendor_fault("file_replaced", method="POST", origin="", path="refreshUrl"))
        fresh = caller.look(key, "/refreshUrl", "POST").json["downloadUrl"]
        assert len(ask(fresh).body) > len(before.body)


class TestDialects:
    def rows(self, body: bytes, **form: Any) -> list[list[str]]:
        return list(csv.reader(io.StringIO(body.decode("utf-8"), newline=""), **form))

    def test_the_plain_one(self, caller: Caller) -> None:
        header, *rows = self.rows(caller.file())
        assert header == DAILY["fields"] + DAILY["metrics"]
        assert rows == sorted(rows, key=lambda row: row[:3])
        assert {row[0] for row in rows} == {"2026-11-20"}
        assert all(float(row[3]) >= 0 and "." in row[3] for row in rows)

    def test_switches_of_the_text(self, caller: Caller) -> None:
        plain = caller.file()
        caller.vendor.turn(csv_bom=True, csv_crlf=True, csv_final_newline=False, csv_quoting="all", csv_delimiter=";")
        body = caller.file()
        assert body.startswith(b'\xef\xbb\xbf"usageDate";"productName"')
        assert b"\r\n" in body
        assert not body.endswith(b"\n")
        assert self.rows(body[3:], delimiter=";") == self.rows(plain)

    @pytest.mark.parametrize(
        ("switch", "header"),
        [
            ({"csv_header": "titles"}, "Usage Date,Product Name,User Name,Tokens Consumed"),
            ({"csv_header": "upper"}, "USAGEDATE,PRODUCTNAME,USERNAME,TOKENSCONSUMED"),
            ({"csv_columns": "reversed"}, "tokensConsumed,userName,productName,usageDate"),
            ({"csv_columns": "metrics_first"}, "tokensConsumed,usageDate,productName,userName"),
            ({"csv_extra_column": True}, "usageDate,productName,_vendorNote,userName,tokensConsumed"),
        ],
    )
    def test_switches_of_the_columns(
        self, caller_with: Callable[..., Caller], switch: dict[str, Any], header: str
    ) -> None:
        lines = caller_with(**switch).file().decode().splitlines()
        assert lines[0] == header
        assert {line.count(",") for line in lines} == {header.count(",")}

    def test_values_in_other_forms(self, caller: Caller) -> None:
        body = {"fields": ["usageDate", "usageCategory", "customField2", "customField3"], "metrics": ["usageHours"]}
        caller.vendor.turn(
            csv_dates="%d/%m/%Y", csv_categories="consumption", csv_hard_text=True, csv_null="NULL", csv_header="none"
        )
        rows = self.rows(caller.file(**body))
        assert {row[0] for row in rows} == {"20/11/2026"}
        assert {row[1] for row in rows} == {"PRODUCT_CONSUMPTION"}
        assert "line one\nline two" in {row[3] for row in rows}
        assert "NULL" not in {row[3] for row in rows}
        caller.vendor.turn(csv_hard_text=False)
        assert {row[3] for row in self.rows(caller.file(**body))} == {"NULL"}

    def test_wide_characters(self, caller_with: Callable[..., Caller]) -> None:
        caller = caller_with(csv_encoding="utf-16", csv_bom=True)
        body = caller.file(fields=["Kostenträger"], metrics=[])
        assert body.startswith(b"\xff\xfe")
        assert "Größe" in body.decode("utf-16")

    def test_session_stamps(self, caller: Caller) -> None:
        body = {**SESSIONS, "fields": ["sessionStartDate"], "metrics": []}
        assert "T" in caller.file(**body).decode().splitlines()[1]
        caller.vendor.turn(csv_session_stamps="mixed")
        assert len({len(line) for line in caller.file(**body).decode().splitlines()[1:]}) > 1

    def test_an_export_without_rows(self, caller: Caller) -> None:
        nothing = {"where": "usageDate = '2031-01-01'"}
        assert caller.file(**nothing) == b"usageDate,productName,userName,tokensConsumed\n"
        caller.vendor.turn(csv_empty=True)
        assert caller.file(**nothing) == b""


class TestData:
    def test_the_same_seed_gives_the_same_bytes_in_any_order(self, caller_with: Callable[..., Caller]) -> None:
        one, two, other = caller_with(), caller_with(), caller_with(seed=8)
        first = [one.file(), one.file(**SESSIONS)]
        assert [two.file(**SESSIONS), two.file()] == first[::-1]
        assert other.file() != first[0]

    def test_rows_of_a_day_come_late(self, caller: Caller) -> None:
        keys = []
        for _ in range(5):
            rows = caller.file(**SESSIONS).decode().splitlines()[1:]
            keys.append({row.split(",")[1] for row in rows})
            caller.vendor.clock.advance(86400)
        assert keys[0] < keys[-1]
        assert all(before <= after for before, after in itertools.pairwise(keys))
        assert keys[3] == keys[4]
        assert len(keys[4]) == 60

    def test_a_day_is_not_there_before_it_is_over(self, caller: Caller) -> None:
        assert len(caller.file(where="usageDate >= '2026-11-22'").splitlines()) == 1
        assert len(caller.file(where="usageDate = '2026-11-21'").splitlines()) > 1

    def test_totals_agree_with_sessions(self, caller: Caller) -> None:
        sessions = caller.file(**SESSIONS).decode().splitlines()[1:]
        totals = caller.file().decode().splitlines()[1:]
        (whole,) = caller.file(fields=[], metrics=["tokensConsumed", "useCount"]).decode().splitlines()[1:]
        spent = [sum(float(row.rsplit(",", 1)[1]) for row in rows) for rows in (sessions, totals)]
        assert spent == [float(whole.split(",")[0])] * 2

    def test_a_day_of_any_size_is_cheap_and_its_sessions_are_unique(self) -> None:
        made = self.made(rows_per_day=10_003)
        body = b"".join(made.read())
        rows = body.decode().splitlines()[1:]
        assert made.length == len(body)
        assert len({row.split(",")[1] for row in rows}) == len(rows) > 9_000
        for start in (0, 1, 45, 46, made.length // 3, made.length - 1):
            assert b"".join(made.read(start, start + 1000)) == body[start : start + 1000]

    def test_blocks_that_were_given_up_are_made_again_alike(self) -> None:
        body = b"".join(self.made(rows_per_day=2_345, where=TWO_DAYS).read())
        made = self.made(rows_per_day=2_345, where=TWO_DAYS, kept_bytes=1)
        assert b"".join(made.read()) == body
        assert b"".join(made.read(len(body) - 5_000)) == body[-5_000:]

    def test_gigabytes_are_planned_at_once_and_read_fast(self) -> None:
        began = time.process_time()
        made = self.made(rows_per_day=50_000_000)
        assert made.length > 3_000_000_000
        assert len(b"".join(made.read(made.length - 100_000, None))) == 100_000
        read = 0
        for block in made.read(2_000_000_000):
            read += len(block)
            if read > 50_000_000:
                break
        assert time.process_time() - began < 5

    def test_totals_count_the_copies_of_a_large_day(self) -> None:
        plain = {**DAILY, "fields": [], "metrics": ["useCount"]}
        uses = [
            int(b"".join(self.made(plain, rows_per_day=size, late_days=0).read()).split()[1]) for size in (2000, 6000)
        ]
        assert uses[1] == 3 * uses[0]

    def made(
        self, body: Any = None, where: str = DAILY["where"], kept_bytes: int = MOST_BYTES, **switches: Any
    ) -> ExportFile:
        source = Source(Usage(7), CONTRACTS[0], TokenFlexSwitches(**switches), date(2026, 11, 22))
        wanted = asked({**(body or SESSIONS), "where": where}, own_names(), export=True)
        return ExportFile.made("file", source, wanted, Kept(kept_bytes))
