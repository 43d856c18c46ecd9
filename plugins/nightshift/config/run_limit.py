"""How long a step of a promotion may take or wait: not as long as a whole run may last, and not so short that it never
could end well.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import AfterValidator, ValidationInfo

from nightshift.config.in_force import AS_KEPT

RUN_LIMIT = timedelta(days=60)
"""Approvals, windows and FlexDeploy's own approvals can each last days; then Airflow ends the run, whatever waits."""
SHORTEST = timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def within_a_run(unit: timedelta | None = None) -> AfterValidator:
    """Return the validator of a length of time that has to be over before the run is.

    What was kept of an earlier configuration stays as it is: what runs of it goes on.

    :param unit: what the number is of, at least :data:`SHORTEST` of it in all; ``None``: it is a length already
    """

    def check(given: Any, info: ValidationInfo) -> Any:
        if info.context == AS_KEPT:
            return given
        length = given if unit is None else given * unit
        if length >= RUN_LIMIT:
            raise ValueError(f"a run ends after {RUN_LIMIT.days} days, whatever waits in it; give less than that")
        if unit is not None and length < SHORTEST:
            raise ValueError("is less than a minute, in which nothing is done and nobody can answer; give more")
        return given

    return AfterValidator(check)
