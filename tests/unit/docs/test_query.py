"""The examples of ``docs/query.md``, run as they stand on a table that publish has made; judged by what they print."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nightshift.lake.extract import Manifest
from nightshift.lake.landing import Landing
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish

PAGE = Path(__file__).resolve().parents[3] / "docs/query.md"
EXAMPLES = re.findall(r'```python title="(\w+)"\n(.*?)```', PAGE.read_text(), re.DOTALL)
SEATS = {"2026-11-18": [5, 7], "2026-11-19": [5, 8, 20], "2026-11-20": [6, 8, 20, 1]}
PRINTED = [
    ("arrow", [r"^4 3$"]),
    ("duckdb", [r"2026-11-18.+2.+12\b", r"2026-11-19.+3.+33\b", r"2026-11-20.+4.+35\b"]),
    ("duckdb", [r"E0\b.+5.+6\b", r"E3\b.+NULL.+1\b"]),
    ("polars", [r"2027-01-01.+2.+26\b", r"2028-01-01.+2.+9\b"]),
    ("polars", [r"^5$"]),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    lake = Lake.from_url(str(folder))
    spec = PublishSpec(key=("EntitlementID",), types={"Seats": "int64", "ExpirationDate": "date"})
    for night, seats in SEATS.items():
        rows = [
            {"EntitlementID": f"E{number}", "Seats": count, "ExpirationDate": f"202{7 + number % 2}-01-01"}
            for number, count in enumerate(seats)
        ]
        publish(lake, asyncio.run(_land(lake, night, rows)), spec)
    return folder


async def _land(lake: Lake, night: str, rows: list[dict[str, object]]) -> Manifest:
    folder = Landing(lake, "flexnet", "entitlement", night).extract("first")
    at = f"{night}T23:00:00+00:00"
    about = {"source": "flexnet", "report": "entitlement", "night": night, "extract": "first", "format": "json"}
    page = await folder.write(1, json.dumps({"data": rows}).encode(), len(rows))
    manifest = Manifest.of([page], **about, connection="flexnet_default", attempt=1, started=at, finished=at)
    await folder.complete(manifest)
    return manifest


RUN_ALL = (
    "import json, sys\nfor text in json.load(sys.stdin):\n    exec(text, {})\n    print('\\0', end='', flush=True)"
)


@pytest.fixture(scope="module")
def printed(lake: Path) -> list[str]:
    """What each example prints, with nothing of the one before; in one process, which imports the engines once."""
    environment = {**os.environ, "NIGHTSHIFT_LAKE": str(lake), "PYTHONUTF8": "1"}
    given = json.dumps([text for _, text in EXAMPLES])
    run = subprocess.run(
        [sys.executable, "-c", RUN_ALL], input=given, env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split("\0")[:-1]


@pytest.mark.parametrize("number", range(len(PRINTED)))
def test_an_example_prints_what_the_table_has(number: int, printed: list[str]) -> None:
    assert len(printed) == len(PRINTED)
    name, patterns = PRINTED[number]
    assert EXAMPLES[number][0] == name
    for pattern in patterns:
        assert re.search(pattern, printed[number], re.MULTILINE), printed[number]
