"""The words of a promotion's record: how it ended, what a step does, how far it is, and what a check says."""

from __future__ import annotations

from enum import StrEnum


class PromotionOutcome(StrEnum):
    """How a promotion ended."""

    PROMOTED = "promoted"
    NO_CHANGES = "no_changes"
    """Nothing had changed since the last build, so nothing was deployed."""
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    """A newer night took its place."""
    SKIPPED = "skipped"
    """It never began: the night was promoted before, or a newer one was."""
    DRY_RUN = "dry_run"
    ROLLED_BACK = "rolled_back"
    """A stage failed and runs the version from before again."""
    FAILED = "failed"
    ABANDONED = "abandoned"
    """Its run ended in Airflow before it could say how it ended."""


class StepKind(StrEnum):
    """What a step does."""

    BUILD = "build"
    APPROVAL = "approval"
    WINDOW = "window"
    UTILITY = "utility"
    DEPLOY = "deploy"
    FOLDERS = "folders"
    VERIFICATION = "verification"
    """A check of what a stage runs, after its deployment."""
    SOAK = "soak"
    """The time that a version stays in a stage before the next one."""
    SECOND_VERIFICATION = "second_verification"
    """The same checks, once more, after the soak."""
    ROLL_BACK_VERIFICATION = "roll_back_verification"
    """The same checks of what a roll-back brought back."""
    ROLL_BACK_APPROVAL = "roll_back_approval"
    ROLL_BACK = "roll_back"


class StepState(StrEnum):
    """How far a step is."""

    STARTED = "started"
    DONE = "done"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    FAILED = "failed"


class VerdictWord(StrEnum):
    """What a check of a deployment said."""

    VERIFIED = "verified"
    REFUTED = "refuted"
    """It is not as it has to be."""
    OVERTAKEN = "overtaken"
    """Somebody else deployed another version there meanwhile, so it says nothing of this one."""


ENDED = frozenset(StepState) - {StepState.STARTED}
ENDED_BADLY = frozenset({"failed", "aborted", "rejected", "refuted", "overtaken"})
"""Outcomes of failed steps whose workflow requests have all ended, by FlexDeploy's own word or after that by a check's.
"""
CHANGES_A_STAGE = frozenset({StepKind.DEPLOY, StepKind.ROLL_BACK})
VERIFICATIONS = frozenset({StepKind.VERIFICATION, StepKind.SECOND_VERIFICATION, StepKind.ROLL_BACK_VERIFICATION})
JOBS = frozenset({StepKind.BUILD, StepKind.UTILITY, StepKind.DEPLOY, StepKind.ROLL_BACK, *VERIFICATIONS})
"""Steps that FlexDeploy may have a workflow request of."""
