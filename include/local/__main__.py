"""``make run``: stand-in vendors, an embedded Airflow, last night's reports, the promotions that depend on them, a
summary; then the Airflow UI stays up until Ctrl-C. Approvals are given by a person in the UI.

With ``--once`` approvals of stand-in deployments are given by the program, everything is stopped after the summary, and
the exit code is 0 when every report was published that its vendor still has for the night, and every promotion ended
well; 1 when one did not, 2 when Airflow or the vendors did not come up.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NoReturn

from include.local import HOME
from include.local.airflow import LocalAirflow, NotStarted
from include.local.given import Refused, check_writable, held_alone, night_given, port_of, read_dotenv
from include.local.mission import Flow, collect, follow, start_run, summary
from include.local.promotions import (
    Promotion,
    await_run,
    collect_promotion,
    follow_promotion,
    forget_left,
    promotion_summary,
)
from include.local.rest import Api, ApiError
from include.local.vendors import StandIns, standin_connections
from nightshift.config.promotions import read_applications
from nightshift.config.reports import POOL_SLOTS, model_of, pools
from nightshift.configuration import all_mistakes
from nightshift.lake.store import Lake
from nightshift.settings import ConfigError, lake_url, read_section
from nightshift.sources import SOURCES

SEEN_SECONDS = 90
Say = Callable[[str], None]


class Interrupted(Exception):
    """Ctrl-C, or a request to end."""


def main() -> int:
    """Run the mission; see the module."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    told, held = "", contextlib.ExitStack()
    try:
        read_dotenv()
        home = Path(options.home).resolve()
        airflow = _airflow(home, port_of(options.port), cluster=options.cluster)
        for place in (str(home), lake_url()):
            check_writable(place)
        held.enter_context(held_alone(home))
        told = "\n".join(all_mistakes())
        if told:
            print(f"nightshift: {told}", file=sys.stderr)
        flows, promotions = configured_flows(), configured_promotions(once=options.once)
        options.night = options.night and night_given(options.night, {one.dag_id: one.source.zone for one in flows})
        standins = [flow.vendor for flow in flows if not _is_real(flow.source.connection)]
        if any(not _is_real(one.config.connection) for one in promotions):
            standins.append("flexdeploy")
        vendors = StandIns(standins, airflow.home.parent)
    except (ConfigError, Refused, NotStarted) as error:
        if str(error) not in told:
            print(f"nightshift: {error}", file=sys.stderr)
        return 2
    try:
        return _mission(airflow, vendors, flows, promotions, options, say)
    except (NotStarted, RuntimeError, ApiError, TimeoutError) as error:
        print(f"nightshift: {error}", file=sys.stderr)
        return 2
    except Interrupted:
        say("stopping")
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        airflow.stop()
        vendors.stop()
        held.close()


def _airflow(home: Path, port: int, *, cluster: bool) -> LocalAirflow:
    """Return the Airflow of the mission, not started: the embedded one, or the many processes of a cluster, whose lake
    is in its own S3 server.
    """
    if not cluster:
        return LocalAirflow(home / "airflow", port, {"NIGHTSHIFT_LAKE": lake_url()})
    from include.local.cluster.airflow import ClusterAirflow

    found = ClusterAirflow(home / "cluster", port)
    os.environ.update(found.lake)
    return found


def _mission(
    airflow: LocalAirflow,
    vendors: StandIns,
    flows: list[Flow],
    promotions: list[Promotion],
    options: argparse.Namespace,
    say: Say,
) -> int:
    if vendors.ports:
        say(f"starting the stand-in vendors: {', '.join(vendors.ports)}")
        vendors.start()

    def forget() -> None:
        for one in promotions:
            if not _is_real(one.config.connection):
                forget_left(airflow, one, Lake.from_url(lake_url()), say)

    airflow.start(say, forget)
    api = airflow.api
    say(f"Airflow is up: {airflow.url}  user admin, password {airflow.password}")
    for connection_id, fields in standin_connections(vendors.ports).items():
        api.put_connection(connection_id, **fields)
    for pool in pools():
        api.put_pool(pool, POOL_SLOTS)
    _await_dags(api, [*(flow.dag_id for flow in flows), *(one.dag_id for one in promotions)])
    known = {one.dag_id: frozenset(run["dag_run_id"] for run in api.runs(one.dag_id)) for one in promotions}
    for promotion in promotions:
        api.unpause(promotion.dag_id)
    for flow in flows:
        flow.run_id = start_run(api, flow, options.night)
        say(f"{flow.dag_id}: run {flow.run_id}")
    _all_at_once(airflow, [partial(follow, airflow.api, flow, say) for flow in flows])
    for flow in flows:
        collect(api, flow)
    print(f"\n{summary(flows)}\n\nlake: {lake_url()}\n", flush=True)
    sound = all(flow.sound for flow in flows) and any(flow.published for flow in flows)
    if not sound:
        print("Some reports failed: their logs are in the UI, and below .local/airflow/logs.", flush=True)
    promoted = _promote(airflow, flows, promotions, known, options, say)
    if options.once:
        return 0 if sound and promoted else 1
    print(
        f"The Airflow UI stays up: {airflow.url}  (user admin, password {airflow.password}). Ctrl-C stops everything.",
        flush=True,
    )
    while True:
        time.sleep(3600)


def _promote(
    airflow: LocalAirflow,
    flows: list[Flow],
    promotions: list[Promotion],
    known: Mapping[str, frozenset[str]],
    options: argparse.Namespace,
    say: Say,
) -> bool:
    """Follow the promotions that the night starts; return whether all ended well."""
    published = [report for flow in flows for report in flow.published]
    begun = []
    for one in promotions:
        night = options.night or max((flow.last_night() for flow in flows), default="")
        if missing := one.needs(published):
            one.outcome = f"not begun: {', '.join(missing)} is not published"
        elif not one.config.after or not await_run(airflow.api, one, night, known[one.dag_id]):
            one.outcome = "not begun: a person starts it" if not one.config.after else "FAILED: Airflow started no run"
        else:
            say(f"{one.dag_id}: the night {night} is complete, run {one.run_id}")
            begun.append(one)
    _all_at_once(airflow, [partial(follow_promotion, airflow.api, one, say) for one in begun])
    for one in begun:
        collect_promotion(airflow.api, one)
    if promotions:
        print(f"\n{promotion_summary(promotions)}\n", flush=True)
    return not any(one.outcome.startswith("FAILED") for one in promotions) and all(
        one.state == "success" for one in begun
    )


def _all_at_once(airflow: LocalAirflow, calls: Sequence[Callable[[], None]]) -> None:
    """Follow several runs side by side; Ctrl-C ends Airflow first, so that all of them come to an end."""
    if not calls:
        return
    with ThreadPoolExecutor(len(calls), thread_name_prefix="follow") as threads:
        followers = [threads.submit(call) for call in calls]
        try:
            for follower in followers:
                follower.result()
        except Interrupted:
            airflow.stop()
            raise


def configured_promotions(*, once: bool) -> list[Promotion]:
    """Return the promotions that ``promotions.yaml`` configures.

    :param once: approvals are given by the program, where FlexDeploy is a stand-in
    :raises ConfigError: a mistake in it
    """
    found = []
    for name, config in read_applications().items():
        if isinstance(config, ConfigError):
            raise config
        found.append(Promotion(name, config, answers=once and not _is_real(config.connection)))
    return found


def configured_flows() -> list[Flow]:
    """Return the flows that ``reports.yaml`` configures.

    :raises ConfigError: a mistake in it
    """
    flows = []
    for name, reports in SOURCES.items():
        if (source := read_section(name, model_of(name))) is not None:
            flows.append(Flow(reports.dag_id, name, source, source.groups))
    return flows


def _is_real(connection: str) -> bool:
    """Whether a person has given this connection, so that no stand-in is needed."""
    return f"AIRFLOW_CONN_{connection.upper()}" in os.environ


def _await_dags(api: Api, dag_ids: Sequence[str]) -> None:
    until = time.monotonic() + SEEN_SECONDS
    for dag_id in dag_ids:
        while True:
            with contextlib.suppress(ApiError):
                api.call("GET", f"/api/v2/dags/{dag_id}")
                break
            if time.monotonic() > until:
                errors = api.call("GET", "/api/v2/importErrors")["import_errors"]
                raise RuntimeError(
                    f"Airflow does not see the DAG {dag_id}. " + "\n".join(error["stack_trace"] for error in errors)
                )
            time.sleep(0.5)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--once", action="store_true", help="stop everything after the summary")
    parser.add_argument("--cluster", action="store_true", help="on PostgreSQL, Redis, Celery and S3 (make cluster)")
    parser.add_argument("--night", help="a night other than the last one, YYYY-MM-DD")
    parser.add_argument("--port", help="port of the Airflow UI (default: PORT of the environment or of .env, 8080)")
    parser.add_argument("--home", default=str(HOME), help="folder of the embedded Airflow (default .local)")
    return parser.parse_args()


def _interrupt(*_: object) -> NoReturn:
    raise Interrupted


if __name__ == "__main__":
    sys.exit(main())
