"""How fast the board answers: ``python -m benchmarks.board``. 100 reports by 90 nights, and 50 applications with 1,000
promotions each and a stage that was never deployed, over a lake in a folder; each view cold (the first request of the
process) and warm. Ends with 1 where a view takes 300 ms or more.

The tables are made as their log alone, which is all that the board reads of them; the records as a promotion
writes them.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

REPORTS, NIGHTS, APPLICATIONS, PROMOTIONS = 100, 90, 50, 1_000
LIMIT = 0.3
WARM = 10
SCHEMA = {"type": "struct", "fields": [{"name": "night", "type": "date", "nullable": True, "metadata": {}}]}


def main() -> int:
    """Make the lake, ask for each view, print the times."""
    with tempfile.TemporaryDirectory(prefix="nightshift-board-") as scratch:
        home = Path(scratch)
        configure(home)
        lake = home / "lake"
        nights = [(datetime.now(UTC).date() - timedelta(days=NIGHTS - number)).isoformat() for number in range(NIGHTS)]
        for number in range(REPORTS):
            write_table(lake / f"tables/flexnet/report_{number:03d}/_delta_log", nights)
        for number in range(APPLICATIONS):
            write_records(lake / f"promotions/app_{number:02d}", f"app_{number:02d}")
        return asyncio.run(timed())


def configure(home: Path) -> None:
    """Set Airflow, the lake and the configuration up, before anything of Airflow is imported."""
    config = home / "config"
    config.mkdir()
    reports = "".join(f"    - {{name: report_{number:03d}}}\n" for number in range(REPORTS))
    (config / "reports.yaml").write_text(f"flexnet:\n  reports:\n{reports}")
    application = "{project_id: 1, stream_id: 1, build: {environment: DEV}, stages: [%s]}"
    stages = ", ".join(f"{{environment: {name}}}" for name in ("DEV", "TEST", "PROD"))
    lines = [f"app_{number:02d}: {application % stages}\n" for number in range(APPLICATIONS)]
    (config / "promotions.yaml").write_text("".join(lines))
    os.environ.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="ada:admin",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
        AIRFLOW__API_AUTH__JWT_SECRET="x" * 64,
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        NIGHTSHIFT_CONFIG=str(config),
        NIGHTSHIFT_KEPT=str(home / "kept"),
        NIGHTSHIFT_LAKE=str(home / "lake"),
        _AIRFLOW_PROCESS_CONTEXT="server",
    )


def write_table(log: Path, nights: list[str]) -> None:
    """Write the log of a table with a commit a night."""
    log.mkdir(parents=True)
    meta = {"id": "0", "format": {"provider": "parquet", "options": {}}, "schemaString": json.dumps(SCHEMA)}
    first = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": {**meta, "partitionColumns": ["night"], "configuration": {}, "createdTime": 0}},
    ]
    for version, night in enumerate(nights):
        at = int(datetime.combine(date.fromisoformat(night), datetime.min.time(), UTC).timestamp() * 1000)
        rows = 1_000 + version
        checks = [["rows_read", True, f"{rows} rows"], ["unique_key", True, "no duplicates"]]
        note = {"content": f"{version:016x}", "extract": "e", "nights": {night: rows}, "night": night, "checks": checks}
        names = {"": version, "/rows": rows, "/version": version}
        actions: list[dict[str, Any]] = [
            *(first if version == 0 else ()),
            *({"txn": {"appId": f"nightshift/{night}{name}", "version": number}} for name, number in names.items()),
            {
                "add": {
                    "path": f"night={night}/{version:016x}-0.parquet",
                    "partitionValues": {"night": night},
                    "size": 9_000,
                    "modificationTime": at,
                    "dataChange": True,
                    "stats": json.dumps({"numRecords": rows}),
                }
            },
            {"commitInfo": {"timestamp": at, "nightshift": json.dumps(note)}},
        ]
        (log / f"{version:020d}.json").write_text("\n".join(map(json.dumps, actions)))


def write_records(folder: Path, application: str) -> None:
    """Write the records of promotions that went through two stages of three."""
    from nightshift.promotion.record import PromotionRecord, PromotionStep, Version
    from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState

    folder.mkdir(parents=True)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=PROMOTIONS)
    for number in range(PROMOTIONS):
        opened = begin + timedelta(hours=number)
        version = Version(id=number + 1, name=f"1.{number}")
        build = PromotionStep(
            task="build", kind=StepKind.BUILD, state=StepState.DONE, started=opened - timedelta(minutes=number % 30),
            ended=opened, version=version, requests=(number,), outcome="built",
        )  # fmt: skip
        steps = (
            build,
            *(
                PromotionStep(
                    task=f"{stage}.deploy",
                    kind=StepKind.DEPLOY,
                    stage=stage,
                    state=StepState.DONE,
                    started=opened,
                    ended=opened + timedelta(minutes=at),
                    version=version,
                    requests=(number,),
                    outcome="deployed",
                )
                for at, stage in enumerate(("DEV", "TEST"), 1)
            ),
        )
        run_id = f"asset_triggered__{opened.isoformat()}_{number:04d}"
        record = PromotionRecord(
            application=application,
            dag_id=f"promote_{application}",
            run_id=run_id,
            opened=opened,
            turn=number + 1,
            closed=opened + timedelta(minutes=5),
            outcome=PromotionOutcome.PROMOTED,
            stages=("DEV", "TEST"),
            version=version,
            steps=steps,
        )
        (folder / f"{run_id}.json").write_bytes(record.to_json())


async def timed() -> int:
    """Ask for each view as a browser does."""
    import httpx
    from airflow import settings
    from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from sqlalchemy.orm import configure_mappers

    from nightshift.board.app import create_app
    from nightshift.nights.index import rebuild
    from nightshift.nights.place import lake_of_this_deployment
    from nightshift.promotion.index import keep_index
    from nightshift.promotion.store import Records

    create_auth_manager()
    import_all_models()
    Base.metadata.create_all(settings.engine)
    lake = lake_of_this_deployment()
    for number in range(REPORTS):
        await asyncio.to_thread(rebuild, lake, "flexnet", f"report_{number:03d}")
    for number in range(APPLICATIONS):
        await keep_index(Records(lake, f"app_{number:02d}"))
    configure_mappers()  # As the first query of an API server does, whatever it asks for.
    cookie = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ada", role="ADMIN"))
    slow = 0
    for view in (f"nights?count={NIGHTS}", "promotions", "promotions/app_07", "figures", "overview"):
        transport = httpx.ASGITransport(app=create_app())
        async with httpx.AsyncClient(
            transport=transport, base_url="http://board/", cookies={"_token": cookie}
        ) as client:
            times, cpu, size = [], [], 0
            await client.get("api/holds")
            for _ in range(1 + WARM):
                began, busy = time.perf_counter(), time.process_time()
                answer = await client.get(f"api/{view}")
                times.append(time.perf_counter() - began)
                cpu.append(time.process_time() - busy)
                answer.raise_for_status()
                size = len(answer.content)
        cold, warm = times[0], statistics.median(times[1:])
        slow += max(cold, warm) >= LIMIT
        used = statistics.median(cpu[1:])
        print(
            f"{view:20} cold {1000 * cold:6.0f} ms, of them CPU {1000 * cpu[0]:5.0f} ms   "
            f"warm {1000 * warm:6.0f} ms, of them CPU {1000 * used:5.0f} ms   {size / 1024:6.0f} KiB"
        )
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
