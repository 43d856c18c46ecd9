"""Incidents on the board: what the watch has written, and what of it cannot be read, for who may see what it is of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nightshift.board.models import BoardPart, IncidentsAnswer, Overview
from nightshift.lake.store import Lake
from nightshift.watch.incident import Incident, IncidentKind, Member, Subject
from nightshift.watch.incidents import Incidents
from nightshift.watch.memory import Memory, Unseen

NOW = datetime.now(UTC)
NIGHT = (NOW.date() - timedelta(days=2)).isoformat()


async def incidents(client: Any) -> IncidentsAnswer:
    answer = await client.get("api/incidents")
    assert answer.status_code == 200, answer.text
    return IncidentsAnswer.model_validate_json(answer.content)


async def opened(lake: Lake, report: str) -> Incident:
    one = Incident(
        id=f"{NIGHT}.{report.replace('/', '.')}.absent",
        subject=Subject(kind="report", name=report),
        night=NIGHT,
        members=(Member(report=report, kind=IncidentKind.MISSING, since=NOW),),
        opened=NOW,
    )
    assert await Incidents(lake).write(one)
    return one


async def test_an_incident_that_cannot_be_read_is_told_to_who_may_see_what_it_is_of(
    ada: Any, eve: Any, lake: Lake, tmp_path: Path
) -> None:
    folder = tmp_path / "lake" / "incidents"
    readable = await opened(lake, "flexnet/entitlement")
    for report in ("flexnet/usage", "camunda_optimize/secret"):
        one = await opened(lake, report)
        (folder / one.id / "r000001.json").write_text(one.model_dump_json().replace('"missing"', '"abducted"'))
    (folder / "stray").mkdir()
    (folder / "stray" / "r000001.json").write_text("{")
    names = [f"incidents/{NIGHT}.{one}.absent" for one in ("camunda_optimize.secret", "flexnet.usage")]
    for client, told in ((ada, [*names, "incidents/stray"]), (eve, [names[1], "incidents/stray"])):
        found = await incidents(client)
        assert [one.id for one in found.incidents] == [readable.id]
        assert [(one.part, one.of) for one in found.troubles] == [(BoardPart.INCIDENTS, of) for of in told]
        assert all("it cannot be read (" in one.text and "remove the folder" in one.text for one in found.troubles)
        first = Overview.model_validate_json((await client.get("api/overview")).content)
        assert {one.of for one in first.troubles if one.part is BoardPart.INCIDENTS} == set(told)


async def test_what_the_last_look_could_not_see_is_told(ada: Any, eve: Any, lake: Lake, tmp_path: Path) -> None:
    await Memory(lake).looked("dag", NOW - timedelta(minutes=5), [Unseen(of="flexnet/usage", why="an older look")])
    assert (await incidents(ada)).troubles[0].text == "At the last look of the watch: an older look"
    seen = ("flexnet/usage", "camunda_optimize/secret", "reports.yaml", "exago")
    await Memory(lake).looked("command", NOW, [Unseen(of=of, why="it cannot be read") for of in seen])
    for client, told in ((ada, sorted(seen)), (eve, ["exago", "flexnet/usage", "reports.yaml"])):
        found = await incidents(client)
        assert found.watched == NOW
        assert [one.of for one in found.troubles] == told
        assert {one.text for one in found.troubles} == {"At the last look of the watch: it cannot be read"}
    await Memory(lake).looked("dag", NOW + timedelta(minutes=5))
    assert (await incidents(ada)).troubles == ()


async def test_open_incidents_of_a_section_that_is_gone_are_shown_as_before(ada: Any, lake: Lake, config: Path) -> None:
    one = await opened(lake, "flexnet/usage")
    text = (config / "reports.yaml").read_text()
    (config / "reports.yaml").write_text(text[text.index("camunda_optimize") :])
    found = await incidents(ada)
    assert [each.id for each in found.incidents] == [one.id]
    await Memory(lake).looked("dag", NOW, [Unseen(of="flexnet/usage", why="x"), Unseen(of="flexnet", why="is gone")])
    troubles = [each.of for each in (await incidents(ada)).troubles if each.part is BoardPart.INCIDENTS]
    assert troubles == ["flexnet", "flexnet/usage"]
