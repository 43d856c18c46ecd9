"""The world of reports: nights of a FlexNet report, extracted and published side by side into one table.

Promises: the table has exactly the rows that an undisturbed run brings, whatever the order; a newer extract is never
replaced by an older one; green only when the table has the night.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from random import Random
from typing import Any

from include.standins import Fault, FaultKind
from include.standins.flexnet.server import FlexNetStandIn
from include.standins.flexnet.switches import FlexNetSwitches
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.lake.errors import LakeError
from nightshift.lake.landing import Landing
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.nights.publish import PublishNightOperator
from tests.simulation.world.airflow import Airflow
from tests.simulation.world.clock import WorldClock
from tests.simulation.world.harm import Harm
from tests.simulation.world.universe import Broken, Universe

GROUP, KEY = "account", "AccountID"
NIGHTS = ("2026-11-24", "2026-11-25")
FEW, MORE = 7, 9
PAGE = 3
SAME_ROWS = "the table is that of the undisturbed run"
LANDED = "an extract that is complete has all its pages"
GREEN = "green only when the table has the night"
NEWEST = "a newer extract is never replaced by an older one"
_undisturbed: dict[tuple[str, int], dict[str, list[str]]] = {}


def rows_of(lake: Lake) -> dict[str, list[str]]:
    """Return the rows of the table by night, in an order of their own."""
    import deltalake

    found: dict[str, list[str]] = {}
    for row in deltalake.DeltaTable(lake.table_url("flexnet", GROUP)).to_pyarrow_table().to_pylist():
        found.setdefault(str(row["night"]), []).append(json.dumps(row, default=str, sort_keys=True))
    return {night: sorted(rows) for night, rows in found.items()}


class ReportWorld:
    """See the module.

    :param calm: nothing goes wrong, and it is as the other arguments say
    """

    name = "reports"

    def __init__(
        self, universe: Universe, folder: Path, *, calm: bool = False, kind: str = "", rows: int = FEW
    ) -> None:
        self.universe = universe
        self.airflow = Airflow(universe, Random(f"{universe.seed} fates"))
        self.lake = Lake.from_url(str(folder))
        random = universe.random
        self.is_calm = calm
        self.format = kind or random.choice(("json", "json", "csv"))
        self.mode = "interactive" if calm or self.format == "csv" else random.choice(("interactive", "batch"))
        self.nights = NIGHTS if calm else NIGHTS[: random.choice((1, 2, 2))]
        self.again = not calm and random.random() < 0.4
        self.vendor = FlexNetStandIn(seed=7, switches=FlexNetSwitches(rows_a_day={GROUP: rows}))

    async def story(self) -> None:
        """Let it happen."""
        async with self.vendor:
            connection = {
                "conn_type": "flexnet",
                "host": self.vendor.url,
                "login": "nightshift",
                "password": "standin-flexnet",
            }
            os.environ["AIRFLOW_CONN_FLEXNET_DEFAULT"] = json.dumps(connection)
            if not self.is_calm:
                Harm.drawn(self.universe.random).strike(self.universe, self.airflow)
                self._spoil()
            await asyncio.gather(*(self._night(night) for night in self.nights))
            if self.again:
                await self._once_more()
            if not self.is_calm:
                self._judge(MORE if self.again else FEW)

    def _spoil(self) -> None:
        """Let the vendor be wrong a few times, in ways that it gives itself away by."""
        random = self.universe.random
        counted = self.mode == "interactive" and self.format == "json"
        for _ in range(random.choice((0, 0, 1, 2, 3))):
            kinds: list[tuple[Any, dict[str, Any]]] = [
                (FaultKind.STATUS, {"status": random.choice((500, 503, 429))}),
                (FaultKind.HTML_200, {}),
                (FaultKind.TRUNCATED, {"at_bytes": 300}),
                (FaultKind.SHORT_BODY, {"at_bytes": 300}),
            ]
            if counted:
                keep = {"detail": {"keep": random.randrange(PAGE)}}
                kinds += 2 * [("page_cut", keep), ("page_ignored", {}), ("totals_off", {}), ("link_lost", {})]
            kind, given = random.choice(kinds)
            after = random.randrange(1, 8)
            self.vendor.faults.add(Fault(kind=kind, path=f"report/{GROUP}$", after=after, **given))

    def _extract(self, night: str) -> Any:
        return FlexNetExtractOperator(
            task_id="extract",
            report=GROUP,
            night=night,
            mode=self.mode,
            format=self.format,
            page_size=PAGE,
            key=(KEY,),
            date_to="exclusive",
        )

    def _publish(self, extract: dict[str, Any]) -> Any:
        spec = PublishSpec(key=(KEY,)).model_dump(mode="json")
        return PublishNightOperator(task_id="publish", extract=extract, spec=spec, source="flexnet", report=GROUP)

    async def _night(self, night: str) -> None:
        await self._published(night, await self._landed(night))

    async def _landed(self, night: str) -> dict[str, Any]:
        """Extract, and look whether all that the manifest lists is there."""
        extract: dict[str, Any] = await self.airflow.run(f"extract {night}", lambda: self._extract(night))
        landing = Landing(self.lake, "flexnet", GROUP, night)
        try:
            manifest = await landing.manifest(extract["extract"])
            for entry in (one for one in manifest.entries if one.name not in self.universe.store.rotten):
                await landing.extract(extract["extract"]).read(entry.number)
        except LakeError as error:
            raise Broken(LANDED, f"{type(error).__name__}: {error}") from None
        return extract

    async def _published(self, night: str, extract: dict[str, Any], tag: str = "") -> None:
        """Publish; what the landing has lost meanwhile is fetched anew, as a person would have it."""
        for number in range(6):
            name = f"publish {night}{tag}"
            self.airflow.max_tries[name] = self.airflow.tries.get(name, 0) + 6
            outcome = await self.airflow._tried(name, lambda extract=extract: self._publish(extract))
            if outcome.state == "success":
                self._has(night, outcome.value)
                return
            if number == 2:
                self.airflow.calm()
            if type(outcome.value).__name__ in ("Damaged", "NoExtract", "UnreadablePage"):
                extract = await self._landed(night)
        raise Broken("everything ends well", f"publish {night}: {outcome.value}")

    def _has(self, night: str, returned: dict[str, Any]) -> None:
        there = len(rows_of(self.lake).get(night, []))
        if not there or (returned["rows"] != there and not self.again):
            raise Broken(GREEN, f"night {night}: the task says {returned['rows']} rows, the table has {there}")

    async def _once_more(self) -> None:
        """Land the first night again, twice, and publish the two in any order."""
        night = self.nights[0]
        old = await self._landed(night)
        await asyncio.sleep(5.0)
        self.vendor.turn(rows_a_day={GROUP: MORE})
        self.vendor.faults.clear()
        new = await self._landed(night)
        await asyncio.gather(self._published(night, old, " old"), self._published(night, new, " new"))

    def _judge(self, rows: int) -> None:
        found = rows_of(self.lake)
        for night in self.nights:
            wanted = undisturbed(self.format, rows if night == self.nights[0] else FEW)[night]
            if found.get(night, []) != wanted:
                promise = NEWEST if self.again and night == self.nights[0] else SAME_ROWS
                raise Broken(promise, f"night {night} has {len(found.get(night, []))} rows, {len(wanted)} are right")


def undisturbed(kind: str, rows: int) -> dict[str, list[str]]:
    """Return what an undisturbed run brings; made before, see :func:`prepare`."""
    return _undisturbed[kind, rows]


def prepare(clock: WorldClock, folder: Path) -> None:
    """Let the undisturbed runs happen, once in a process of the operating system."""
    for kind in ("json", "csv"):
        for rows in (FEW, MORE):
            lake = folder / f"undisturbed-{kind}-{rows}"
            os.environ["NIGHTSHIFT_LAKE"] = str(lake)
            universe = Universe(0, clock)
            universe.run(ReportWorld(universe, lake, calm=True, kind=kind, rows=rows).story(), within=86400.0)
            _undisturbed[kind, rows] = rows_of(Lake.from_url(str(lake)))
