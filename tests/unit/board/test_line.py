"""The press that stops the line: who may, who did, and that no other site can press it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.models.log import Log
from airflow.utils.session import create_session

from nightshift.lake.store import Lake
from nightshift.promotion.holds import every_hold, hold, holds

PRESS = {"x-nightshift-board": "1"}
ASKED = {"application": "portal", "reason": "the <portal> is down", "until": None}


async def test_a_hold_is_put_and_lifted_in_the_persons_own_name(ada: Any, lake: Lake) -> None:
    answer = await ada.post("api/holds", json=ASKED, headers=PRESS)
    assert answer.status_code == 200, answer.text
    line = answer.json()["holds"][0]
    assert (line["application"], line["by"], line["reason"]) == ("portal", "ada", "the <portal> is down")
    assert [one.by for one in await holds(lake, application="portal")] == ["ada"]
    lanes = (await ada.get("api/promotions")).json()["lanes"]
    assert [len(one["holds"]) for one in lanes] == [1, 0]
    call = line["lift"]["calls"][0]
    assert call["path"] == "nightshift/board/api/holds/lift"
    body = {**call["body"], "reason": "it is up"}
    assert (await ada.post("api/holds/lift", json=body, headers=PRESS)).json()["holds"] == []
    found = (await every_hold(lake))[0]
    assert found.lifted is not None
    assert (found.lifted.by, found.lifted.reason) == ("ada", "it is up")


async def test_airflows_own_log_says_who_did_it(ada: Any, lake: Lake) -> None:
    await ada.post("api/holds", json={**ASKED, "reason": "audited"}, headers=PRESS)
    with create_session() as session:
        rows = [
            (one.owner, one.dag_id, json.loads(one.extra or "{}"))
            for one in session.query(Log).filter(Log.event == "nightshift_hold")
        ]
    assert [(owner, dag, extra["application"]) for owner, dag, extra in rows if extra["reason"] == "audited"] == [
        ("ada", "promote_portal", "portal")
    ]


@pytest.mark.parametrize("path", ["holds", "holds/lift"])
async def test_who_may_only_look_may_not_press(eve: Any, lake: Lake, path: str) -> None:
    one = await hold(lake, application="portal", by="ada", reason="x", until=None)
    body = ASKED if path == "holds" else {"id": one.id, "reason": "y"}
    answer = await eve.post(f"api/{path}", json=body, headers=PRESS)
    assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
    assert "Nothing was changed" in answer.json()["detail"]
    assert [(found.id, found.lifted) for found in await every_hold(lake)] == [(one.id, None)]
    presses = (await eve.get("api/holds")).json()["presses"]
    assert [press["allowed"] for press in presses] == [False, False]


async def test_another_teams_application_cannot_be_named(eve: Any, lake: Lake) -> None:
    answer = await eve.post("api/holds", json={**ASKED, "application": "secret_one"}, headers=PRESS)
    assert answer.status_code == 404
    assert await every_hold(lake) == ()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-nightshift-board": "0"},
        {**PRESS, "sec-fetch-site": "cross-site"},
        {**PRESS, "sec-fetch-site": "same-site"},
    ],
)
async def test_no_other_site_can_press(ada: Any, lake: Lake, headers: dict[str, str]) -> None:
    answer = await ada.post("api/holds", json=ASKED, headers=headers)
    assert answer.status_code == 403
    assert await every_hold(lake) == ()


@pytest.mark.parametrize(
    "asked",
    [
        {**ASKED, "reason": ""},
        {**ASKED, "reason": "  "},
        {**ASKED, "until": "2020-01-01T00:00:00Z"},
        {**ASKED, "until": "tomorrow"},
        {**ASKED, "until": "9999-12-31T23:59:59-12:00"},
        {**ASKED, "until": "0001-01-01T00:00:00+14:00"},
        {**ASKED, "by": "grace"},
        [],
    ],
)
async def test_what_makes_no_hold_is_refused(ada: Any, lake: Lake, asked: Any) -> None:
    answer = await ada.post("api/holds", json=asked, headers=PRESS)
    assert answer.status_code == 422
    assert set(answer.json()) == {"status", "title", "detail", "advice"}
    assert await every_hold(lake) == ()


async def test_a_hold_of_all_is_seen_by_all(ada: Any, eve: Any, lake: Lake) -> None:
    await ada.post("api/holds", json={**ASKED, "application": None}, headers=PRESS)
    assert [one["application"] for one in (await eve.get("api/holds")).json()["holds"]] == [None]


@pytest.mark.parametrize("reason", ["", "  ", "\x1c\u00a0"])
async def test_a_hold_is_not_lifted_for_no_reason(ada: Any, lake: Lake, reason: str) -> None:
    one = await hold(lake, application="portal", by="ada", reason="x", until=None)
    answer = await ada.post("api/holds/lift", json={"id": one.id, "reason": reason}, headers=PRESS)
    assert (answer.status_code, answer.json()["title"]) == (422, "Not understood")
    assert [found.lifted for found in await every_hold(lake)] == [None]


async def test_lifting_what_is_not_there(ada: Any, lake: Lake) -> None:
    answer = await ada.post("api/holds/lift", json={"id": "../x", "reason": "y"}, headers=PRESS)
    assert answer.status_code == 404
