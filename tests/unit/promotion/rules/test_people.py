"""People are named as they sign in, whatever Airflow's auth manager calls them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager

from nightshift.configuration import all_mistakes
from nightshift.promotion.record import RecordedAnswer
from nightshift.promotion.rules.people import Quorum, people_problem, tally

SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
KEYCLOAK = "airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager"
OURS = (
    "nightshift.auth_managers.fab.NightshiftFabAuthManager",
    "deploy.auth_manager.NightshiftFabAuthManager",
    "nightshift.auth_managers.keycloak.NightshiftKeycloakAuthManager",
)
ACCOUNT = "e6c5abb1-6a18-44e7-8480-d562d511ba62"


@pytest.mark.parametrize(
    ("auth_manager", "users", "told"),
    [
        (SIMPLE, ("ada", "7"), ""),
        *[(ours, ("ada",), "") for ours in OURS],
        ("acme.auth.AcmeAuthManager", ("ada",), ""),
        (FAB, (), ""),
        (FAB, ("7", "12"), ""),
        (
            FAB,
            ("7", "ada"),
            "'ada' could never answer: FabAuthManager knows people by the number of their row, not as they sign in. "
            f"Set AIRFLOW__CORE__AUTH_MANAGER to {OURS[0]}",
        ),
        (KEYCLOAK, (ACCOUNT,), ""),
        (
            KEYCLOAK,
            ("ada",),
            "'ada' could never answer: KeycloakAuthManager knows people by the id of their account, not as they sign "
            f"in. Set AIRFLOW__CORE__AUTH_MANAGER to {OURS[2]}",
        ),
    ],
)
def test_who_could_never_answer_is_told(auth_manager: str, users: tuple[str, ...], told: str) -> None:
    assert (people_problem(users, auth_manager) or "").startswith(told)
    assert bool(people_problem(users, auth_manager)) == bool(told)


def test_the_mistake_has_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reports.yaml").write_text("{}")
    (tmp_path / "promotions.yaml").write_text(
        "portal:\n  project: a/b\n  stream: main\n  build: {environment: DEV}\n  roll_back:\n"
        "    approval: {users: [grace]}\n"
        "  stages:\n    - environment: DEV\n    - environment: TEST\n      approval:\n        users: [ada]\n"
    )
    assert all_mistakes(tmp_path) == []
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", FAB)
    (told,) = all_mistakes(tmp_path)
    assert [line.split(" could")[0] for line in told.splitlines()[:2]] == [
        f"{tmp_path}/promotions.yaml:11: portal.stages[1].approval.users: 'ada'",
        f"{tmp_path}/promotions.yaml:6: portal.roll_back.approval.users: 'grace'",
    ]


class Person:
    """A person as both managers have them: an id that says nothing, and the name that they sign in with."""

    def get_id(self) -> str:
        return "7"

    def get_name(self) -> str:
        return "ada"


@pytest.mark.parametrize(
    ("module", "name", "theirs"),
    [
        (
            "nightshift.auth_managers.fab",
            "NightshiftFabAuthManager",
            {FAB: BaseAuthManager, "airflow.providers.fab.auth_manager.models.User": Person},
        ),
        (
            "nightshift.auth_managers.keycloak",
            "NightshiftKeycloakAuthManager",
            {KEYCLOAK: BaseAuthManager, "airflow.providers.keycloak.auth_manager.user.KeycloakAuthManagerUser": Person},
        ),
    ],
)
def test_ours_know_people_by_their_names(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, theirs: dict[str, Any]
) -> None:
    """Neither provider is installed here: Airflow's own base, whose answer is by id, stands in their place."""
    for path, what in theirs.items():
        place, _, called = path.rpartition(".")
        for parent in [place.rsplit(".", n)[0] for n in range(place.count(".") - 1)]:
            if parent not in sys.modules:
                monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        monkeypatch.setattr(sys.modules[place], called, what, raising=False)
    monkeypatch.delitem(sys.modules, module, raising=False)
    ours = getattr(import_module(module), name)
    assert BaseAuthManager.is_authorized_hitl_task(None, assigned_users={"ada"}, user=Person()) is False
    assert ours.is_authorized_hitl_task(None, assigned_users={"ada"}, user=Person()) is True
    assert ours.is_authorized_hitl_task(None, assigned_users={"7", "grace"}, user=Person()) is False
    monkeypatch.delitem(sys.modules, module)


def said(person: str, word: str = "yes", reason: str = "", terms: str = "t") -> RecordedAnswer:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return RecordedAnswer.model_validate(
        {"person": person, "name": person.title(), "word": word, "reason": reason, "at": at, "terms": terms}
    )


ONE, TWO = Quorum(), Quorum(2, is_strict=True)
NOT_EVE = Quorum(1, requester="eve", is_strict=True)
ANN_OR_EVE = Quorum(users=("ann", "Eve"))
"""One by her id, the other by her name."""


@pytest.mark.parametrize(
    ("answers", "quorum", "agreed", "rejected_by", "is_approved"),
    [
        ([], ONE, [], None, False),
        ([said("ann")], ONE, ["Ann"], None, True),
        ([said("ann")], TWO, ["Ann"], None, False),
        ([said("ann"), said("ann")], TWO, ["Ann"], None, False),
        ([said("ann"), said("bob")], TWO, ["Ann", "Bob"], None, True),
        ([said("ann", terms="old"), said("bob")], TWO, ["Bob"], None, False),
        ([said("ann", "no")], ONE, [], "Ann", False),
        ([said("ann", "no", "late")], TWO, [], "Ann", False),
        ([said("ann", "no", "late"), said("bob"), said("eve")], TWO, ["Bob", "Eve"], "Ann", False),
        ([said("ann", "no", "late"), said("ann")], TWO, ["Ann"], "Ann", False),
        ([said("ann", "no"), said("bob"), said("eve")], TWO, ["Bob", "Eve"], None, False),
        ([said("ann", "no"), said("bob"), said("ann")], TWO, ["Bob", "Ann"], None, True),
        ([said("ann", "no"), said("ann", "no", "late")], TWO, [], "Ann", False),
        ([said("ann"), said("bob"), said("bob", "no")], TWO, ["Ann"], None, False),
        ([said("ann", "no", "late", terms="old"), said("bob"), said("eve")], TWO, ["Bob", "Eve"], None, True),
        ([said("eve")], NOT_EVE, [], None, False),
        ([said("eve", "no", "mine")], NOT_EVE, [], None, False),
        ([said("eve"), said("ann")], NOT_EVE, ["Ann"], None, True),
        ([said("bob")], ANN_OR_EVE, [], None, False),
        ([said("bob", "no", "late")], ANN_OR_EVE, [], None, False),
        ([said("bob"), said("ann")], ANN_OR_EVE, ["Ann"], None, True),
        ([said("eve")], ANN_OR_EVE, ["Eve"], None, True),
    ],
)
def test_a_stage_is_approved_by_enough_different_people_and_by_nobody_against(
    answers: list[RecordedAnswer], quorum: Quorum, agreed: list[str], rejected_by: str | None, is_approved: bool
) -> None:
    found = tally(answers, quorum, "t")
    assert list(found.agreed) == agreed
    assert (found.no and found.no.name) == rejected_by
    assert found.is_approved is is_approved


def test_it_is_said_who_has_answered_what() -> None:
    quorum = Quorum(2, requester="eve", is_strict=True, users=("ann", "bob", "eve"))
    found = tally([said("ann"), said("bob", "no"), said("eve"), said("dan")], quorum, "t")
    assert found.lines == [
        "1 of 2 approved: Ann; 1 more has to",
        "Bob said no without a reason: give one, or change it",
        "the answer of Eve, who asked for it, does not count",
        "the answer of Dan, whom the approval does not name, does not count",
    ]


@pytest.mark.parametrize(
    ("quorum", "missing"),
    [
        (Quorum(2, users=("ann", "bob")), 0),
        (TWO, 0),
        (Quorum(2, "ann", users=("ann", "bob")), 1),
        (Quorum(1, "ann", users=("ann",)), 1),
    ],
)
def test_it_is_known_before_anybody_is_asked_whether_enough_may_answer(quorum: Quorum, missing: int) -> None:
    assert quorum.missing_people == missing
