"""A configuration of many reports and applications, and how many tasks its DAGs have."""

from __future__ import annotations

import json
from pathlib import Path

LEAST_REPORTS = 10
TASKS_A_REPORT = 2
TASKS_AN_EXPORT = 4
TASKS_OF_THE_TREE = 4
TASKS_AN_APPLICATION = 13


def write(folder: Path, *, reports: int, applications: int) -> None:
    """Write ``reports.yaml`` and ``promotions.yaml``; JSON is YAML too.

    :param folder: an empty one
    :param reports: of FlexNet, Token Flex (a tenth) and Camunda Optimize (a fifth) together, 10 or more; Exago's tree
        comes besides
    :param applications: each waits for four reports and the tree, and goes through three stages
    """
    flexnet, exports, results = shares(reports)
    sections = {
        "flexnet": {"reports": [{"name": f"report{n}", "key": ["id"]} for n in range(flexnet)]},
        "tokenflex": {"contract": "1", "exports": [_export(n) for n in range(exports)]},
        "camunda_optimize": {"reports": [{"name": f"result{n}", "report_id": f"id{n}"} for n in range(results)]},
        "exago": {},
    }
    names = [f"flexnet/report{n}" for n in range(flexnet)]
    promoted = {f"app{n}": _application(n, [names[n % flexnet], names[(n + 1) % flexnet]]) for n in range(applications)}
    (folder / "reports.yaml").write_text(json.dumps(sections, indent=1))
    (folder / "promotions.yaml").write_text(json.dumps(promoted, indent=1))


def shares(reports: int) -> tuple[int, int, int]:
    """Return how many of the reports are FlexNet's, Token Flex's and Camunda Optimize's."""
    exports, results = reports // 10, reports // 5
    return reports - exports - results, exports, results


def sizes(*, reports: int, applications: int) -> list[int]:
    """Return the number of tasks of each DAG: four nightly ones, the one that renews Token Flex's sign-in, the
    promotions.
    """
    flexnet, exports, results = shares(reports)
    nightly = [
        1 + TASKS_A_REPORT * flexnet,
        1 + TASKS_AN_EXPORT * exports,
        1 + TASKS_A_REPORT * results,
        1 + TASKS_OF_THE_TREE,
    ]
    return [*nightly, 1, *([TASKS_AN_APPLICATION] * applications)]


def _export(number: int) -> dict[str, object]:
    return {
        "name": f"export{number}",
        "category": "DESKTOP_PRODUCT",
        "fields": ["usageDate"],
        "metrics": ["tokensConsumed"],
    }


def _application(number: int, reports: list[str]) -> dict[str, object]:
    restart = {"name": "restart", "project": "Ops/Restart", "inputs": {"SERVICE": f"app{number}"}}
    window = {"timezone": "Europe/Berlin", "opens": "22:00", "closes": "04:00"}
    return {
        "project": f"Folder/Sub/Project{number}",
        "stream": "main",
        "after": [*reports, "tokenflex/export0", "camunda_optimize/result0", "exago/tree"],
        "build": {"environment": "DEV"},
        "stages": [
            {"environment": "DEV"},
            {"environment": "TEST", "approval": {"hours": 24}},
            {"environment": "PROD", "approval": {"users": ["ada", "grace"]}, "window": window, "after": [restart]},
        ],
    }
