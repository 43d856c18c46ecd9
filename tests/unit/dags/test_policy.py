"""What every DAG of the project keeps to, read from the DAGs as Airflow parses them."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID

from nightshift.configuration import all_mistakes

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "dags").glob("*.py"))


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(ROOT / "dags")


@pytest.fixture(scope="module")
def tasks(bag):
    found = [task for dag in bag.dags.values() for task in dag.tasks]
    assert found
    return found


def test_all_files_import(bag) -> None:
    assert bag.import_errors == {}
    assert len(bag.dags) >= len(FILES) - 1  # one tells the mistakes of the configuration, and there are none


def test_every_dag_has_an_owner_tags_a_description_and_limits(bag) -> None:
    for dag in bag.dags.values():
        assert dag.owner == "nightshift", dag.dag_id
        assert "nightshift" in dag.tags, dag.dag_id
        assert dag.doc_md, dag.dag_id
        assert dag.dagrun_timeout, dag.dag_id
        assert dag.catchup is False, dag.dag_id


def test_every_task_has_retries_a_time_out_and_a_description(tasks) -> None:
    for task in tasks:
        where = f"{task.dag_id}.{task.task_id}"
        assert task.retries >= 1, where
        assert task.execution_timeout is not None, where
        assert task.execution_timeout <= timedelta(hours=12), where
        assert task.doc_md, where
        assert task.retry_policy is not None, where


def test_every_dag_survives_serialization_and_is_the_same_each_time_it_is_parsed(bag) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    again = DagBag(ROOT / "dags")
    for dag_id, dag in bag.dags.items():
        first = DagSerialization.to_dict(dag)
        assert DagSerialization.to_dict(again.dags[dag_id]) == first
        assert DagSerialization.from_dict(first).dag_id == dag_id


def test_parsing_opens_no_connection_and_reads_no_airflow_connection_or_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import BaseHook, Variable

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a DAG file reached outside while it was parsed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(BaseHook, "get_connection", refuse)
    monkeypatch.setattr(Variable, "get", refuse)
    bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    assert bag.dags


def test_parsing_does_not_load_the_heavy_libraries() -> None:
    import subprocess
    import sys

    code = (
        "import sys, pathlib, runpy\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'plugins')!r}]\n"
        f"[runpy.run_path(str(file)) for file in sorted(pathlib.Path({str(ROOT / 'dags')!r}).glob('*.py'))]\n"
        "print(sorted({'pyarrow', 'deltalake', 'obstore', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


MISTAKES = [
    # What is written into which file, and what is told first; the DAGs stay.
    (
        "reports.yaml",
        "page_size",
        "page_sise",
        "reports.yaml:4: flexnet.reports[0].page_sise: unknown field; did you mean 'page_size'?",
    ),
    ("reports.yaml", "      page_size", "\t page_size", "reports.yaml:4: a tab indents this line"),
    (
        "reports.yaml",
        "flexnet:",
        "flexnett:",
        "reports.yaml:1: flexnett: is not a source of reports; did you mean 'flexnet'?",
    ),
    (
        "reports.yaml",
        "name: a",
        "name: 'a",
        "reports.yaml:3: not valid YAML: the quote that opens in this line is not closed; close it",
    ),
    (
        "reports.yaml",
        "start: 2026-01-01",
        "start: 2026-13-01",
        "reports.yaml:5: flexnet.start: is not a day; give YYYY-MM-DD (found '2026-13-01')",
    ),
    (
        "reports.yaml",
        "start: 2026-01-01",
        "schedule: '@hourly'",
        "reports.yaml:5: flexnet.schedule: unknown field; nights are fixed",
    ),
    (
        "reports.yaml",
        "start: 2026-01-01",
        "password: hunter22",
        "reports.yaml:5: flexnet.password: looks like a secret",
    ),
    ("reports.yaml", None, "", "reports.yaml:1: is empty"),
    ("reports.yaml", None, "- flexnet\n", "reports.yaml:1: expected sections such as 'name:' at the top, found a list"),
    ("promotions.yaml", "stream", "straem", "promotions.yaml:3: portal.straem: unknown field; did you mean 'stream'?"),
    (
        "promotions.yaml",
        "flexnet/a",
        "flexnet/b",
        "promotions.yaml:4: portal.after[0]: is not a report that reports.yaml configures; did you mean 'flexnet/a'?",
    ),
    ("promotions.yaml", "  stream", "\tstream", "promotions.yaml:3: a tab indents this line"),
    ("promotions.yaml", None, "", "promotions.yaml:1: is empty"),
    ("promotions.yaml", None, None, "promotions.yaml: cannot be read (No such file or directory)."),
]
GOOD = {
    "reports.yaml": "flexnet:\n  reports:\n    - name: a\n      page_size: 3\n  start: 2026-01-01\nexago:\n",
    "promotions.yaml": "portal:\n  project: a/b\n  stream: main\n  after: [flexnet/a]\n"
    "  build: {environment: DEV}\n  stages: [{environment: DEV}]\n",
}


@pytest.mark.parametrize(("file", "right", "wrong", "told"), MISTAKES)
def test_a_mistake_is_told_first_and_ends_no_dag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, right: str | None, wrong: str | None, told: str
) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text)
    good = DagBag(ROOT / "dags")
    assert good.import_errors == {}
    assert set(good.dags) == {
        "flexnet_reports",
        "exago_catalog",
        "promote_portal",
        "tokenflex_token",
        "nightshift_maintenance",
        "nightshift_watch",
    }
    if wrong is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(wrong if right is None else GOOD[file].replace(right, wrong, 1))
    bad = DagBag(ROOT / "dags")
    ((where, text),) = bad.import_errors.items()
    assert Path(where).name == "configuration.py"
    assert text.startswith(f"Mistake: {tmp_path}/{told}")
    assert "hunter22" not in text
    assert {name: DagSerialization.to_dict(dag) for name, dag in bad.dags.items()} == {
        name: DagSerialization.to_dict(dag) for name, dag in good.dags.items()
    }
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text)
    assert DagBag(ROOT / "dags").import_errors == {}


@pytest.mark.parametrize(
    ("file", "old", "new"), [("reports.yaml", "exago:\n", ""), ("promotions.yaml", GOOD["promotions.yaml"], "{}")]
)
def test_what_is_removed_is_told_until_that_is_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text)
    everything = set(DagBag(ROOT / "dags").dags)
    (tmp_path / file).write_text(GOOD[file].replace(old, new))
    gone, name = ("exago_catalog", "exago") if file == "reports.yaml" else ("promote_portal", "portal")
    told = DagBag(ROOT / "dags")
    assert everything - set(told.dags) == {gone}
    (text,) = told.import_errors.values()
    assert f"{file}: {name}: is no longer here." in text
    # A task that begins meanwhile, such as one that was answered, finds its DAG all the same.
    with monkeypatch.context() as task:
        task.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, gone)
        assert set(DagBag(ROOT / "dags").dags) == everything
    (tmp_path / file).write_text(GOOD[file].replace(old, f"{name}: {{removed: true}}\n"))
    confirmed = DagBag(ROOT / "dags")
    assert (everything - set(confirmed.dags), confirmed.import_errors) == ({gone}, {})
    (tmp_path / file).write_text(GOOD[file].replace(old, new))
    assert DagBag(ROOT / "dags").import_errors == {}


def test_a_mistake_that_was_there_from_the_start_is_told_and_breaks_no_other_dag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "reports.yaml").write_text("flexnet:\n  reports:\n    - name: a\n      page_sise: 3\nexago:\n")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    bag = DagBag(ROOT / "dags")
    assert set(bag.dags) == {"exago_catalog", "tokenflex_token", "nightshift_maintenance", "nightshift_watch"}
    (text,) = bag.import_errors.values()
    assert text.startswith(f"Mistake: {tmp_path}/reports.yaml:4: flexnet.reports[0].page_sise: unknown field")


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("promotions.yml", "promotions.yml: is not read, promotions.yaml is; put what it says there, and remove it"),
        ("Reports.yaml", "Reports.yaml: is not read, reports.yaml is"),
        ("promotion.yaml", "promotion.yaml: is not read, promotions.yaml is"),
        ("values.yaml", None),
    ],
)
def test_a_file_that_nothing_reads_is_told(tmp_path: Path, file: str, told: str | None) -> None:
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text)
    (tmp_path / file).write_text("a: b\n")
    found = all_mistakes(tmp_path)
    assert len(found) == (0 if told is None else 1)
    assert told is None or found[0].startswith(f"{tmp_path}/{told}")


def test_a_file_with_the_other_ending_is_told_where_there_is_no_other(tmp_path: Path) -> None:
    (tmp_path / "reports.yml").write_text(GOOD["reports.yaml"])
    (tmp_path / "promotions.yml").write_text(GOOD["promotions.yaml"])
    assert all_mistakes(tmp_path) == [
        f"{tmp_path}/{name}.yaml: cannot be read (No such file or directory). "
        f"There is a {name}.yml; rename it to {name}.yaml."
        for name in ("reports", "promotions")
    ]
