"""The form of a promotion in the Airflow UI, and what a person asked for with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from airflow.sdk import Param

FORM = (
    "force_build",
    "version_id",
    "from_stage",
    "to_stage",
    "change_tickets",
    "related_tickets",
    "inputs",
    "build_inputs",
    "emergency",
    "dry_run",
    "night",
)


LONGEST = 1000
"""Characters of a text of the form, at most: a question shows all of it."""


def promotion_form(application: str, stages: Sequence[str]) -> dict[str, Param]:
    """Return the form of an application."""
    board = f"plugin/nightshift?view=promotions&application={application}"
    return {
        "version_id": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Version",
            description_md="Promote this version (FlexDeploy's projectVersionId) instead of building one. "
            f"[What runs where now]({board})",
        ),
        "force_build": Param(
            False, type=["null", "boolean"], title="Force build", description="Build even where nothing has changed."
        ),
        "from_stage": _stage(stages, "From stage", "the first one", "Begin here; needs a Version."),
        "to_stage": _stage(stages, "To stage", "the last one", "Stop after this one."),
        "change_tickets": _texts(
            "Change tickets", "Ticket numbers of the change management system, for the deployments."
        ),
        "related_tickets": _texts("Issue tickets", "Tickets of the issue tracker, for the build."),
        "inputs": _pairs(
            "Inputs", "Workflow inputs of the deployments, code → value; they win over the configured ones."
        ),
        "build_inputs": _pairs("Build inputs", "Workflow inputs of the build, code → value."),
        "emergency": Param(
            None,
            type=["null", "string"],
            maxLength=LONGEST,
            title="Emergency",
            description="The reason why From stage takes a Version that has not got through the stage before it, or "
            "whose verification was revoked. It is shown in every question, and kept. It overrides no freeze and "
            "lifts no hold. Empty: no stage gets such a version.",
        ),
        "dry_run": Param(
            False,
            type=["null", "boolean"],
            title="Dry run",
            description="Only say what would be built and deployed where; FlexDeploy is only asked whether it has "
            "what is named.",
        ),
        "night": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Night",
            description="Only if all reports that the application depends on are published for this night. Empty: the "
            "run's partition key, else whatever is published.",
        ),
    }


def _stage(stages: Sequence[str], title: str, nothing: str, description: str) -> Param:
    return Param(
        None,
        type=["null", "string"],
        enum=[None, *stages],
        values_display={"null": nothing},
        title=title,
        description=description,
    )


def _texts(title: str, description: str) -> Param:
    return Param(None, type=["null", "array"], items={"type": "string"}, title=title, description=description)


def _pairs(title: str, description: str) -> Param:
    return Param(
        None, type=["null", "object"], additionalProperties={"type": "string"}, title=title, description=description
    )


class PromotionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a person asked for; a run of the nights themselves asks for nothing special.

    :param version_id: version to promote instead of a new one
    :param force_build: build even where nothing has changed
    :param emergency: why the first stage takes a version that has not run in the stage before it
    :param night: the night, where the run has no partition key
    """

    version_id: int | None = None
    force_build: bool = False
    from_stage: str | None = None
    to_stage: str | None = None
    change_tickets: tuple[str, ...] = ()
    related_tickets: tuple[str, ...] = ()
    inputs: dict[str, str] = {}
    build_inputs: dict[str, str] = {}
    emergency: str | None = None
    dry_run: bool = False
    night: str | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> PromotionRequest:
        """Read the form of a run.

        :raises ValueError: a field has a value that it cannot have
        """
        given = {name: params[name] for name in FORM if params.get(name) not in (None, "", [], {}, False)}
        try:
            return msgspec.convert(given, cls)
        except msgspec.ValidationError as error:
            raise ValueError(f"The form cannot be read: {error}") from None

    def as_json(self) -> dict[str, Any]:
        """Return the fields that were filled in."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def stages_of(self, all_stages: Sequence[str]) -> tuple[str, ...]:
        """Return the stages from the first to the last one that was asked for.

        :raises ValueError: there is no such stage, or the last comes before the first
        """
        for name in (self.from_stage, self.to_stage):
            if name is not None and name not in all_stages:
                raise ValueError(f"There is no stage {name!r}. The stages: {', '.join(all_stages)}.")
        first = all_stages.index(self.from_stage) if self.from_stage else 0
        last = all_stages.index(self.to_stage) if self.to_stage else len(all_stages) - 1
        if last < first:
            raise ValueError(f"To stage ({self.to_stage}) comes before From stage ({self.from_stage}).")
        return tuple(all_stages[first : last + 1])

    def check(self) -> None:
        """Refuse what contradicts itself.

        :raises ValueError: says what to do
        """
        if self.version_id is not None and self.force_build:
            raise ValueError(
                "Force build and a Version exclude each other: a given version is not built. Give one of the two."
            )
        if self.version_id is not None and (self.build_inputs or self.related_tickets):
            raise ValueError(
                "Build inputs and issue tickets belong to a build, but a Version was given. Leave them empty."
            )
        if self.emergency is not None and (self.from_stage is None or not self.emergency.strip()):
            raise ValueError(
                "An emergency lets From stage take a Version that has not run in the stage before it. Give From "
                "stage, Version and the reason, or leave Emergency empty."
            )
        for text in (
            *self.change_tickets,
            *self.related_tickets,
            *_texts_of(self.inputs),
            *_texts_of(self.build_inputs),
        ):
            if len(text) > LONGEST:
                raise ValueError(
                    f"{text[:40]!r}… has {len(text)} characters; a text of the form may have {LONGEST}, so that a "
                    "question can show it."
                )
        if self.from_stage is not None and self.version_id is None:
            raise ValueError(
                "From stage needs a Version: what is built now has not been through the stages before. Give the "
                "version that has."
            )


def _texts_of(pairs: Mapping[str, str]) -> tuple[str, ...]:
    return (*pairs, *pairs.values())


def night_of(partition_key: str | None, request: PromotionRequest) -> str | None:
    """Return the night of a run; ``None``: it has none.

    :raises ValueError: the form contradicts the partition key, or names no day
    """
    if partition_key and request.night not in (None, partition_key):
        raise ValueError(
            f"The run's partition key is {partition_key} but the form says night {request.night}; give one of the two."
        )
    night = partition_key or request.night
    if night is None:
        return None
    try:
        return date.fromisoformat(night).isoformat()
    except ValueError:
        raise ValueError(f"{night!r} is not a night; give a day as YYYY-MM-DD.") from None
