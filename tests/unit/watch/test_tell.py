"""What a channel is told, and that one that hangs holds up neither the others nor the look."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from include.standins.faults import Fault, FaultKind
from include.standins.webhooks import BEARER, ROUTING_KEY, WebHooksStandIn
from nightshift.config.notify import Channel
from nightshift.lake.store import Lake
from nightshift.watch.incident import Notification, Outcome
from nightshift.watch.incidents import Incidents
from nightshift.watch.tell import AT_ONCE, LATE_NEWS, pending, tell_all
from tests.unit.watch.looks import at
from tests.unit.watch.test_incidents import NOW, incident


@pytest.mark.parametrize(
    ("known", "is_due"),
    [
        ((), True),
        ((Notification(update=1, channel="team", attempts=1, sent=NOW),), False),
        ((Notification(update=1, channel="team", attempts=6, given_up=True),), False),
        ((Notification(update=1, channel="team", attempts=2, error="503"),), True),
        ((Notification(update=1, channel="other", attempts=1, sent=NOW),), True),
    ],
)
def test_what_a_channel_has_to_be_told(known: tuple[Notification, ...], is_due: bool) -> None:
    assert (pending(incident(notified=known), "team", NOW) is not None) is is_due


def test_what_is_over_is_no_news_for_a_channel_that_never_heard_of_it() -> None:
    over = incident(closed=NOW, outcome=Outcome.RESTORED)
    assert pending(over, "team", NOW + LATE_NEWS) is not None
    assert pending(over, "team", at("09:00")) is None
    heard = over.model_copy(update={"notified": (Notification(update=1, channel="team", attempts=1, error="503"),)})
    assert pending(heard, "team", at("09:00")) is not None


async def test_a_channel_that_hangs_is_left_for_the_next_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.from_url(str(tmp_path / "lake"))
    many = [incident(report=f"flexnet/r{number:02}") for number in range(3 * AT_ONCE)]
    for one in many:
        await Incidents(lake).write(one)
    with WebHooksStandIn() as hooks:
        pager = {"conn_type": "http", "host": hooks.url, "password": ROUTING_KEY}
        ours = {"conn_type": "http", "host": f"{hooks.url}/receiver", "password": BEARER}
        monkeypatch.setenv("AIRFLOW_CONN_PAGER", json.dumps(pager))
        monkeypatch.setenv("AIRFLOW_CONN_OURS", json.dumps(ours))
        hooks.faults.add(Fault(kind=FaultKind.HOLD, path="/v2/", times=None))
        channels = {
            "pager": Channel(to="pagerduty", connection="pager"),
            "ours": Channel(to="webhook", connection="ours"),
        }
        began = time.monotonic()
        told = await tell_all(Incidents(lake), many, channels, NOW, seconds=1.5)
        took = time.monotonic() - began
        hooks.release()
    assert sum(one.sent is not None for one in told if one.channel == "ours") == len(many)
    hung = [one for one in told if one.channel == "pager"]
    assert 1 <= len(hung) <= 2 * AT_ONCE
    assert all("no answer within 1.5 s" in one.error for one in hung)
    assert took < 20
    kept = (await Incidents(lake).read()).incidents
    assert sum(any(one.channel == "pager" for one in each.notified) for each in kept) == len(hung)
