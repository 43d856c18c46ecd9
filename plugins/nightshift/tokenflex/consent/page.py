"""What the sign-in page shows: who granted what until when. No token, code or secret ever gets here."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from nightshift.tokenflex.auth import SignInMethod
from nightshift.tokenflex.consent.store import Notice
from nightshift.tokenflex.renewal import WARN_DAYS, when
from nightshift.tokenflex.tokens import Chain


class GrantState(StrEnum):
    """How it stands with the access of one connection."""

    UNATTENDED = "needs no person"
    NONE = "not granted"
    GOOD = "granted"
    LATE = "granted, but not renewed in time"
    LAPSING = "about to lapse"
    LAPSED = "lapsed"
    LOST = "lost"
    UNREADABLE = "unreadable"


GOOD = frozenset({GrantState.GOOD, GrantState.UNATTENDED})


class ConnectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One connection on the page; facts are pairs of a name and a text.

    :param ticket: sealed proof for its form; empty: no button
    """

    connection: str
    state: GrantState
    advice: str = ""
    facts: Sequence[tuple[str, str]] = ()
    ticket: str = ""

    @property
    def tone(self) -> str:
        """Class of the badge."""
        return "good" if self.state in GOOD else "none" if self.state is GrantState.NONE else "bad"


def grant_state(chain: Chain | None, now: float) -> GrantState:
    """Return how it stands with a granted connection.

    :param chain: what is stored, ``None`` where nobody has granted access
    :param now: epoch seconds
    """
    if chain is None:
        return GrantState.NONE
    if chain.lost:
        return GrantState.LOST
    if chain.pair.lapses <= now:
        return GrantState.LAPSED
    if chain.pair.days_left(now) < WARN_DAYS:
        return GrantState.LAPSING
    return GrantState.LATE if chain.pair.ends <= now else GrantState.GOOD


_ADVICE = {
    GrantState.UNATTENDED: "This connection signs in by itself; nothing is to be granted.",
    GrantState.NONE: "Exports of this connection cannot run until a Token Flex administrator grants access.",
    GrantState.GOOD: "The DAG tokenflex_token keeps it alive; nothing is to be done.",
    GrantState.LATE: "The DAG tokenflex_token has not renewed it: look whether it is paused or fails. The grant "
    "itself is still good.",
    GrantState.LAPSING: "The DAG tokenflex_token has not renewed it for days: look whether it is paused or fails, "
    "or grant access anew.",
    GrantState.LAPSED: "Autodesk's refresh token has ended. Grant access anew.",
    GrantState.LOST: "Autodesk does not accept the refresh token any more. Grant access anew.",
    GrantState.UNREADABLE: "What is stored for this connection is damaged, or the Fernet key has changed. Grant "
    "access anew.",
}


def row_of(
    connection: str, method: SignInMethod, chain: Chain | None, *, ticket: str, unreadable: bool = False
) -> ConnectionRow:
    """Return the row of a connection."""
    if method is not SignInMethod.THREE_LEGGED:
        return ConnectionRow(
            connection=connection,
            state=GrantState.UNATTENDED,
            advice=_ADVICE[GrantState.UNATTENDED],
            facts=(("Signs in as", method.replace("_", " ")),),
        )
    state = GrantState.UNREADABLE if unreadable else grant_state(chain, time.time())
    return ConnectionRow(
        connection=connection, state=state, advice=_ADVICE[state], facts=_facts(chain) if chain else (), ticket=ticket
    )


def _facts(chain: Chain) -> list[tuple[str, str]]:
    facts = [
        ("Granted by", chain.grant.granted_by),
        ("Granted on", when(chain.grant.granted_at)),
        ("Scope", chain.grant.scope),
        ("Last renewed", f"{when(chain.pair.issued)} ({chain.number} times so far)" if chain.number else "not yet"),
        ("Access token until", when(chain.pair.ends)),
        ("Grant lapses, if not renewed", when(chain.pair.lapses)),
    ]
    if chain.journal is not None and chain.journal.words:
        facts.append(("Trouble", chain.journal.words))
    return facts


def render(rows: Sequence[ConnectionRow], *, notice: Notice | None, callback: str, encrypted: bool) -> str:
    """Return the page.

    :param callback: callback URL to register with the app at Autodesk
    :param encrypted: whether Airflow has a Fernet key; without one nothing can be granted
    """
    style = Markup(_style())  # noqa: S704  # a file of this package
    return _template().render(rows=rows, notice=notice, callback=callback, encrypted=encrypted, style=style)


def style_hash() -> str:
    """Return what allows the page's own style in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()}'"


@cache
def _template() -> Template:
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        _file("page.html")
    )


@cache
def _style() -> str:
    return _file("page.css")


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
