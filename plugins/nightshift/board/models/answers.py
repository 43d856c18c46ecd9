"""What all answers have in common: links, what can be pressed, what is broken."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from nightshift.fields import Frozen


class Answer(Frozen):
    """What all models of the board have in common."""


class BoardPart(StrEnum):
    """A part of the board, which can be broken while the others are not."""

    NIGHTS = "nights"
    PROMOTIONS = "promotions"
    FIGURES = "figures"
    JOBS = "jobs"
    CONNECTIONS = "connections"
    INCIDENTS = "incidents"
    HOLDS = "holds"
    CONFIGURATION = "configuration"
    AIRFLOW = "airflow"


class Trouble(Answer):
    """A part that cannot be shown, or not as a whole.

    :param of: what it is about, where it is one thing of the part: ``<source>/<report>``, an application, a connection
    :param text: what is wrong and last what to do
    """

    part: BoardPart
    of: str = ""
    text: str


class Problem(Answer):
    """The body of every error.

    :param title: what it is, in a few words
    :param detail: what failed, and that nothing was lost
    :param advice: what to do
    """

    status: int
    title: str
    detail: str = ""
    advice: str = ""


class Link(Answer):
    """Something to open.

    :param href: ``http``, ``https``, or a path relative to the base of the Airflow UI
    """

    label: str
    href: str


class Ask(Answer):
    """What a person is asked before something is pressed.

    :param name: of the answer; the whole string ``${name}`` in a :class:`ApiCall` stands for it
    :param optional: may be left empty; then ``null`` is sent
    """

    name: str
    label: str
    kind: Literal["text", "moment", "choice"] = "text"
    choices: tuple[str, ...] = ()
    optional: bool = False


class ApiCall(Answer):
    """One request. A string of the body that is exactly ``${name}`` is replaced by the answer to the :class:`Ask` of
    that name.

    :param path: relative to the base of the Airflow UI, encoded
    """

    method: Literal["POST", "PUT", "PATCH"]
    path: str
    body: dict[str, Any] = Field(default_factory=dict)


class PressKind(StrEnum):
    """What can be pressed."""

    RUN = "run"
    BACKFILL = "backfill"
    CLEAR_PUBLISH = "clear_publish"
    FORCE = "force"
    HOLD = "hold"
    LIFT = "lift"
    REVOKE = "revoke"
    SETTLE = "settle"
    TEST = "test"
    ADOPT = "adopt"
    RESUBMIT = "resubmit"
    OVER = "over"
    LOOK = "look"
    CANCEL = "cancel"


class Press(Answer):
    """Something to press.

    :param says: what will happen, for the confirmation
    :param calls: made one after the other; the first that fails ends it
    :param allowed: whether this person may
    :param needs: the permission that it takes, in words
    :param danger: it ends or overwrites something
    """

    kind: PressKind
    label: str
    says: str
    calls: tuple[ApiCall, ...]
    asks: tuple[Ask, ...] = ()
    allowed: bool
    needs: str
    danger: bool = False
