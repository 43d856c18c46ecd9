"""Whatever the vendor's form, sizes, counts and faults: all rows are landed, or the walk or its check fails by name."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from include.standins import Clock, Fault, FaultKind
from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn, faulty
from include.standins.flexnet.switches import BatchHeader, BeyondLast, CountOf, CsvEmpty, CsvHeader, Missing
from nightshift.errors import VendorError
from nightshift.flexnet.hook import FlexNetHook
from nightshift.flexnet.walk import steady_walk
from nightshift.lake.checks import vendor_totals
from nightshift.lake.extract import Manifest
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake

NIGHT, AFTER = "2026-11-20", "2026-11-21"
KINDS = {
    "refused": [Fault(kind=FaultKind.STATUS, status=status) for status in (400, 404, 406, 409, 410, 413, 503)],
    "broken": [
        Fault(kind=FaultKind.HTML_200),
        Fault(kind=FaultKind.EMPTY_200),
        Fault(kind=FaultKind.TRUNCATED, at_bytes=25),
    ],
    "empty": [Fault(kind=faulty.PAGE_CUT)],
    "cut": [Fault(kind=faulty.TAIL_CUT, detail={"bytes": n}) for n in (1, 2, 3, 9)],
    "short": [Fault(kind=faulty.PAGE_CUT, detail={"keep": n}) for n in (1, 3)],
    "unlinked": [Fault(kind=faulty.LINK_LOST)],
    "miscounted": [Fault(kind=faulty.TOTALS_OFF, detail={"add": n}) for n in (-7, -1, 1, 30)],
}


class Case:
    """One vendor, one report and what goes wrong."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.csv = draw(st.booleans())
        self.rows = draw(st.integers(0, 60))
        self.size = draw(st.integers(4, 20))
        self.mode = draw(st.sampled_from(["batch", "interactive"]))
        self.in_flight = draw(st.sampled_from([1, 3]))
        self.key = draw(st.sampled_from([(), ("usageId",)]))
        self.knows_links = draw(st.booleans())
        self.switches: dict[str, Any] = {
            "rows_a_day": {"usage": self.rows},
            "page_cap": draw(st.sampled_from([None, None, 7])),
            "row_cap": draw(st.sampled_from([None, None, None, 28])),
            "beyond_last": draw(st.sampled_from(list(BeyondLast))),
            "batch_header": draw(st.sampled_from(list(BatchHeader))),
            "last_link": draw(st.sampled_from(list(Missing))),
            "record_count_of": draw(st.sampled_from([CountOf.ALL_PAGES, CountOf.ALL_PAGES, CountOf.THIS_PAGE])),
            "record_count_key": draw(st.sampled_from(["recordCount", ""])),
            "page_count_key": draw(st.sampled_from(["totalPages", ""])),
            "csv_header": draw(st.sampled_from(list(CsvHeader))),
            "csv_empty": draw(st.sampled_from(list(CsvEmpty))),
        }
        self.pages = max(1, -(-self.rows // min(self.size, self.switches["page_cap"] or self.size)))
        self.faults = self._faults(draw)
        if any(fault.times is None for fault in self.faults):
            # Of a page that never has its rows others tell, where the vendor gives them.
            self.switches["row_cap"] = None

    def __repr__(self) -> str:
        return f"Case({vars(self)})"

    @property
    def links(self) -> bool:
        header = self.mode == "interactive" or self.switches["batch_header"] in ("links", "links_and_counts")
        return header and not self.csv and self.knows_links

    @property
    def never_links(self) -> bool:
        """Whether the header says of every page that it is the last: of a first page without rows, or a short one
        behind which nothing comes, that is believed.
        """
        return not self.csv and self.mode == "batch" and self.switches["batch_header"] is BatchHeader.NO_NEXT

    @property
    def counts(self) -> bool:
        header = self.mode == "interactive" or self.switches["batch_header"] == "links_and_counts"
        whole = self.switches["record_count_of"] is CountOf.ALL_PAGES and self.switches["record_count_key"]
        return bool(header and not self.csv and whole)

    def _faults(self, draw: st.DrawFn) -> list[Fault]:
        """Return what a walk can notice: two faults that pass, or one that stays on a page that is not the last."""
        kinds = ["refused", "broken", "empty"]
        kinds += ["cut"] if self.csv else []
        kinds += ["short"] if self.counts or not (self.links or (self.never_links and self.pages == 1)) else []
        kinds += ["unlinked", "miscounted"] if self.counts and self.links else []
        chosen = [
            draw(st.sampled_from(KINDS[draw(st.sampled_from(kinds))]))
            for _ in range(draw(st.sampled_from([0, 1, 1, 2, 2])))
        ]
        stays = len(chosen) == 1 and draw(st.booleans()) and not self.never_links
        if stays and chosen[0].kind == faulty.TOTALS_OFF:
            return [replaced(chosen[0], times=None)]
        last = self.pages - 1 if stays else self.pages + 1
        if stays and (last < 1 or (chosen[0].detail and not self.counts)):
            return []
        places = draw(st.lists(st.integers(1, max(2, last)), min_size=2, max_size=2, unique=True))
        pages = [min(places[0], last) if stays else places[0], places[1]]
        return [
            replaced(fault, page=page, times=None if stays else 1) for fault, page in zip(chosen, pages, strict=False)
        ]


def replaced(fault: Fault, **changes: Any) -> Fault:
    return Fault(**{name: getattr(fault, name) for name in fault.__struct_fields__} | changes)


@pytest.fixture(scope="module")
def vendor() -> Iterator[FlexNetStandIn]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        running = stack.enter_context(FlexNetStandIn(clock=Clock(datetime(2026, 11, 22, 12, tzinfo=UTC))))
        for name, extra in (("knows", {}), ("blind", {"link_keys": ["nowhere"]})):
            fields = {"conn_type": "flexnet", "host": running.url, "login": LOGIN, "password": PASSWORD, "extra": extra}
            patch.setenv(f"AIRFLOW_CONN_FLEXNET_{name.upper()}", json.dumps(fields))
        yield running


async def walked(case: Case, lake: Lake, extract: str) -> Manifest:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract(extract)
    async with FlexNetHook("flexnet_knows" if case.knows_links else "flexnet_blind") as hook:
        hook.backoff.first = 0.0
        request = hook.request_of(
            "usage",
            mode=case.mode,
            format="csv" if case.csv else "json",
            page_size=case.size,
            key=case.key,
            date_from=NIGHT,
            date_to=AFTER,
        )
        walk = await steady_walk(hook, request, folder, case.in_flight)
    manifest = Manifest.of(
        walk.entries,
        source="flexnet",
        report="usage",
        night=NIGHT,
        extract=folder.extract_id,
        connection="c",
        attempt=1,
        started="",
        finished="",
        format="csv" if case.csv else "json",
        vendor_totals=walk.vendor_totals,
    )
    await folder.complete(manifest)
    return manifest


async def ids(lake: Lake, manifest: Manifest) -> list[str]:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract(manifest.extract)
    found: list[str] = []
    for entry in manifest.entries:
        body = await folder.read(entry.number)
        if manifest.format == "csv":
            records = csv.reader(io.StringIO(body.decode(), newline=""))
            found += [record[0] for record in records if record and record[0] != "usageId"]
        else:
            found += [row["usageId"] for row in json.loads(body)["data"]]
    return found


numbers = count()


@given(st.composite(Case)())
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_all_rows_or_a_named_failure(
    vendor: FlexNetStandIn, tmp_path_factory: pytest.TempPathFactory, case: Case
) -> None:
    vendor.turn(**case.switches)
    vendor.faults.clear()
    vendor.faults.add(*case.faults)
    lake = Lake.from_url(str(tmp_path_factory.getbasetemp() / Path("lake")))

    async def run() -> tuple[str, list[str]]:
        try:
            manifest = await walked(case, lake, f"x{next(numbers)}")
        except VendorError as error:
            return type(error).__name__, []
        verdict = vendor_totals(manifest)
        return ("green" if verdict.ok else "check failed"), await ids(lake, manifest)

    outcome, found = asyncio.run(run())
    event(f"{outcome}, {len(case.faults)} faults")
    if outcome == "green":
        assert (len(found), len(set(found))) == (case.rows, case.rows), case
    elif outcome not in ("Rejected", "NotFound"):
        # A first page that is refused is our mistake; whatever else passes costs no attempt, but a page whose own count
        # gives it the lie.
        # A page that reaches beyond what the vendor gives is refused whole, also that which would show the end.
        size = min(case.size, case.switches["page_cap"] or case.size)
        is_capped = (case.pages + 1) * size > (case.switches["row_cap"] or 10_000)
        assert is_capped or len(case.faults) == 2 or any(f.times is None or f.detail for f in case.faults), (
            outcome,
            case,
        )
