"""Whether the people whom an approval names can be told from others when they answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from airflow.sdk import conf

from nightshift.config.document import Location
from nightshift.config.freezes import Freezes
from nightshift.config.promotions import Application

_BY_ID: Mapping[str, tuple[str, str, str]] = {
    "FabAuthManager": (
        r"[0-9]+",
        "by the number of their row",
        "nightshift.auth_managers.fab.NightshiftFabAuthManager",
    ),
    "KeycloakAuthManager": (
        r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "by the id of their account",
        "nightshift.auth_managers.keycloak.NightshiftKeycloakAuthManager",
    ),
}
"""Class of an auth manager that knows people otherwise than they sign in → what its ids look like, in words, what to
set.
"""


def people_problem(users: tuple[str, ...], auth_manager: str) -> str | None:
    """Return why the people of an approval would not be let answer, or ``None``.

    :param users: the approval's ``users``, or those who may override a freeze
    :param auth_manager: Airflow's setting ``[core] auth_manager``: a class with its module
    """
    name = auth_manager.rpartition(".")[2]
    if name not in _BY_ID:
        return None
    form, known_by, instead = _BY_ID[name]
    unknown = [user for user in users if not re.fullmatch(form, user)]
    if not unknown:
        return None
    return (
        f"{unknown[0]!r} could never answer: {name} knows people {known_by}, not as they sign in. Set "
        f"AIRFLOW__CORE__AUTH_MANAGER to {instead}, or name ids"
    )


def problems_of_freezes(freezes: Freezes) -> Iterator[tuple[Location, str]]:
    """Yield the freezes whose people this Airflow's auth manager cannot know, with their places."""
    auth_manager = conf.get("core", "auth_manager", fallback="")
    for number, freeze in enumerate(freezes.root):
        if problem := people_problem(freeze.override, auth_manager):
            yield (number, "override"), problem


def problems_of(application: Application) -> Iterator[tuple[Location, str]]:
    """Yield the approvals of an application that this Airflow's auth manager cannot honour, with their places."""
    auth_manager = conf.get("core", "auth_manager", fallback="")
    for number, stage in enumerate(application.stages):
        if stage.approval and (problem := people_problem(stage.approval.users, auth_manager)):
            yield ("stages", number, "approval", "users"), problem
    if application.roll_back and (problem := people_problem(application.roll_back.approval.users, auth_manager)):
        yield ("roll_back", "approval", "users"), problem
