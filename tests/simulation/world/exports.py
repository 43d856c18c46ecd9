"""The world of exports: two nights' exports of Token Flex, asked for, waited for and brought home, side by side.

Promises: the vendor is asked once for each, unless an earlier request is known to be lost; in the end each task has one
export, and no other of its own is left there; what is landed is the vendor's file to the byte.
"""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import deltalake

from include.standins import Fault, FaultKind
from include.standins.tokenflex import BEARER, TokenFlexStandIn, TokenFlexSwitches, vendor_fault
from include.standins.tokenflex.asked import Asked
from include.standins.tokenflex.exports import Export, Status
from include.standins.tokenflex.table import Source, grouped
from nightshift.lake.errors import LakeError
from nightshift.lake.landing import Landing
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.tokenflex.adapter import TokenFlexExportAdapter
from nightshift.tokenflex.landing_operators import TokenFlexDownloadExportOperator, TokenFlexPublishExportOperator
from nightshift.tokenflex.operators import TokenFlexRequestExportOperator
from nightshift.tokenflex.sensors import TokenFlexExportSensor
from tests.simulation.world.airflow import Airflow
from tests.simulation.world.harm import Harm
from tests.simulation.world.universe import Broken, Universe

CONTRACT = "110000917988"
NIGHTS = ("2026-11-24", "2026-11-25")
ONCE = "an export is asked for once"
TOO_SOON = "what may have been asked for is not asked for again before it must have been seen"
ONE_LEFT = "each task has one export, and no other is left"
BYTES = "what is landed is the vendor's file"
TABLE = "the table has the rows of the vendor's file"
VERDICT = "a wait or a download fails only where the export did"
ASKED = {"fields": ["usageDate", "productName"], "metrics": ["tokensConsumed"]}


_made: dict[tuple[Any, ...], list[list[str]]] = {}


def grouped_once(source: Source, asked: Asked) -> list[list[str]]:
    """Make the rows of a file once in a process: the vendor looks through years of days for them."""
    key = (asked.file_name.split()[1], asked.columns, asked.metrics, source.as_of)
    if key not in _made:
        _made[key] = grouped(source, asked)
    return _made[key]


class ExportWorld:
    """See the module."""

    name = "exports"

    def __init__(self, universe: Universe, folder: Path) -> None:
        self.universe = universe
        random = universe.random
        self.airflow = Airflow(universe, Random(f"{universe.seed} fates"))
        self.lake = Lake.from_url(str(folder))
        self.vendor = TokenFlexStandIn(seed=7, switches=self._switches(random))
        self._spoil()
        self._asked: list[Export] = []
        """All exports that were ever made, also those that are deleted."""
        self._note_asked()
        self._latest = 0.0
        """Seconds by which a request may be late."""
        self._jumps = False
        self.publishes = random.random() < 0.25
        self._waited: dict[str, datetime] = {}
        """Night → when its wait was over, and with it the last look for what an earlier request has become."""
        self.nights = NIGHTS[: random.choice((1, 1, 2))]

    def _switches(self, random: Random) -> TokenFlexSwitches:
        return TokenFlexSwitches(
            processing_seconds=random.choice((0.5, 40.0, 600.0, 4000.0)),
            list_late_seconds=random.choice((0.0, 0.0, 0.0, 20.0, 200.0, 450.0)),
            url_seconds=random.choice((30.0, 300.0)),
            rows_per_day=12,
            users=4,
        )

    def _spoil(self) -> None:
        """Let the vendor do a few times what it may."""
        random, own = self.universe.random, self.vendor.faults
        for _ in range(random.choice((0, 0, 1, 2, 4))):
            match random.choice(("queue", "error", "takes", "late", "link", "file", "cut", "cut", "rate")):
                case "queue":
                    own.add(vendor_fault("queue_full", after=random.randrange(2)))
                case "error":
                    own.add(vendor_fault("export_error", detail={"runs": random.choice((1, 2))}))
                case "takes":
                    own.add(vendor_fault("export_takes", seconds=6000.0))
                case "late":
                    own.add(vendor_fault("list_late", seconds=random.choice((100.0, 500.0))))
                case "link":
                    own.add(vendor_fault(random.choice(("url_expired", "url_dies")), after=random.randrange(2)))
                case "file":
                    kind = random.choice(("range_ignored", "file_replaced"))
                    own.add(vendor_fault(kind, after=random.choice((0, 1, 1, 2))))
                case "rate":
                    own.add(vendor_fault("rate_limited", after=random.randrange(5)))
                case "cut":
                    kind = random.choice((FaultKind.RESET_BODY, FaultKind.SHORT_BODY))
                    own.add(Fault(kind=kind, origin="download", at_bytes=random.randrange(10, 200)))

    def _note_asked(self) -> None:
        add = self.vendor.exports.add

        def noted(*given: Any, **more: Any) -> Export:
            export = add(*given, **more)
            self._asked.append(export)
            return export

        self.vendor.exports.add = noted  # type: ignore[method-assign]  # of this vendor alone

    async def story(self) -> None:
        """Let it happen."""
        async with self.vendor:
            connection = {
                "conn_type": "tokenflex",
                "host": self.vendor.url,
                "login": "nightshift",
                "password": "standin-tokenflex",
                "extra": {"auth": "bearer", "token": BEARER, "requests_per_minute": 30},
            }
            os.environ["AIRFLOW_CONN_TOKENFLEX_DEFAULT"] = json.dumps(connection)
            harm = Harm.drawn(self.universe.random)
            harm.strike(self.universe, self.airflow)
            self._latest, self._jumps = harm.weather.late, bool(harm.fates.jump)
            await asyncio.gather(*(self._night(night) for night in self.nights))
            self.airflow.calm()
            await asyncio.sleep(3600.0)
            self._judge()

    async def _night(self, night: str) -> None:
        asked = {"contract": CONTRACT, "night": night, "look_back": 0, **ASKED}

        def task(kind: Callable[..., Any], name: str, **given: Any) -> Callable[[], Any]:
            def make() -> Any:
                return kind(task_id=name.replace(" ", "_"), **given)

            return make

        name = f"request {night}"
        made = await self.airflow.run(
            name,
            task(TokenFlexRequestExportOperator, name, categories=["DESKTOP_PRODUCT"], file_name="usage", **asked),
            retries=12,
        )
        key = made["request_key"]
        name = f"wait {night}"
        await self.airflow.run(
            name,
            task(TokenFlexExportSensor, name, contract=CONTRACT, request_key=key, requested_by=f"request {night}"),
        )
        self._waited[night] = self.vendor.now()
        name = f"download {night}"
        download = task(TokenFlexDownloadExportOperator, name, request_key=key, report="usage", **asked)
        extract = await self.airflow.run(name, download)
        if not await self._compare(extract, key):
            self.airflow.calm()
            extract = await self.airflow.run(name, download)
            await self._compare(extract, key)
        if self.publishes:
            await self._published(night, extract, key, task)

    async def _compare(self, extract: dict[str, Any], key: str) -> bool:
        """Compare what is landed with the vendor's file; false where the store has let a page rot."""
        if key not in {one.key for one in self.vendor.exports.all()}:
            raise Broken(ONE_LEFT, f"the export of {extract['night']} was downloaded and is there no more")
        landing = Landing(self.lake, "tokenflex", "usage", extract["night"])
        try:
            manifest = await landing.manifest(extract["extract"])
            folder = landing.extract(extract["extract"])
            landed = b"".join([await folder.read(entry.number) for entry in manifest.entries])
        except LakeError as error:
            raise Broken(BYTES, f"{type(error).__name__}: {error}") from None
        if landed == self.vendor.file_of(key):
            return True
        if not self.universe.store.rotten:
            raise Broken(BYTES, f"landed are {landed[:99]!r}, and the file is {self.vendor.file_of(key)[:99]!r}")
        return False

    async def _published(self, night: str, extract: dict[str, Any], key: str, task: Callable[..., Any]) -> None:
        """Publish, and compare the table with the file."""
        spec = PublishSpec(key=("productName",), night_column="usageDate", nights=(night,)).model_dump(mode="json")
        name = f"publish {night}"
        make = task(TokenFlexPublishExportOperator, name, extract=extract, spec=spec, report="usage")
        await self.airflow.run(name, make, retries=6)
        table = deltalake.DeltaTable(self.lake.table_url("tokenflex", "usage")).to_pyarrow_table()
        rows = [row for row in table.to_pylist() if str(row["night"]) == night]
        found = sorted((row["productName"], float(row["tokensConsumed"])) for row in rows)
        lines = list(csv.DictReader(io.StringIO(self.vendor.file_of(key).decode())))
        wanted = sorted((line["productName"], float(line["tokensConsumed"])) for line in lines)
        if found != wanted:
            raise Broken(TABLE, f"night {night} has {found}, the file {wanted}")

    def _was_listed(self, key: str) -> bool:
        """Whether the vendor's list had an export while its night was looked for."""
        export = next(one for one in self.vendor.exports.all() if one.key == key)
        night = next(one for one in self.nights if one in export.asked.file_name)
        return export.listed is None or export.listed <= self._waited[night]

    def _judge(self) -> None:
        retried = bool(self.vendor.ledger.effects(kind="export_retried"))
        for error in self.airflow.errors:
            words = ("did not end in time", "ended as gone", "is not ready", "ended as")
            if error.startswith(("wait", "download")) and any(word in error for word in words) and not retried:
                raise Broken(VERDICT, error)
        created = self.vendor.ledger.effects(kind="export_created")
        for name, times in Counter(str(one.detail["downloadFileName"]) for one in created).items():
            if times > 1:
                raise Broken(ONCE, f"{name} was asked for {times} times")
        # How long ago something was asked for is told by the clock of a worker.
        if not (retried or self.airflow.cleared or self._jumps):
            self._judge_again()
        # One that the vendor could not make is no export: its task asks for another.
        now = self.vendor.now()
        alive = {
            one.key: one.asked.file_name for one in self.vendor.exports.all() if one.status(now) is not Status.ERROR
        }
        theirs = {self.airflow.xcoms[f"request {night}", "return_value"]["request_key"] for night in self.nights}
        # A clear after a success that Airflow did not hear of makes the export anew, and leaves one whose file is ready.
        left = set() if self.airflow.cleared else {key for key in set(alive) - theirs if self._was_listed(key)}
        if left or not theirs <= set(alive):
            raise Broken(ONE_LEFT, f"there are {sorted(alive.items())}, the tasks have {sorted(theirs)}")

    def _judge_again(self) -> None:
        """Look at each export that was asked for after another one of its task: the first had failed, or was looked for
        as long as the vendor's list may be late.
        """
        looked_for = TokenFlexExportAdapter.settle - self._latest
        for night in self.nights:
            asked = sorted((one for one in self._asked if night in one.asked.file_name), key=lambda one: one.made)
            for before, after in itertools.pairwise(asked):
                seconds = (after.made - before.made).total_seconds()
                if seconds < looked_for and before.status(after.made) is not Status.ERROR:
                    raise Broken(TOO_SOON, f"{after.asked.file_name} {seconds:.0f} s after {before.asked.file_name}")
