"""Small nights that are landed and published as a nightly run does it, for tests of what depends on them."""

from __future__ import annotations

import asyncio
import json

from nightshift.lake.landing import Landing
from nightshift.lake.manifest import Manifest
from nightshift.lake.spec import Checks, PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import Published, publish


async def land(lake: Lake, report: str, night: str, *, rows: int = 12, extract: str = "first") -> Manifest:
    """Land a night of a report.

    :param report: ``<source>/<report>``
    """
    source, _, name = report.partition("/")
    folder = Landing(lake, source, name, night).extract(extract)
    page = json.dumps({"header": {"nextPageURL": None}, "data": [{"id": number} for number in range(rows)]}).encode()
    at = f"{night}T23:00:0{len(extract) % 10}+00:00"
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
    )
    await folder.complete(manifest)
    return manifest


def publish_night(lake: Lake, report: str, night: str, *, rows: int = 12, extract: str = "first") -> Published:
    """Land a night of a report and publish it."""
    manifest = asyncio.run(land(lake, report, night, rows=rows, extract=extract))
    return publish(lake, manifest, PublishSpec(key=("id",), checks=Checks(not_empty=True)))
