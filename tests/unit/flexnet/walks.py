"""Walks over the stand-in's report ``usage``, judged by the rows and by the vendor's ledger."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from include.standins.flexnet import FlexNetStandIn
from nightshift.flexnet.hook import FlexNetHook

NIGHT, AFTER = "2026-11-20", "2026-11-21"
VendorWith = Callable[..., FlexNetStandIn]


async def walk(in_flight: int = 4, **given: Any) -> list[str]:
    """Return the ids of all rows, in order."""
    ids: list[str] = []
    async with FlexNetHook() as hook:
        hook.backoff.first = 0.01
        request = hook.request_of(
            "usage", **{"date_from": NIGHT, "date_to": AFTER, "page_size": 50, "mode": "batch", **given}
        )
        async for page in hook.report_pages(request, in_flight=in_flight):
            if request.is_csv:
                records = csv.reader(io.StringIO(page.body.decode(page.charset).removeprefix("\ufeff"), newline=""))
                ids += [record[0] for record in records if record and record[0] != "usageId"]
            else:
                ids += [row["usageId"] for row in json.loads(page.body)["data"]]
    return ids


def assert_all(ids: list[str], rows: int = 230) -> None:
    assert (len(ids), len(set(ids))) == (rows, rows)


def asked(vendor: FlexNetStandIn) -> dict[int, int]:
    """Return how often each page was asked for."""
    return dict(sorted(Counter(int(dict(r.query)["pageNumber"]) for r in vendor.ledger.requests()).items()))
