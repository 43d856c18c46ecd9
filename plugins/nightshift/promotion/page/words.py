"""Times, tones and short texts that the page and the image share."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from nightshift.promotion.record import PromotionOutcome, PromotionRecord, PromotionStep, StepState

DAG = "promote_"
_GOOD = frozenset({PromotionOutcome.PROMOTED, StepState.DONE})
_BAD = frozenset(
    {
        PromotionOutcome.FAILED,
        PromotionOutcome.ABANDONED,
        PromotionOutcome.ROLLED_BACK,
        PromotionOutcome.REJECTED,
        StepState.FAILED,
        StepState.REJECTED,
    }
)
_DETAIL = 600


def dag_of(application: str) -> str:
    """Return the id of an application's DAG."""
    return f"{DAG}{application}"


def when(at: datetime) -> str:
    """Return a time for people."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def tone(word: str | None) -> str:
    """Return the tone of an outcome or a state: ``good``, ``bad``, ``busy`` or ``none``."""
    if word is None or word == StepState.STARTED:
        return "busy"
    return "good" if word in _GOOD else "bad" if word in _BAD else "none"


def plain(word: str) -> str:
    """Return an outcome, a state or a kind as words."""
    return word.replace("_", " ")


def where_it_is(record: PromotionRecord) -> str:
    """Return what a promotion that is underway does now."""
    busy = [step for step in record.steps if step.state is StepState.STARTED]
    if busy:
        return "; ".join(_doing(step) for step in busy)
    if record.turn is None:
        return f"waits for its turn since {when(record.opened)}"
    if record.steps:
        return f"after {record.steps[-1].task} ({plain(record.steps[-1].state)})"
    return f"begun {when(record.opened)}"


def run_link(dag_id: str, run_id: str) -> str:
    """Return a run's page in the Airflow UI, relative to our pages."""
    return f"../../dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


def web_link(url: str | None) -> str | None:
    """Return a link if it leads to a web page; nothing else may be clicked."""
    try:
        return url if url and urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None


def brief(text: str) -> str:
    """Return a text, cut where it would fill the page."""
    return text if len(text) <= _DETAIL else f"{text[: _DETAIL - 1]}…"


def _doing(step: PromotionStep) -> str:
    which = f" {step.version}" if step.version else ""
    again = f", attempt {step.attempt}" if step.attempt > 1 else ""
    return f"{step.task}{which} since {when(step.started)}{again}"
