"""What changed in the vendor's data model since the table and the last night before, told before a night is published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from nightshift.lake.columns import drift
from nightshift.lake.landing import Landing
from nightshift.nights.bounds import DAY

if TYPE_CHECKING:
    from nightshift.lake.landing import Manifest
    from nightshift.lake.spec import Column, PublishSpec
    from nightshift.lake.store import Lake

NIGHTS_LOOKED_BACK = 7


def new_columns(lake: Lake, manifest: Manifest, spec: PublishSpec, say: Callable[[str], None]) -> tuple[str, ...]:
    """Return the columns that neither the table nor the last night before has; none where the vendor names no columns.

    :param lake: where landing and tables are
    :param manifest: the extract that is to be published
    :param spec: how it is published
    :param say: takes a line about what changed
    :raises SchemaDrift: a column is lost or changes its type, and ``schema_rules`` do not allow it; names each, and the key
        of the configuration that allows it
    """
    from nightshift.lake.tables import SchemaDrift, table_schema

    report = f"{manifest.source}/{manifest.report}"
    if manifest.model is None:
        say(f"The vendor names no columns of {report}; its rows are watched as they are read")
        return ()
    table = table_schema(lake, manifest.source, manifest.report)
    found = drift(manifest.model, asyncio.run(_model_before(lake, manifest)), table, spec)
    if not found.ok:
        raise SchemaDrift(f"{report}, night {manifest.night}: {found.text}")
    say(found.text)
    return found.added


async def _model_before(lake: Lake, manifest: Manifest) -> list[Column] | None:
    night = date.fromisoformat(manifest.night)
    for days in range(1, NIGHTS_LOOKED_BACK + 1):
        before = await Landing(lake, manifest.source, manifest.report, (night - days * DAY).isoformat()).latest()
        if before is not None and before.model is not None:
            return before.model
    return None
