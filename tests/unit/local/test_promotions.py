"""Approvals of a promotion that is followed, and of one that an interrupted run has left before it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from include.local import promotions
from include.local.airflow import LocalAirflow
from include.local.promotions import Promotion, follow_promotion, forget_left
from include.local.rest import Api
from nightshift.config.promotions import Application
from nightshift.lake.store import Lake


class Line:
    """Promotions of one application, one after the other: each waits for one approval, and for those before it."""

    url = "http://localhost:8080"

    def __init__(self, *runs: str) -> None:
        self.waiting = list(runs)

    def follow(self, _: str, run_id: str, *, timeout: float) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        for _turn in range(10):
            ended = run_id not in self.waiting
            yield {"state": "success" if ended else "running"}, []
            if ended:
                return

    def runs(self, _: str, *, state: str) -> list[dict[str, Any]]:
        assert state == "running"
        return [{"dag_run_id": run} for run in reversed(self.waiting)]

    def questions(self, _: str, run_id: str) -> list[dict[str, Any]]:
        first = self.waiting[:1] == [run_id]
        return [{"subject": f"{run_id}?", "task_instance": {"task_id": "TEST.approve"}}] if first else []

    def answer(self, _: str, run_id: str, task_id: str, option: str) -> None:
        assert (self.waiting[0], task_id, option) == (run_id, "TEST.approve", "Approve")
        self.waiting.remove(run_id)


def promotion(*, answers: bool) -> Promotion:
    config = Application.model_validate(
        {"project": "A/B/C", "stream": "main", "build": {"environment": "DEV"}, "stages": [{"environment": "TEST"}]}
    )
    return Promotion("portal", config, answers=answers, run_id="new")


def test_a_promotion_left_before_it_is_approved_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotions, "ANSWER_AFTER", -1.0)
    line, said = Line("left", "new"), list[str]()
    one = promotion(answers=True)
    follow_promotion(cast("Api", line), one, said.append)
    assert (one.state, line.waiting) == ("success", [])
    assert [text.partition("  ")[2].partition("  ")[0] for text in said if "Approved" in text] == ["left?", "new?"]
    assert [text for text in said if "the run left is not over yet" in text] == said[:1]


def test_a_person_is_told_where_the_one_before_it_waits() -> None:
    line, said = Line("left", "new"), list[str]()
    follow_promotion(cast("Api", line), promotion(answers=False), said.append)
    assert line.waiting == ["left", "new"]
    assert [text.partition("for: ")[2] for text in said if "Your answer" in text] == [
        "http://localhost:8080/dags/promote_portal/runs/left/tasks/TEST.approve/required_actions"
    ]


def test_what_was_left_underway_is_forgotten_with_its_records_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow, lake = LocalAirflow(tmp_path, 8080), Lake.from_url(str(tmp_path / "lake"))
    runs = [("promote_portal", "left", "running"), ("promote_portal", "over", "success"), ("other", "else", "running")]
    with contextlib.closing(sqlite3.connect(airflow.database)) as database:
        database.execute("CREATE TABLE dag_run (dag_id, run_id, state)")
        database.executemany("INSERT INTO dag_run VALUES (?, ?, ?)", runs)
        database.commit()
    records = lake.objects("promotions", "portal")
    for run_id in ("left", "over"):
        records.put(f"{run_id}.json", b"{}")
    commands = list[tuple[str, ...]]()
    monkeypatch.setattr(airflow, "cli", lambda *arguments: commands.append(arguments))
    forget_left(airflow, promotion(answers=True), lake, lambda _: None)
    assert commands == [("dags", "delete", "promote_portal", "--yes")]
    assert [path.name for path in (tmp_path / "lake" / "promotions" / "portal").glob("*.json")] == ["over.json"]


def test_nothing_is_forgotten_where_all_have_ended(tmp_path: Path) -> None:
    airflow = LocalAirflow(tmp_path, 8080)
    with contextlib.closing(sqlite3.connect(airflow.database)) as database:
        database.execute("CREATE TABLE dag_run (dag_id, run_id, state)")
    forget_left(airflow, promotion(answers=True), Lake.from_url(str(tmp_path / "lake")), pytest.fail)
