"""The model of an approval: who has to agree, how many of them, and how long they are asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, model_validator

from nightshift.config.in_force import AS_KEPT
from nightshift.config.reports import Section
from nightshift.config.run_limit import HOUR, within_a_run
from nightshift.config.scalars import Duration, Hours, Text, between, duration_text
from nightshift.config.steps import once

MOST = 10
"""People that one approval may ask for."""


class Approval(Section):
    """An approval by people, in Airflow.

    :param users: names of the people who may approve, as they sign in to Airflow; nobody named: everybody who may act
        on the DAG
    :param at_least: how many different people have to approve, 1 to 10. Above 1, a no needs a reason: without one it
        stands in the way until whoever gave it says why, or changes it
    :param not_requester: the answer of whoever started the run, or its backfill, does not count; a run that a night
        started has nobody to leave out. A no needs a reason, as above
    :param remind: how often people are reminded while it waits, by the notifiers of the deployment, ``1m`` to ``30d``,
        and earlier than ``hours`` are over; default: never
    :param hours: how long it waits for answers, from a minute to less than the 60 days of a run
    :param on_timeout: what too few answers mean: ``reject`` ends the promotion as rejected, ``fail`` as failed,
        ``approve`` goes on
    """

    users: Annotated[tuple[Text, ...], once("user")] = ()
    at_least: int = Field(default=1, ge=1, le=MOST)
    not_requester: bool = False
    remind: Annotated[Duration, between("1m", "30d")] | None = None
    hours: Annotated[Hours, within_a_run(HOUR)] = 72
    on_timeout: Literal["reject", "fail", "approve"] = "reject"

    @model_validator(mode="after")
    def _can_be_reached(self) -> Approval:
        if self.users and len(self.users) < self.at_least:
            raise ValueError(f"at_least asks for {self.at_least} people, and users names {len(self.users)}; name more")
        if self.on_timeout == "approve" and self.is_strict:
            raise ValueError("on_timeout: approve would go on with too few; use reject or fail")
        return self

    @model_validator(mode="after")
    def _reminds_in_time(self, info: ValidationInfo) -> Approval:
        if info.context != AS_KEPT and self.remind is not None and self.remind >= self.hours * HOUR:
            raise ValueError(
                f"remind: {duration_text(self.remind)} would never come: after hours: {self.hours:g} it is over; give a "
                "shorter one, or more hours"
            )
        return self

    @property
    def is_strict(self) -> bool:
        """Whether a yes of anybody alone is not enough, so that a no has to be explained as well."""
        return self.at_least > 1 or self.not_requester

    @property
    def words(self) -> str:
        """Who has to approve, for a plan."""
        whom = ", ".join(self.users) or ("a person" if self.at_least == 1 else "people")
        many = f"{self.at_least} of " if self.at_least > 1 else ""
        return f"{many}{whom}{', not by who asked for it' if self.not_requester else ''}"
