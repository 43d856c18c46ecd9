"""Why a night is not there: what the task that failed has said, as an object in the lake.

One object a night that failed; publishing the night takes it away. It proves nothing and decides nothing: it is shown.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from nightshift.errors import VendorError
from nightshift.lake.errors import CastError, Damaged, SchemaDrift, UnreadablePage, Unsound
from nightshift.redaction import redact

if TYPE_CHECKING:
    from airflow.sdk import Context

LONGEST = 4_000
"""Characters of a message that are kept."""


class FailureKind(StrEnum):
    """What kept a night from being published."""

    DRIFT = "drift"
    CHECKS = "checks"
    VALUES = "values"
    LANDING = "landing"
    VENDOR = "vendor"
    OTHER = "other"


class NightFailure(msgspec.Struct, frozen=True):
    """A failure of a task.

    :param text: what the task said, without secrets; last what to do
    :param at: when, ISO 8601, UTC
    """

    kind: FailureKind
    text: str
    at: str
    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    attempt: int = 0

    @classmethod
    def of(cls, error: BaseException, context: Context) -> NightFailure:
        """Return what an error of a task says."""
        ti = context["ti"]
        return cls(
            kind=kind_of(error),
            text=redact(str(error) or type(error).__name__)[:LONGEST],
            at=datetime.now(UTC).isoformat(),
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            attempt=ti.try_number,
        )


def kind_of(error: BaseException) -> FailureKind:
    """Return what kind of failure an error is."""
    match error:
        case SchemaDrift():
            return FailureKind.DRIFT
        case Unsound():
            return FailureKind.CHECKS
        case CastError():
            return FailureKind.VALUES
        case Damaged() | UnreadablePage():
            return FailureKind.LANDING
        case VendorError():
            return FailureKind.VENDOR
        case _:
            return FailureKind.OTHER
