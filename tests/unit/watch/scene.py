"""What a watch finds in a lake, and what it sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from include.standins.webhooks import WebHooksStandIn
from nightshift.lake.store import Lake
from nightshift.nights.cells import FailureKind, NightFailure
from nightshift.nights.index import record_failure, record_published
from nightshift.watch.once import WatchResult
from tests.published import publish_night
from tests.unit.watch.looks import NIGHT, at

Look = Callable[..., WatchResult]
KNOWN = "flexnet: {due: '06:00', reports: [{name: usage}]}\n"


def publish(lake: Lake, report: str, night: str = NIGHT, **more: Any) -> None:
    publish_night(lake, report, night, **more)
    source, _, name = report.partition("/")
    record_published(lake, source, name, [night])


def fail(lake: Lake, report: str, kind: FailureKind, text: str, when: str) -> None:
    source, _, name = report.partition("/")
    record_failure(lake, source, name, NIGHT, NightFailure(kind=kind, text=text, at=at(when).isoformat()))


def events(hooks: WebHooksStandIn) -> list[tuple[str, str]]:
    return [(one["event_action"], one["payload"]["summary"]) for one in hooks.took("pagerduty")]
