"""What every test of the lake needs: a lake in a folder, nights landed in it, tables read back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nightshift.lake.landing import Landing, Manifest, VendorTotals
from nightshift.lake.spec import Column
from nightshift.lake.store import Lake

Land = Callable[..., Awaitable[Manifest]]
NIGHT = "2026-11-21"


def json_page(rows: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps({"header": {"nextPageURL": None}, "data": list(rows)}).encode()


async def land_night(
    lake: Lake,
    pages: Sequence[bytes | Sequence[dict[str, Any]]],
    *,
    night: str = NIGHT,
    extract: str = "first",
    report: str = "entitlement",
    counts: Sequence[int] | None = None,
    totals: tuple[int | None, int | None] = (None, None),
    model: dict[str, str] | None = None,
    format: str = "json",  # noqa: A002 - the word of the manifest
    started: str | None = None,
    finished: str | None = None,
) -> Manifest:
    folder = Landing(lake, "flexnet", report, night).extract(extract)
    entries = []
    for number, page in enumerate(pages, 1):
        body = page if isinstance(page, bytes) else json_page(page)
        rows = counts[number - 1] if counts else len(page)
        entries.append(await folder.write(number, body, rows))
    manifest = Manifest.of(
        entries,
        source="flexnet",
        report=report,
        night=night,
        extract=extract,
        connection="flexnet_default",
        attempt=1,
        started=started or f"{night}T01:00:00+00:00",
        finished=finished or f"{night}T01:10:00+00:00",
        format=format,
        vendor_totals=VendorTotals(rows=totals[0], pages=totals[1]),
        model=None if model is None else [Column(name=name, type=kind) for name, kind in model.items()],
    )
    await folder.complete(manifest)
    return manifest


def read_table(lake: Lake, report: str = "entitlement", version: int | None = None) -> list[dict[str, Any]]:
    """Read a table with a reader that is not ours."""
    from deltalake import DeltaTable

    table = DeltaTable(lake.table_url("flexnet", report), version=version, storage_options=lake.table_options())
    return pa.table(table.to_pyarrow_table()).to_pylist()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.from_url(str(tmp_path / "lake"))
