"""``notify.yaml``: who is told, and through what. A section a channel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from nightshift.config.reading import NOTIFY, open_file
from nightshift.config.reports import Section
from nightshift.config.scalars import Json, Text, name_problem
from nightshift.config.steps import once

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


ChannelKind = Literal["teams", "pagerduty", "google_chat", "webhook", "mail", "notifier"]
"""What takes a message."""
Topic = Literal["nights", "promotions"]
"""What a message is about."""
TOPICS: tuple[Topic, ...] = get_args(Topic)


class Channel(Section):
    """One channel.

    :param to: what takes the messages: ``teams``, ``pagerduty``, ``google_chat``, ``webhook`` (JSON of ours),
        ``mail``, or ``notifier``: any notifier of Airflow
    :param connection: id of the Airflow connection. Of web hooks its password is the URL, and of ``pagerduty`` the
        routing key; of ``mail`` it is of the type ``smtp``, by default ``smtp_default``
    :param recipients: addresses of ``mail``
    :param notifier: class of the ``notifier``, with its module
    :param arguments: what that class is given; in its texts ``{title}``, ``{text}``, ``{link}``, ``{event}``,
        ``{severity}``, ``{key}`` and ``{message}`` (title, text and link) stand for what is told
    :param about: what is told: ``nights``, ``promotions``
    """

    to: ChannelKind
    connection: Text | None = None
    recipients: Annotated[tuple[Text, ...], once("recipient")] = ()
    notifier: Text | None = None
    arguments: dict[Text, Json] = Field(default_factory=dict)
    about: Annotated[tuple[Topic, ...], once("topic"), Field(min_length=1)] = TOPICS

    @property
    def connection_id(self) -> str:
        """The id of the connection; of a notifier there is none."""
        return self.connection or ("smtp_default" if self.to == "mail" else "")

    @model_validator(mode="after")
    def _sound(self) -> Channel:
        is_mail, is_notifier = self.to == "mail", self.to == "notifier"
        if is_mail != bool(self.recipients):
            raise ValueError("to: mail needs recipients" if is_mail else "recipients are for to: mail only")
        if wrong := next((one for one in self.recipients if not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", one)), None):
            raise ValueError(f"{wrong!r} is not an address; give for instance nights@example.com")
        if is_notifier != (self.notifier is not None) or (self.arguments and not is_notifier):
            what = "notifier, the class with its module" if is_notifier else "no notifier and no arguments"
            raise ValueError(f"to: {self.to} needs {what}")
        if self.notifier is not None and not _DOTTED.fullmatch(self.notifier):
            raise ValueError(f"{self.notifier!r} is not a class with its module, such as acme.chat.ChatNotifier")
        if is_notifier == (self.connection is not None) and not is_mail:
            raise ValueError(
                "the connection of a notifier is one of its arguments" if is_notifier else "the connection is missing"
            )
        return self


def channels_in_force(folder: Path | None = None, *, mistakes: list[str] | None = None) -> dict[str, Channel]:
    """Return the channels that count: each as it stands in ``notify.yaml``, or as it stood before a mistake.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :param mistakes: is given what is wrong with the file
    """
    file = open_file(NOTIFY, folder=folder)
    found = {name: file.section(name, Channel, problem=name_problem(name)) for name in file.names}
    if mistakes is not None:
        mistakes += file.mistakes
    return {name: channel for name, channel in found.items() if channel is not None}


def channels_about(topic: Topic, folder: Path | None = None) -> dict[str, Channel]:
    """Return the channels that are told of something.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    """
    return {name: one for name, one in channels_in_force(folder).items() if topic in one.about}
