"""What one promotion built, brought to its stages and got through them: pure, told from its record."""

from __future__ import annotations

from collections.abc import Iterator

from nightshift.promotion.record import CHANGES_A_STAGE, Kind, Record, Running, State, Step, Version

_BACK = frozenset({Kind.ROLL_BACK, Kind.ROLL_BACK_APPROVAL})


def deployed(record: Record) -> dict[str, Running]:
    """Return stage → what this promotion brought there last."""
    found: dict[str, Running] = {}
    for step in record.steps:
        if step.kind in CHANGES_A_STAGE and step.state is State.DONE and step.stage and step.version and step.ended:
            was = found.get(step.stage)
            if was is None or was.since <= step.ended:
                found[step.stage] = Running(version=step.version, since=step.ended, run_id=record.run_id)
    return found


def passed(record: Record) -> Iterator[tuple[str, Version]]:
    """Yield stage and version where a version got through the stage: deployed, and nothing else of the stage failed since."""
    bad = {
        step.stage for step in record.steps if step.state in (State.STARTED, State.FAILED) and step.kind not in _BACK
    }
    for step in record.steps_of(CHANGES_A_STAGE):
        if step.state is State.DONE and step.stage and step.version and (step.kind in _BACK or step.stage not in bad):
            yield step.stage, step.version


def built(record: Record) -> Version | None:
    """Return the version that this promotion built itself."""
    step = build_of(record)
    return None if step is None else step.version


def build_of(record: Record) -> Step | None:
    """Return the step that built the version of this promotion."""
    done = (step for step in record.steps_of({Kind.BUILD}) if step.state is State.DONE)
    return next((step for step in done if step.version is not None), None)
