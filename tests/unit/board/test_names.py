"""Of an application whose DAG a person may not read no part of the board tells the name, nor what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.lake.store import Lake
from nightshift.watch.incident import Dependents, Incident, IncidentKind, Member, Subject
from nightshift.watch.incidents import Incidents
from tests.unit.board.conftest import PROMOTIONS

NOW = datetime.now(UTC)
TODAY, SOON = (f"{NOW + timedelta(days=days):%Y-%m-%d}" for days in (0, 3))
NIGHT = f"{NOW - timedelta(days=2):%Y-%m-%d}"
FREEZES = f"""
freezes:
  - {{name: moon, reason: takeover of Lunar, timezone: UTC, from: {TODAY}, to: {SOON}, applications: [secret_one]}}
  - {{name: both, reason: audit, timezone: UTC, from: {TODAY}, to: {SOON}, applications: [portal, secret_one]}}
  - {{name: all, reason: year end, timezone: UTC, from: {TODAY}, to: {SOON}}}
"""
ROUTES = (
    *("overview", "nights?count=3", f"nights/flexnet/usage/{NIGHT}", "promotions", "promotions/portal", "figures"),
    *("jobs", "connections", "incidents", "holds"),
)


@pytest.fixture
async def incident(lake: Lake) -> None:
    one = Incident(
        id=f"{NIGHT}.flexnet.usage.absent",
        subject=Subject(kind="report", name="flexnet/usage"),
        night=NIGHT,
        members=(Member(report="flexnet/usage", kind=IncidentKind.MISSING, since=NOW),),
        depends=Dependents(tables=("flexnet/usage",), promotions=("gone_one", "portal", "secret_one")),
        opened=NOW,
    )
    assert await Incidents(lake).write(one)


async def test_no_part_tells_the_name_of_an_application_that_a_person_may_not_see(
    ada: Any, eve: Any, config: Path, incident: None
) -> None:
    (config / "promotions.yaml").write_text(PROMOTIONS + FREEZES)
    for route in ROUTES:
        told = (await eve.get(f"api/{route}")).text
        assert not [one for one in ("secret_one", "Lunar", "moon", "gone_one") if one in told], route
    for client, applications, freezes in (
        (
            ada,
            ["portal", "secret_one"],
            {"moon": "takeover of Lunar (secret_one)", "both": "audit (portal, secret_one)"},
        ),
        (eve, ["portal"], {"both": "audit (portal)"}),
    ):
        grid = (await client.get("api/nights?count=3")).json()
        waiting = {row["report"]: row["waited_for_by"] for row in grid["reports"] if row["source"] == "flexnet"}
        assert waiting == {"entitlement": applications, "usage": applications}
        assert (await client.get(f"api/nights/flexnet/usage/{NIGHT}")).json()["depends"] == applications
        lanes = (await client.get("api/promotions")).json()
        assert {one["name"]: one["text"] for one in lanes["freezes"]} == {**freezes, "all": "year end"}
        own = (await client.get("api/promotions/portal")).json()["lane"]["freezes"]
        assert {one["name"]: one["text"] for one in own} == {"both": freezes["both"], "all": "year end"}
    for client, others in ((ada, ["gone_one", "portal", "secret_one"]), (eve, ["portal"])):
        [line] = (await client.get("api/incidents")).json()["incidents"]
        assert line["depends"] == ["flexnet/usage", *others]


async def test_why_nobody_knows_what_is_frozen_is_told_to_who_may_see_whom_it_names(
    ada: Any, eve: Any, config: Path, lake: Lake
) -> None:
    (config / "promotions.yaml").write_text(PROMOTIONS + FREEZES.replace("[portal, secret_one]", "[secret_two]"))
    for client, is_told in ((ada, True), (eve, False)):
        for route in ("promotions", "promotions/portal"):
            troubles = (await client.get(f"api/{route}")).json()["troubles"]
            [text] = [one["text"] for one in troubles if one["of"] == "freezes"]
            assert "nothing is brought to any stage" in text
            assert ("secret" in text) is is_told, route
