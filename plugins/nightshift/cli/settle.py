"""``nightshift settle``: say that what a promotion left in doubt is over, so that the next one may begin."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from nightshift.cli.hold import Reason, Yes, who
from nightshift.cli.terminal import AsJson, CannotTell, Exit, confirmed, out, print_json, styled, telling
from nightshift.fields import nearest


def settle(
    application: Annotated[str, typer.Argument(help="An application of promotions.yaml.")],
    task: Annotated[str, typer.Argument(help="The task in doubt, such as TEST.deploy.")],
    reason: Reason,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Say that what a promotion left in doubt is over at FlexDeploy, after you have looked there, so that the next one
    may begin. It is for a run that has ended: where its task can go on, clear that one with your word ('Runbook' of the
    documentation).
    """
    with telling():
        from nightshift.config.promotions import applications_in_force
        from nightshift.nights.place import lake_to_look_at
        from nightshift.promotion import doubts
        from nightshift.promotion.store import Records
        from nightshift.promotion.turns import Turns

        known = applications_in_force(with_gone=True)
        if application not in known:
            raise typer.BadParameter(f"{application!r} is no application{nearest(application, known)}")
        lake = lake_to_look_at()
        records = Records(lake, application)
        found = asyncio.run(doubts.doubts_of(records, Turns(lake, application)))
        doubt = next((one for one in found if one.step.task == task), None)
        if doubt is None:
            others = ", ".join(one.step.task for one in found) or "nothing is"
            raise CannotTell(f"{task} of {application} is not in doubt ({others}). Nothing was changed.")
        if not confirmed(
            f"{doubt.words[0].upper()}{doubt.words[1:]}. Is it over, with nothing of it underway at FlexDeploy?",
            yes=yes,
        ):
            raise typer.Exit(Exit.WRONG)
        try:
            record = asyncio.run(doubts.settle(records, doubt.run_id, task, by=who(), why=reason))
        except ValueError as error:
            raise CannotTell(f"{error}. Nothing was changed.") from None
    step = record.step(task)
    said = step and step.said
    if as_json:
        word = said and said.model_dump(mode="json")
        print_json({"version": 1, "run_id": record.run_id, "task": task, "said": word})
    else:
        out().print(styled(f"{task} of {record.run_id} is over. The next promotion may begin.", "yellow"))
