"""``nightshift hold``: stop the line of one application or of all, see what is held, and go on."""

from __future__ import annotations

import asyncio
import getpass
import re
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nightshift.cli.terminal import AsJson, CannotTell, Exit, confirmed, out, print_json, print_rows, styled, telling
from nightshift.fields import nearest

if TYPE_CHECKING:
    from nightshift.promotion.holds import Hold

hold = typer.Typer(no_args_is_help=True, help="Holds: nothing is built or deployed of what is held.")
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; everybody who is stopped reads it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="The question is answered: yes.")]
_SPAN = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def who() -> str:
    """Return who is at this terminal, as the machine knows them; never what somebody typed."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def end_of_hold(text: str | None, now: datetime) -> datetime | None:
    """Read when a hold ends: a span (``4h``) or a moment with its zone.

    :raises typer.BadParameter: neither
    """
    if text is None:
        return None
    try:
        if found := _SPAN.fullmatch(text):
            return now + timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None or moment <= now:
        raise typer.BadParameter(
            f"{text!r}: give a span such as 4h or 2d, or a moment to come with its zone, 2026-12-24T18:00+01:00"
        )
    return moment


@hold.command("set")
def set_hold(
    reason: Reason,
    application: Annotated[str | None, typer.Argument(help="An application of promotions.yaml.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All applications.")] = False,
    until: Annotated[
        str | None, typer.Option("--until", help="A span (4h, 2d) or a moment; default: until lifted.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Stop the line. What FlexDeploy is at work on ends by itself; nothing that changes anything begins."""
    if (application is None) != everything:
        raise typer.BadParameter("name one application, or give --all", param_hint="APPLICATION")
    ends = end_of_hold(until, datetime.now(UTC))
    with telling():
        from nightshift.config.promotions import promotions_in_force
        from nightshift.nights.place import lake_to_look_at
        from nightshift.promotion import holds

        # Whatever mistake the file has, the line can be stopped.
        known = promotions_in_force(with_gone=True).names
        if application is not None and application not in known:
            raise typer.BadParameter(f"{application!r} is no application{nearest(application, known)}")
        if not confirmed(f"Hold {application or 'ALL applications'}?", yes=yes):
            raise typer.Exit(Exit.WRONG)
        done = _checked(holds.hold(lake_to_look_at(), application=application, by=who(), reason=reason, until=ends))
    _told(done, as_json)


@hold.command("lift")
def lift_hold(
    hold_id: Annotated[str, typer.Argument(help="The hold, as `nightshift hold list` names it.")],
    reason: Reason,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End a hold; what waits goes on."""
    with telling():
        from nightshift.nights.place import lake_to_look_at
        from nightshift.promotion import holds

        if not confirmed(f"Lift the hold {hold_id}? What waits for it goes on at once.", yes=yes):
            raise typer.Exit(Exit.WRONG)
        done = _checked(holds.lift(lake_to_look_at(), hold_id, by=who(), reason=reason))
    _told(done, as_json)


@hold.command("list")
def list_holds(
    every: Annotated[bool, typer.Option("--every", help="Those that have ended, too.")] = False, as_json: AsJson = False
) -> None:
    """Show what is held. Exit code: 0 nothing, 1 something."""
    with telling():
        from nightshift.nights.place import lake_to_look_at
        from nightshift.promotion import holds

        lake = lake_to_look_at()
        found = asyncio.run(holds.every_hold(lake) if every else holds.holds(lake))
    if as_json:
        print_json({"version": 1, "holds": [one.model_dump(mode="json") for one in found]})
    elif not found:
        out().print(styled("Nothing is held", "green"))
    else:
        head = ["hold", "of", "by", "since", "until", "why", "lifted by"]
        print_rows(head, [_row(one) for one in found])
    now = datetime.now(UTC)
    raise typer.Exit(Exit.WRONG if any(one.stands(now) for one in found) else Exit.FINE)


def _checked(work: Any) -> Hold:
    try:
        done: Hold = asyncio.run(work)
    except ValueError as error:
        raise CannotTell(f"{error}. Nothing was changed; `nightshift hold list` names the holds.") from None
    return done


def _told(done: Hold, as_json: bool) -> None:
    if as_json:
        print_json({"version": 1, "hold": done.model_dump(mode="json")})
    else:
        out().print(styled(f"lifted: {done.words}" if done.lifted else done.words, "yellow"), soft_wrap=True)


def _row(one: Hold) -> list[object]:
    until = "lifted" if one.until is None else f"{one.until:%Y-%m-%d %H:%M %Z}"
    lifted = "" if one.lifted is None else f"{one.lifted.by}: {one.lifted.reason}"
    return [one.id, one.application or "all", one.by, f"{one.since:%Y-%m-%d %H:%M %Z}", until, one.reason, lifted]
