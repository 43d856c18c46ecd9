"""What import contracts cannot say of the house: where a class may reach into another room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.__main__ import WITH_AN_AIRFLOW

PROVIDER = Path(__file__).parents[2] / "plugins" / "nightshift"


class Class(NamedTuple):
    """A class as its source has it: the names of its bases are those that its module knows."""

    room: str
    bases: tuple[tuple[str, str], ...]
    private: frozenset[str]


@cache
def modules(root: Path) -> list[tuple[str, ast.Module]]:
    paths = {
        ".".join((root.name, *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in sorted(root.rglob("*.py"))
    }
    return [(name, ast.parse(path.read_text(encoding="utf-8"))) for name, path in paths.items()]


def classes(root: Path) -> dict[tuple[str, str], Class]:
    """Every class of a package by its module and name."""
    found = {}
    for module, tree in modules(root):
        imported = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        room = module.split(".")[1] if "." in module else ""
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names = [base.id for base in node.bases if isinstance(base, ast.Name)]
                bases = tuple(imported.get(name, (module, name)) for name in names)
                found[module, node.name] = Class(room, bases, frozenset(private(node)))
    return found


def private(node: ast.ClassDef) -> Iterator[str]:
    methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return (name for name in methods if name.startswith("_") and not name.startswith("__"))


def ancestors(of: tuple[str, str], known: dict[tuple[str, str], Class]) -> Iterator[tuple[str, str]]:
    for base in known[of].bases:
        if base in known:
            yield base
            yield from ancestors(base, known)


def reached_into(root: Path) -> list[str]:
    """Private methods that a class overrides although another room defines them."""
    known = classes(root)
    return [
        f"{'.'.join(name)}.{method} overrides that of {'.'.join(base)}"
        for name, one in known.items()
        for base in ancestors(name, known)
        if known[base].room != one.room
        for method in sorted(one.private & known[base].private)
    ]


def test_no_class_overrides_a_private_method_of_another_room() -> None:
    assert reached_into(PROVIDER) == []


def test_the_rule_sees_what_it_forbids(tmp_path: Path) -> None:
    """Through a base of its own room, and under another name."""
    house = tmp_path / "house"
    for name, text in {
        "cellar/jobs.py": "class Job:\n    def _wait(self): ...\n    def hook(self): ...\n",
        "attic/steps.py": (
            "from house.cellar.jobs import Job as Work\nclass Step(Work):\n    def hook(self): ...\n"
            "class Build(Step):\n    async def _wait(self): ...\n"
        ),
    }.items():
        (house / name).parent.mkdir(parents=True)
        (house / name).write_text(text)
    assert reached_into(house) == ["house.attic.steps.Build._wait overrides that of house.cellar.jobs.Job"]


def test_no_operator_rewrites_itself() -> None:
    """What an operator is, it is when its DAG is parsed: nothing sets its attributes by name afterwards."""
    found = [
        f"{module}:{node.lineno}"
        for module, tree in modules(PROVIDER)
        for one in ast.walk(tree)
        if isinstance(one, ast.ClassDef) and one.name.endswith(("Operator", "Sensor"))
        for node in ast.walk(one)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "setattr"
        and node.args
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id == "self"
    ]
    assert found == []


def test_every_test_with_an_airflow_is_where_make_test_looks_for_it() -> None:
    tests = PROVIDER.parents[1] / "tests"
    marked = {one for one in tests.rglob("test_*.py") if "pytest.mark." + "airflow" in one.read_text(encoding="utf-8")}
    places = [tests.parent / place for place in WITH_AN_AIRFLOW]
    assert all(any(one.is_relative_to(place) for place in places) for one in marked)
    assert all(any(one.is_relative_to(place) for one in marked) for place in places)
