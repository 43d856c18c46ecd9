"""What a process of its own does in the tests of races and crashes of the lake."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from multiprocessing.synchronize import Barrier

from nightshift.lake.landing import Landing
from nightshift.lake.spec import PublishSpec, SchemaRules
from nightshift.lake.store import Lake
from tests.crash.workers import die

SPEC = PublishSpec(key=("id",), schema_rules=SchemaRules(allow_lost_columns=True))


def publish_all(url: str, options: Mapping[str, str] | None, extracts: list[tuple[str, str]], start: Barrier) -> None:
    """Publish extracts one after the other; all processes start at the same moment."""
    from nightshift.lake.tables import publish

    lake = Lake.from_url(url, options)
    manifests = [asyncio.run(Landing(lake, "flexnet", "entitlement", night).manifest(name)) for night, name in extracts]
    start.wait()
    for manifest in manifests:
        publish(lake, manifest, SPEC)


def publish_until(url: str, night: str, extract: str, line: str) -> None:
    """Publish, and die by SIGKILL at the moment that ``line`` begins a line of progress."""
    from nightshift.lake.tables import publish

    def say(text: str) -> None:
        if text.startswith(line):
            die()

    lake = Lake.from_url(url)
    publish(lake, asyncio.run(Landing(lake, "flexnet", "entitlement", night).manifest(extract)), SPEC, say=say)
