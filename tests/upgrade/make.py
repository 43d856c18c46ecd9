"""Write the state that a release leaves behind, by its own code: task states, records, claims, landing, tables,
deferred triggers, XComs, tokens.

Run from a checkout of this release, with the code of the other one in a worktree of its own::

    git worktree add --detach /tmp/old <commit>
    python tests/upgrade/make.py /tmp/old tests/upgrade/fixtures/0.1.0

0.1.0 is the commit 198d7ab. What it writes is committed, so that no test needs that worktree.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

NIGHTS = ("2026-11-20", "2026-11-21", "2026-11-22")
PUBLISHED = NIGHTS[:2]


def main() -> None:
    """Run this file with the other release's code on the path."""
    old, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(old / "plugins"), str(old)])}
    environment["NIGHTSHIFT_LAKE"] = str(out / "lake")
    subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--inside", str(out)], env=environment, cwd=old, check=True
    )
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1000:.0f} kB")


def inside(out: Path) -> None:
    """Make everything; only names of the release that is on the path."""
    sys.path[:] = [path for path in sys.path if not path.endswith("tests/upgrade")]
    nights(out)
    promotions(out)
    exports(out)
    tokens(out)
    for path in [*out.rglob("index"), *out.rglob(".lock")]:
        path.unlink()
    for path in out.rglob("*.json"):
        # A table's first commit says where it was made.
        path.write_text(path.read_text().replace(out.as_uri(), "file:///nightshift"))


def _put(out: Path, name: str, value: Any) -> None:
    (out / f"{name}.json").write_text(json.dumps(value, indent=1, sort_keys=True, default=str) + "\n")


def _deferred(run: Any) -> dict[str, Any]:
    """Return what Airflow keeps of a deferred task."""
    from airflow.sdk.serde import deserialize

    message = run.message
    arguments = message.trigger_kwargs
    plain = arguments if isinstance(arguments, dict) and "__data__" not in arguments else deserialize(arguments)
    return {"classpath": message.classpath, "kwargs": plain, "next_method": message.next_method}


def nights(out: Path) -> None:
    """Land three nights of a JSON report and one of a CSV report with look-back; publish all but the last."""
    from include.lake.landing import Landing, Manifest
    from include.lake.spec import Checks, PublishSpec
    from include.lake.store import Lake
    from include.lake.tables import publish

    lake = Lake.from_url(str(out / "lake"))

    async def land(source: str, report: str, night: str, body: bytes, rows: int, kind: str) -> Any:
        folder = Landing(lake, source, report, night).extract("first")
        manifest = Manifest.of(
            [await folder.write(1, body, rows)],
            source=source,
            report=report,
            night=night,
            extract="first",
            connection=f"{source}_default",
            attempt=1,
            started=f"{night}T23:00:00+00:00",
            finished=f"{night}T23:01:00+00:00",
            format=kind,
        )
        await folder.complete(manifest)
        return manifest

    returned = {}
    for at, night in enumerate(NIGHTS):
        rows = [{"EntitlementID": f"E{at}-{one}", "Quantity": one, "Note": "grün"} for one in range(5)]
        body = json.dumps({"header": {"nextPageURL": None}, "data": rows}).encode()
        manifest = asyncio.run(land("flexnet", "entitlement", night, body, len(rows), "json"))
        returned[night] = {"source": "flexnet", "report": "entitlement", "night": night, "extract": "first"}
        if night in PUBLISHED:
            publish(lake, manifest, PublishSpec(key=("EntitlementID",), checks=Checks(not_empty=True)))
    lines = [f"{night},{name},{one}.5" for night in PUBLISHED for one, name in enumerate(("ann", "ben"))]
    text = "\n".join(["usageDate,userName,tokensConsumed", *lines]).encode()
    manifest = asyncio.run(land("tokenflex", "desktop_usage", PUBLISHED[-1], text, len(lines), "csv"))
    spec = PublishSpec(
        types={"usageDate": "date", "tokensConsumed": "float64"}, night_column="usageDate", nights=PUBLISHED
    )
    publish(lake, manifest, spec)
    # One that died: pages, and no manifest.
    asyncio.run(
        Landing(lake, "flexnet", "entitlement", "2026-11-23").extract("died").write(1, b'{"data": [{"a": 1}]}', 1)
    )
    _put(out, "xcom", {"extract": returned})


def promotions(out: Path) -> None:
    """Promote a night; leave a second one deferred in a deployment, and a third one waiting for its turn."""
    from include.standins.flexdeploy import Changes, FlexDeployStandIn, FlexDeploySwitches
    from tests.unit.promotion.play import N1, N2, N3, Play, config

    quick = FlexDeploySwitches(changes=Changes.ALWAYS, ready_seconds=0.01, build_seconds=0.02, deploy_seconds=0.02)
    with FlexDeployStandIn(switches=quick) as vendor:
        play = Play(out / "lake", vendor, config())
        first, second, third = play.start("r1", N1), play.start("r2", N2), play.start("r3", N3)
        for task in ("begin", "build", "DEV.deploy", "TEST.deploy", "close"):
            done = first.do(task)
            assert done.state == "success", (task, done.state, done.error)
        for task in ("begin", "build"):
            done = second.do(task)
            assert done.state == "success", (task, done.state, done.error)
        vendor.turn(deploy_seconds=3600.0)
        waits = second.do("DEV.deploy", look=0.0)
        assert waits.state == "deferred", (waits.state, waits.error)
        turn = third.do("begin")
        assert turn.state == "deferred", (turn.state, turn.error)
        _put(
            out,
            "promotion",
            {
                "deploy": {"deferred": _deferred(waits), "store": dict(second.api("DEV.deploy").task_store)},
                "turn": {"deferred": _deferred(turn), "store": dict(third.api("begin").task_store)},
                "build": {
                    "store": dict(second.api("build").task_store),
                    "returned": second.xcoms.get(("build", "return_value")),
                },
            },
        )


def exports(out: Path) -> None:
    """Ask for an export and leave its wait deferred; ask for another whose answer is lost."""
    from airflow.sdk import DAG

    from include.standins import Fault, FaultKind
    from include.standins.tokenflex import RateLimit, TokenFlexStandIn, TokenFlexSwitches
    from nightshift.tokenflex.operators import TokenFlexRequestExportOperator
    from nightshift.tokenflex.sensors import TokenFlexExportSensor
    from tests.execution_api import FakeExecutionApi

    def request() -> Any:
        with DAG("tokenflex_exports", schedule=None):
            return TokenFlexRequestExportOperator(
                task_id="request",
                contract=CONTRACT,
                night="2026-11-21",
                fields=["usageDate", "userName"],
                metrics=["tokensConsumed"],
                categories=["DESKTOP_PRODUCT"],
                file_name="desktop_usage 2026-11-21",
            )

    def api(run_id: str) -> Any:
        extra = {"auth": "two_legged", "requests_per_minute": 6000}
        fields = {"conn_type": "tokenflex", "host": vendor.url, "login": "nightshift-service"}
        fields |= {"password": "standin-tokenflex-service", "extra": json.dumps(extra)}
        return FakeExecutionApi(
            connections={"tokenflex_default": fields}, max_tries=3, dag_id="tokenflex_exports", run_id=run_id
        )

    switches = TokenFlexSwitches(processing_seconds=3600.0, rate_limit=RateLimit.OFF)
    with TokenFlexStandIn(switches=switches) as vendor:
        asks = api("run")
        made = asks.run(request())
        assert made.state == "success", made.error
        key = next(iter(made.result.values())) if isinstance(made.result, dict) else made.result
        with DAG("tokenflex_exports", schedule=None):
            sensor = TokenFlexExportSensor(task_id="wait", contract=CONTRACT, request_key="KEY", poll_first=0.1)
        sensor.request_key = asks.xcoms.get(("request", "request_key"), key)
        waiting = api("run")
        waits = waiting.run(sensor)
        assert waits.state == "deferred", waits.error
        vendor.faults.add(
            Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path=r"/export/[^/]+/requests$"),
            Fault(kind=FaultKind.STATUS, status=503, method="GET", path=r"/export/[^/]+/requests", times=None),
        )
        lost = api("lost")
        unknown = lost.run(request())
        assert unknown.state == "up_for_retry", (unknown.state, unknown.error)
        with vendor.locked():
            names = {one.key: one.asked.file_name for one in vendor.exports.all()}
        _put(
            out,
            "export",
            {
                "key": sensor.request_key,
                "names": names,
                "request": dict(asks.task_store),
                "returned": made.result,
                "xcoms": {f"{task}/{key}": value for (task, key), value in asks.xcoms.items()},
                "wait": {"deferred": _deferred(waits), "store": dict(waiting.task_store)},
                "lost": dict(lost.task_store),
            },
        )


CONTRACT = "110000917988"


def tokens(out: Path) -> None:
    """Write a grant, what was renewed of it, and the note of a renewal that was killed."""
    from nightshift.tokenflex import tokens as kept
    from nightshift.tokenflex.oauth import TokenPair, fingerprint

    def pair(number: int) -> Any:
        at = 1_795_910_400.0 + 3600 * number
        return TokenPair(
            access_token=f"access-{number}",
            refresh_token=f"refresh-{number}",
            issued=at,
            ends=at + 3600,
            lapses=at + 15 * 86400,
        )

    grant = kept.Grant(grant_id="g1", granted_by="Ada", granted_at=1_795_910_400.0, scope="data:read", pair=pair(0))
    renewed = kept.Renewed(grant_id="g1", number=1, pair=pair(1))
    note = kept.Journal(grant_id="g1", spent=fingerprint("refresh-1"), asked_at=1_795_914_000.0, by="run, try 1")
    found = {kept.Part.GRANT: grant, kept.Part.RENEWED: renewed, kept.Part.JOURNAL: note}
    _put(out, "variables", {kept.key_of("tokenflex_default", part): kept.encode(one) for part, one in found.items()})
    from nightshift.night_runs import NightRunsTrigger
    from nightshift.promotion.give_way import GiveWayTrigger

    waits = [
        ("runs_ended", NightRunsTrigger("flexnet_reports", ["a", "b"])),
        ("look_again", GiveWayTrigger("portal", "2026-11-20", 1_795_914_000.0)),
    ]
    _put(
        out,
        "waits",
        [
            {"classpath": path, "kwargs": arguments, "next_method": method}
            for method, (path, arguments) in ((method, one.serialize()) for method, one in waits)
        ],
    )


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        with tempfile.TemporaryDirectory() as home:
            os.environ.setdefault("AIRFLOW_HOME", home)
            inside(Path(sys.argv[2]))
    else:
        main()
