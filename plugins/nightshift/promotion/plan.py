"""What a promotion is to do: in words, and what of it FlexDeploy has to have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nightshift.config.scalars import duration_text
from nightshift.flexdeploy.lookup import Wanted
from nightshift.promotion.doubts import Doubt
from nightshift.promotion.form import PromotionRequest
from nightshift.promotion.record import PromotionRecord, Running, Version
from nightshift.promotion.rules.progress import stage_lines

if TYPE_CHECKING:
    from nightshift.config.promotions import Application
    from nightshift.config.stages import Stage


def plan_of(
    config: Application,
    request: PromotionRequest,
    record: PromotionRecord,
    before: Mapping[str, Running | None],
    doubts: Mapping[str, Doubt],
) -> tuple[str, ...]:
    """Return what is to be done, a line each, and what runs where now.

    :param before: stage → what runs there
    :param doubts: stage → what is not known to have ended well there
    """
    lines = [f"EMERGENCY: {request.emergency}"] if request.emergency else []
    if request.version_id is None:
        forced = ", even without changes" if request.force_build or config.build.force else ""
        lines.append(f"build {config.named} in {config.build.label}{forced}")
    lines += [
        _stage_plan(stage, record.version, is_doubted=stage.label in doubts)
        for stage in config.stages
        if stage.label in record.stages
    ]
    return (*lines, *(f"now in {line}" for line in stage_lines(record, before, doubts)))


def wanted_of(config: Application, record: PromotionRecord) -> list[Wanted]:
    """Return what the steps of a promotion name at FlexDeploy."""
    project = _one(config.what)
    found = []
    if record.version is None:
        stream = _one(config.on_stream)
        found.append(Wanted(at="build", project=project, environment=_one(config.build.where), stream=stream))
    for stage in config.stages:
        if stage.label in record.stages:
            found.append(
                Wanted(
                    at=stage.label, project=project, environment=_one(stage.where), instances=tuple(stage.instance_ids)
                )
            )
            found += [
                Wanted(
                    at=f"{stage.label}.{step.name}",
                    project=_one(step.what),
                    environment=_one(step.where or stage.where),
                    instances=tuple(step.instance_ids),
                    utility=True,
                )
                for step in (*stage.before, *stage.after, *(stage.verify.utilities if stage.verify else ()))
            ]
    return found


def _one(parameter: Mapping[str, Any]) -> Any:
    return next(iter(parameter.values()))


def _stage_plan(stage: Stage, version: Version | None, *, is_doubted: bool) -> str:
    """Return what a stage is to go through, in one line.

    :param is_doubted: nobody knows what runs there
    """
    parts = [f"approval by {stage.approval.words}"] if stage.approval else []
    if stage.window:
        days = f" on {', '.join(stage.window.days)}" if stage.window.days else ""
        parts.append(f"window {stage.window.opens} to {stage.window.closes} {stage.window.timezone}{days}")
    parts += [f"run {step.name}" for step in stage.before]
    parts.append(f"deploy {version or 'what is built'}{' even where it is there already' if is_doubted else ''}")
    parts += [f"run {step.name}" for step in stage.after]
    checks = ", ".join(stage.verify.names) if stage.verify else ""
    parts += [f"verify by {checks}"] if checks else []
    if stage.soak is not None:
        parts.append(f"soak {duration_text(stage.soak)}{', verify again' if checks else ''}")
    if stage.exago:
        parts.append(f"Exago folder {stage.exago.candidate} to {stage.exago.live}")
    return f"{stage.label}: {', '.join(parts)}"
