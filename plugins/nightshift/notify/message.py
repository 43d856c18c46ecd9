"""What is told, in a form that every channel can take. Plain text: what it quotes of a vendor is data, not markup."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from nightshift.config.notify import Topic
from nightshift.fields import Frozen


class Event(StrEnum):
    """Where a message stands in the story of one thing."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"


class Severity(StrEnum):
    """How much of a hurry there is; the words are those of PagerDuty."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Message(Frozen):
    """One message.

    :param key: what it is about; all messages of one thing have the same. Receivers tell repeats by it
    :param number: of the message in that story, from 1; one that comes twice has the same
    :param topic: which channels it is for
    :param event: where it stands in the story
    :param title: one line
    :param text: what else there is to say, a line a sentence
    :param severity: how much of a hurry there is
    :param source: what it is of, for instance ``flexnet/usage``
    :param at: when it became known
    :param link: URL of the place to look at; ``None``: there is none
    :param facts: JSON values for programs
    """

    key: str = Field(min_length=1, max_length=255)
    number: int = Field(default=1, ge=1)
    topic: Topic
    event: Event = Event.OPENED
    title: str
    text: str = ""
    severity: Severity = Severity.ERROR
    source: str = "nightshift"
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    link: str | None = None
    facts: dict[str, Any] = Field(default_factory=dict)

    @property
    def words(self) -> str:
        """Title, text and link in one."""
        return "\n".join(part for part in (self.title, self.text, self.link or "") if part)
