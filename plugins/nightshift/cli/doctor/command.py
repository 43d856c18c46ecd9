"""The command ``nightshift doctor``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from nightshift.cli.airflow_api import AirflowApi, AirflowUrl, AirflowUser, Credentials, TokenFile
from nightshift.cli.doctor import deployment, here, lake, vendors
from nightshift.cli.doctor.finding import Finding, Level, bad, looked, show, warn
from nightshift.cli.project import dags_expected
from nightshift.cli.terminal import AsJson, CannotTell, Exit, print_json
from nightshift.config.document import ConfigError


def doctor(
    airflow_url: AirflowUrl = "",
    airflow_user: AirflowUser = "",
    token_file: TokenFile = None,
    with_airflow: Annotated[bool, typer.Option("--airflow/--no-airflow", help="Whether Airflow is asked.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="What warns ends with 1, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at everything that a night needs, and say what to fix: settings, lake, connections, pools, DAGs, clocks.

    Exit code: 0 nothing is bad, 1 something is. Secrets are never shown; the only thing written is a small object in
    the lake, which is deleted again.
    """
    findings = [one for about, look in _looks_here() for one in looked(about, look)]
    findings += asyncio.run(_asked(airflow_url, airflow_user, token_file, with_airflow))
    worst = {one.level for one in findings}
    is_fine = Level.BAD not in worst and not (strict and Level.WARN in worst)
    if as_json:
        print_json({"version": 1, "ok": is_fine, "findings": [one.shape() for one in findings]})
    else:
        show(findings)
    raise typer.Exit(Exit.FINE if is_fine else Exit.WRONG)


def _looks_here() -> list[tuple[str, Callable[[], Any]]]:
    def of_lake(look: Callable[[Any], Any]) -> Callable[[], Any]:
        def opened() -> Any:
            from nightshift.nights.place import lake_to_look_at

            return look(lake_to_look_at())

        return opened

    return [
        ("versions", here.versions),
        ("settings", here.settings),
        ("configuration", here.configuration),
        ("lake", of_lake(lake.writes)),
        ("index of the nights", of_lake(lake.index)),
    ]


async def _asked(url: str, user: str, token_file: Any, with_airflow: bool) -> list[Finding]:
    """Return what Airflow says, and what the vendors say."""
    found: list[Finding] = []
    try:
        wanted = vendors.needed()
    except Exception as error:
        found.append(bad("connections", str(error).splitlines()[0], "Correct the configuration, and look again."))
        wanted = {}
    try:
        expected, pools = _expected()
    except ConfigError:
        # Told with the configuration and the connections.
        expected, pools = [], {}
    if not with_airflow:
        return found + await vendors.connections(None, wanted)
    try:
        async with AirflowApi(url, Credentials.found(user, token_file)) as api:
            for about, look in _looks(api, expected, pools):
                found += await _looked(about, look)
            return found + await vendors.connections(api, wanted)
    except CannotTell as error:
        # Where somebody named it, it is to be there.
        told = bad if url else warn
        found.append(told("Airflow", str(error), "Everything here but Airflow itself was looked at."))
    return found + await vendors.connections(None, wanted)


def _looks(
    api: AirflowApi, expected: Sequence[str], pools: Mapping[str, int]
) -> list[tuple[str, Callable[[], Awaitable[list[Finding]]]]]:
    return [
        ("health", lambda: deployment.health(api)),
        ("nightshift in Airflow", lambda: deployment.provider(api)),
        ("permissions", lambda: deployment.permissions(api)),
        ("DAGs", lambda: deployment.dags(api, expected)),
        ("import errors", lambda: deployment.import_errors(api)),
        ("pools", lambda: deployment.pools(api, pools)),
        ("half-complete partitions", lambda: deployment.partitions(api)),
    ]


async def _looked(about: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await look()
    except CannotTell as error:
        return [warn(about, str(error), "Sign in as somebody who may.")]
    except Exception as error:
        return [bad(about, f"{type(error).__name__}: {str(error)[:300]}", "Look into the log of the API server.")]


def _expected() -> tuple[list[str], dict[str, int]]:
    """Return the DAGs of the configuration, and its pools with what the vendor takes."""
    from nightshift.config.reports import sources_in_force

    sections = sources_in_force().sources
    pools: dict[str, int] = {}
    for name, section in sections.items():
        pools[section.pool] = deployment.QUEUED_AT_TOKEN_FLEX if name == "tokenflex" else pools.get(section.pool, 0)
    return dags_expected(sections), pools
