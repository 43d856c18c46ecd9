"""Small nights that are landed and published as a nightly run does it, for tests of what depends on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import date

from nightshift.fields import night_of
from nightshift.lake.delta import table_schema
from nightshift.lake.extract import Manifest
from nightshift.lake.landing import Landing
from nightshift.lake.published import Published
from nightshift.lake.spec import Checks, PublishSpec, SchemaRules
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from nightshift.local_time import DAY


async def land(
    lake: Lake,
    report: str,
    night: str,
    *,
    rows: int = 12,
    extract: str = "first",
    key: str = "id",
    began: date | None = None,
    notes: Mapping[str, str | int] | None = None,
) -> Manifest:
    """Land a night of a report.

    :param report: ``<source>/<report>``
    :param key: its only column
    :param began: the day in whose last hour it was extracted, UTC; default: the day after the night
    """
    source, _, name = report.partition("/")
    folder = Landing(lake, source, name, night).extract(extract)
    page = json.dumps(
        {"header": {"nextPageURL": None}, "data": [{key: f"{number}"} for number in range(rows)]}
    ).encode()
    at = f"{(began or night_of(night) + DAY).isoformat()}T23:00:0{len(extract) % 10}+00:00"
    manifest = Manifest.of(
        [await folder.write(1, page, rows)],
        source=source,
        report=name,
        night=night,
        extract=extract,
        connection="flexnet_default",
        attempt=1,
        started=at,
        finished=at,
        format="json",
        notes=dict(notes or {}),
    )
    await folder.complete(manifest)
    return manifest


def publish_night(
    lake: Lake,
    report: str,
    night: str,
    *,
    rows: int = 12,
    extract: str = "first",
    key: str = "id",
    began: date | None = None,
) -> Published:
    """Land a night of a report and publish it, into a table that may have more columns."""
    manifest = asyncio.run(land(lake, report, night, rows=rows, extract=extract, key=key, began=began))
    others = [column.name for column in table_schema(lake, manifest.source, manifest.report) or ()]
    rules = SchemaRules(allow_lost_columns=others)
    return publish(lake, manifest, PublishSpec(key=(key,), checks=Checks(not_empty=True), schema_rules=rules))
