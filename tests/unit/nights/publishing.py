"""Nights as the publishing task leaves them, for tests."""

from __future__ import annotations

import asyncio
from typing import Any

from nightshift.fields import night_of
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from nightshift.local_time import DAY
from nightshift.nights.index import record_published
from tests.unit.lake.conftest import land_night


async def published(
    lake: Lake,
    day: str,
    rows: int,
    *,
    extract: str = "first",
    report: str = "entitlement",
    index: bool = True,
    **spec: Any,
) -> None:
    """Publish a night of so many rows as the task does."""
    page = [{"id": f"{day}-{number}", "value": extract} for number in range(rows)]
    after, hour = night_of(day) + DAY, 12 + (extract != "first")
    manifest = await land_night(
        lake,
        [page],
        night=day,
        extract=extract,
        report=report,
        started=f"{after}T12:00:00+00:00",
        finished=f"{after}T{hour}:10:00+00:00",
    )
    done = await asyncio.to_thread(publish, lake, manifest, PublishSpec(key=("id",), **spec))
    if index:
        await asyncio.to_thread(record_published, lake, "flexnet", report, sorted(done.nights))
