"""What Airflow itself tells: its health and clock, what this person may, the DAGs, the pools, what is left pending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from nightshift import __version__
from nightshift.cli.airflow_api import AirflowApi, AirflowRefused
from nightshift.cli.doctor.finding import Finding, bad, ok, warn

SKEW = timedelta(seconds=30)
MOST_EVALUATED = 500
"""Half-complete partitions that Airflow 3.3 evaluates in a loop: the oldest of the deployment, and no others."""
MANY = 100
PAGE = 100
"""Partitions of a page."""
QUEUED_AT_TOKEN_FLEX = 50
PERMISSIONS = {
    "/api/v2/dags?limit=1": "see DAGs",
    "/api/v2/dags/~/dagRuns?limit=1": "see runs",
    "/api/v2/connections?limit=1": "see connections",
    "/api/v2/pools?limit=1": "see pools",
    "/api/v2/importErrors?limit=1": "see import errors",
}


async def health(api: AirflowApi) -> list[Finding]:
    """Look at the components, the version, and the clock."""
    found = []
    for name, told in (await api.get("/api/v2/monitor/health")).items():
        status = (told or {}).get("status")
        if status == "healthy":
            beat = next((value for key, value in told.items() if key.startswith("latest_") and value), None)
            found += [ok(name, "healthy")] if beat is None or name == "metadatabase" else _fresh(name, str(beat))
        elif status is not None or name != "dag_processor":
            found.append(bad(name, f"is {status or 'not there'}", "Start it, and look into its log."))
    version = (await api.get("/api/v2/version"))["version"]
    return [*found, ok("Airflow", f"{version} at {api.url}")]


def _fresh(name: str, beat: str) -> list[Finding]:
    ahead = datetime.fromisoformat(beat) - datetime.now(UTC)
    if ahead > SKEW:
        text = f"its clock is {ahead.total_seconds():.0f} s ahead of this one"
        return [bad(f"clock of the {name}", text, "Have both synchronised (NTP).")]
    return [ok(name, f"healthy, last seen {max(-ahead.total_seconds(), 0):.0f} s ago")]


async def provider(api: AirflowApi) -> list[Finding]:
    """Look whether Airflow has this package, and the same version of it."""
    installed = [one async for one in api.every("/api/v2/providers", "providers")]
    there = next((str(one["version"]) for one in installed if one["package_name"] == "nightshift"), None)
    if there is None:
        return [bad("nightshift in Airflow", "the API server knows no provider of this name", "Install it there, too.")]
    if there != __version__:
        return [
            warn("nightshift in Airflow", f"is {there}, here {__version__}", "Install the same version everywhere.")
        ]
    return [ok("nightshift in Airflow", there)]


async def permissions(api: AirflowApi) -> list[Finding]:
    """Look what this person may."""
    refused = []
    for path, what in PERMISSIONS.items():
        try:
            await api.get(path)
        except AirflowRefused as error:
            refused.append(f"{what} ({error.status})")
    if refused:
        return [warn("permissions", f"may not {', '.join(refused)}", "Sign in as somebody who may, or ask for it.")]
    return [ok("permissions", f"may {', '.join(PERMISSIONS.values())}")]


async def dags(api: AirflowApi, expected: Sequence[str]) -> list[Finding]:
    """Look whether the DAGs of the configuration are there, and unpaused."""
    found, paused = [], []
    fix = "Put its file into Airflow's DAG folder (`nightshift init`), and look at the import errors."
    for dag_id in expected:
        try:
            told = await api.get(f"/api/v2/dags/{quote(dag_id, safe='')}")
        except AirflowRefused as error:
            if error.status != 404:
                raise
            found.append(bad(f"DAG {dag_id}", "is configured, and Airflow does not know it", fix))
            continue
        if told.get("is_stale"):
            found.append(bad(f"DAG {dag_id}", "is configured, and Airflow finds it in no file any more", fix))
        paused += [dag_id] if told["is_paused"] else []
    if paused:
        text = f"paused, so no night comes home by itself: {', '.join(paused)}"
        found.append(warn("DAGs", text, f"airflow dags unpause {paused[0]}"))
    elif not found and expected:
        found.append(ok("DAGs", f"all {len(expected)} of the configuration are there and unpaused"))
    return found


async def import_errors(api: AirflowApi) -> list[Finding]:
    """Look for DAG files that Airflow cannot read."""
    found = []
    async for one in api.every("/api/v2/importErrors", "import_errors"):
        lines = str(one["stack_trace"]).strip().splitlines()
        found.append(bad("import error", f"{one['filename']}: {lines[-1] if lines else ''}", "Correct the file."))
    return found


async def pools(api: AirflowApi, wanted: Mapping[str, int]) -> list[Finding]:
    """Look whether the pools are there, and fit.

    :param wanted: pool → slots at most, 0 where nothing limits them
    """
    there: dict[str, dict[str, Any]] = {one["name"]: one async for one in api.every("/api/v2/pools", "pools")}
    found = []
    for name, most in wanted.items():
        about, slots = f"pool {name}", there.get(name, {}).get("slots", 0)
        if name not in there:
            found.append(
                bad(about, "is configured and not there: its tasks never start", "airflow pools import pools.json")
            )
        elif slots == 0:
            found.append(bad(about, "has no slots: its tasks never start", "Give it slots under Admin, Pools."))
        elif not there[name]["include_deferred"] and name != "default_pool":
            fix = "Tick 'Include deferred' under Admin, Pools: what waits at the vendor counts as well."
            found.append(warn(about, "does not count deferred tasks", fix))
        elif most and (slots > most or slots < 0):
            text = f"has {slots} slots, and the vendor queues {most}"
            found.append(warn(about, text, f"Give it {most} at most; what is beyond waits for the vendor's queue."))
        else:
            busy = there[name]["occupied_slots"]
            found.append(ok(about, f"{slots} slots, {busy} taken"))
    return found


async def _pending_partitions(api: AirflowApi) -> tuple[list[Any], int]:
    """Return what waits, the first :data:`MOST_EVALUATED` at least, and how many there are. From 3.4 on it comes in
    pages.
    """
    path = "/ui/partitioned_dag_runs"
    found: list[Any] = []
    while True:
        told = await api.get(path, has_created_dag_run_id="false", limit=PAGE, offset=len(found))
        page, number = told["partitioned_dag_runs"], int(told["total"])
        found += page
        if not page or len(found) >= min(number, MOST_EVALUATED):
            return found, number


async def partitions(api: AirflowApi) -> list[Finding]:
    """Look for partitions of which Airflow got a part of the events: it keeps them for ever."""
    about = "half-complete partitions"
    try:
        pending, number = await _pending_partitions(api)
    except AirflowRefused as error:
        return [warn(about, f"could not be counted ({error.status})", "Sign in as somebody who may see assets.")]
    if number < MANY:
        return [ok(about, f"{number} in Airflow")]
    whose: dict[str, int] = {}
    for one in pending:
        whose[str(one["dag_id"])] = whose.get(str(one["dag_id"]), 0) + 1
    most = ", ".join(f"{name} {count}" for name, count in sorted(whose.items(), key=lambda one: -one[1])[:3])
    text = f"{number} in Airflow ({most}); it evaluates the {MOST_EVALUATED} oldest and no others"
    fix = "Nightshift's own DAGs leave none now. See 'Partitions that wait for ever' of the documentation, under 'Operations'."
    return [bad(about, text, fix) if number >= MOST_EVALUATED else warn(about, text, fix)]
