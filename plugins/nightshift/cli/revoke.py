"""``nightshift revoke``: say that what runs in a stage is bad, so that it goes to no stage any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from nightshift.cli.hold import Reason, Yes, who
from nightshift.cli.terminal import AsJson, CannotTell, Exit, confirmed, out, print_json, styled, telling
from nightshift.fields import nearest

if TYPE_CHECKING:
    from nightshift.lake.store import Lake
    from nightshift.promotion.record import Running


def revoke(
    application: Annotated[str, typer.Argument(help="An application of promotions.yaml.")],
    stage: Annotated[str, typer.Argument(help="The stage in which it was found to be bad.")],
    reason: Reason,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Report that what the records tell to run in a stage is bad. A soak that is underway there ends, and on_failure of
    the stage follows; the version goes to no stage until a person gives the reason in the field Emergency.
    """
    with telling():
        from nightshift.config.promotions import applications_in_force
        from nightshift.nights.place import lake_to_look_at
        from nightshift.promotion.revoked import report, what_follows
        from nightshift.promotion.store import Records

        known = applications_in_force(with_gone=True)
        if application not in known:
            raise typer.BadParameter(f"{application!r} is no application{nearest(application, known)}")
        lake = lake_to_look_at()
        here, records = _running(lake, application, stage), Records(lake, application)
        record = asyncio.run(records.read(here.run_id))
        follows = "" if record is None else what_follows(record, stage, known[application])
        if not confirmed(
            f"Revoke {here.version} of {application}? It goes to no stage any more. {follows}".strip(), yes=yes
        ):
            raise typer.Exit(Exit.WRONG)
        try:
            told = asyncio.run(report(records, here.run_id, stage, here.version, by=who(), why=reason))
        except ValueError as error:
            raise CannotTell(f"{error}. Nothing was changed.") from None
    if as_json:
        print_json({"version": 1, "verdict": told.model_dump(mode="json"), "run_id": here.run_id})
    else:
        out().print(styled(f"revoked: {told.version}: {told.words}", "yellow"), soft_wrap=True)


def _running(lake: Lake, application: str, stage: str) -> Running:
    """Return what the records tell to run in a stage.

    :raises CannotTell: they tell of nothing
    """
    from nightshift.promotion.history import History
    from nightshift.promotion.store import Records

    async def running() -> Running | None:
        return (await (await History.read(Records(lake, application))).running([stage]))[stage]

    found = asyncio.run(running())
    if found is None:
        raise CannotTell(
            f"no record tells what runs in {stage} of {application}. Nothing was changed; `nightshift promotions` "
            "names the stages."
        )
    return found
