"""The records of one application in a folder, each changed last when a test says so."""

from __future__ import annotations

import os
from pathlib import Path

from nightshift.lake.store import Lake
from nightshift.promotion.record import PromotionRecord
from nightshift.promotion.store import Records, object_name
from tests.unit.promotion.records import MINUTE, T, put


class Shelf:
    def __init__(self, path: Path) -> None:
        self.lake = Lake.from_url(str(path))
        self.records = Records(self.lake, "portal")
        self.folder = path / "promotions" / "portal"

    async def put(self, record: PromotionRecord, minute: int) -> None:
        """Write a record as if that had been so many minutes after the first."""
        await put(self.records, record)
        self.touch(record.run_id, minute)

    def touch(self, run_id: str, minute: int) -> None:
        at = (T + minute * MINUTE).timestamp()
        os.utime(self.folder / object_name(run_id), (at, at))

    def damage(self, *run_ids: str) -> None:
        """Spoil records, so that whoever reads one cannot hide it; their times stay."""
        for run_id in run_ids:
            path = self.folder / object_name(run_id)
            at = path.stat().st_mtime
            path.write_text("{")
            os.utime(path, (at, at))
