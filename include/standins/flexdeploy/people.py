"""Who may call: HTTP Basic with the password, or with an API token in its place (1.3)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

LOGIN, PASSWORD = "nightshift", "standin-flexdeploy"
TOKEN = "standin-flexdeploy-token"


@dataclass(frozen=True)
class Person:
    """A user.

    :param password: empty: of a single-sign-on realm, token only
    :param token: empty: made none
    :param token_expired: its token is past its date
    :param sees: may read projects and requests
    :param starts: may build, deploy, execute and decide tasks
    """

    name: str
    password: str = ""
    token: str = ""
    token_expired: bool = False
    sees: bool = True
    starts: bool = True


PEOPLE: Final = (
    Person(LOGIN, PASSWORD, TOKEN),
    Person("fdadmin", "standin-fdadmin"),
    Person("nightshift-sso", token="standin-sso-token"),
    Person("nightshift-reader", "standin-reader", starts=False),
    Person("nightshift-stranger", "standin-stranger", sees=False, starts=False),
    Person("nightshift-expired", token="standin-expired-token", token_expired=True),
)
"""The users; ``fdadmin`` is the one of the vendor's examples."""


def person_of(known: tuple[str, str] | None, *, tokens: bool) -> Person | None:
    """Return whom name and secret stand for, ``None``: nobody.

    :param tokens: API tokens are taken
    """
    name, secret = known or ("", "")
    person = next((one for one in PEOPLE if one.name == name), None)
    if person is None or not secret:
        return None
    right = [person.password] + ([person.token] if tokens and not person.token_expired else [])
    return person if any(one and secrets.compare_digest(one.encode(), secret.encode()) for one in right) else None
