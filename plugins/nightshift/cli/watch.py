"""``nightshift watch``: one look at all nights, for cron or a probe outside of Airflow."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import typer

from nightshift.cli.airflow_api import AirflowUrl
from nightshift.cli.check import mistakes_in
from nightshift.cli.terminal import AsJson, CannotTell, err, out, print_json, styled, telling
from nightshift.settings import config_folder

LOOK = 2
"""Exit code: somebody should look, though no incident is open."""
SHORTEST = 60
"""Seconds between two looks of --every."""


def watch(
    airflow_url: AirflowUrl = "",
    every: Annotated[
        int | None, typer.Option(min=SHORTEST, help="Look again after so many seconds, until it is ended.")
    ] = None,
    test: Annotated[
        str, typer.Option(metavar="CHANNEL", help="Send a test through a channel of notify.yaml, and look at nothing.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Look once at all nights, write down what is late, missing or unsound, and tell people, as the DAG does.

    It looks at the lake and at the configuration, not at runs, so it works while Airflow does not; and it says when the
    DAG nightshift_watch stands still. Any number may look at once: each message is sent by one. Exit code: 0 all is on
    time, 1 an incident is open, 2 somebody should look though none is.
    """
    if test:
        with telling():
            raise typer.Exit(_test(test))
    while True:
        with telling():
            code = _look(airflow_url, as_json)
        if every is None:
            raise typer.Exit(code)
        err().print(f"looks again in {every} s")
        time.sleep(every)


def _test(channel: str) -> int:
    from nightshift.notify.send import try_channel_of

    try:
        problem = try_channel_of(channel)
    except LookupError as error:
        raise CannotTell(str(error.args[0])) from None
    if problem is not None:
        raise CannotTell(f"the channel {channel} did not take it: {problem}")
    out().print(styled(f"the channel {channel} has taken a test, opened and closed", "green"), soft_wrap=True)
    return 0


def _look(airflow_url: str, as_json: bool) -> int:
    from nightshift.nights.place import lake_to_look_at
    from nightshift.watch.once import watch_once

    url = airflow_url or os.environ.get("AIRFLOW__API__BASE_URL") or None
    result: Any = watch_once(lake_to_look_at(), by="command", base_url=url)
    # A section with a mistake may be waited for by nobody.
    mistakes = mistakes_in(config_folder())
    code = int(result.exit_code) or (LOOK if mistakes else 0)
    if as_json:
        print_json({"version": 1, **result.model_dump(mode="json"), "mistakes": mistakes})
    else:
        for line in [*result.lines(), *mistakes]:
            out().print(styled(line, "yellow" if code else "green"), soft_wrap=True)
    return code
