"""Looks at nights, and what is known of them, in few words, for tables of tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from nightshift.config.due import Due
from nightshift.watch.decide import NightSeen, Observed, Reason
from nightshift.watch.expected import ExpectedNight, WatchedReport

NIGHT = "2026-11-27"


def at(text: str) -> datetime:
    """``06:05`` of the day after the night, or a whole moment; UTC."""
    return datetime.fromisoformat(text if "T" in text else f"2026-11-28T{text}").replace(tzinfo=UTC)


def report(name: str, due: str | None = "06:00", **more) -> WatchedReport:
    source, _, short = name.partition("/")
    return WatchedReport(
        source=source,
        name=short,
        timezone=more.pop("timezone", "UTC"),
        due=Due(due, "UTC") if due else None,
        since=more.pop("since", None),
        dag_id=f"{source}_reports",
        group=short,
    )


def nights(*names: str, night: str = NIGHT, due: str | None = "06:00") -> list[ExpectedNight]:
    return [ExpectedNight(report(name), night, at(due) if due else None) for name in names]


def look(
    now: str,
    expected: Sequence[ExpectedNight],
    seen: Mapping[str, NightSeen] | None = None,
    reasons: Mapping[str, Reason] | None = None,
    first: str = "2026-11-14",
    promotions: Mapping[str, Sequence[str]] | None = None,
    night: str = NIGHT,
    unjudged: Collection[str] = (),
) -> Observed:
    return Observed(
        now=at(now),
        expected=expected,
        seen={(name, night): one for name, one in (seen or {}).items()},
        reasons={(name, night): one for name, one in (reasons or {}).items()},
        first=first,
        promotions=promotions or {},
        unjudged=unjudged,
    )
