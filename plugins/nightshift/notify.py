"""Telling people: any notifier of Airflow by its class and its arguments, told by the configuration.

A notifier is named as in code, for instance (``NIGHTSHIFT_NOTIFIERS``, in the environment of every Airflow process)::

    [{"notifier": "airflow.providers.slack.notifications.slack.SlackNotifier",
      "arguments": {"slack_conn_id": "slack_default", "channel": "#releases", "text": "{subject} {text} {url}"}}]

In its arguments ``{subject}``, ``{text}`` and ``{url}`` stand for the message. They are not templates: what a vendor or a
person wrote is put in as it is, and nothing in it is rendered, nor is a connection read by what an argument says.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from nightshift.fields import Frozen
from nightshift.redaction import redact

log = logging.getLogger(__name__)

SETTING = "NIGHTSHIFT_NOTIFIERS"
_FIELD = re.compile(r"\{(subject|text|url)\}")


def _dotted(given: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", given):
        raise ValueError("is not the path of a class, such as airflow.providers.smtp.notifications.smtp.SmtpNotifier")
    return given


class Message(Frozen):
    """What people are told.

    :param subject: one line
    :param url: where to look or answer; empty: nowhere
    """

    subject: str
    text: str
    url: str = ""


class Notifier(Frozen):
    """A notifier of Airflow: a class with ``notify(context)``, as that of :class:`airflow.sdk.BaseNotifier`.

    :param notifier: its class, with its module
    :param arguments: its arguments; secrets are in the connection that one of them names
    """

    notifier: Annotated[str, AfterValidator(_dotted)]
    arguments: dict[str, Any] = Field(default_factory=dict)

    def send(self, message: Message) -> None:
        """Tell people. Blocks, as long as the notifier takes.

        :raises Exception: whatever the notifier raises; also that there is no such class
        """
        module, _, name = self.notifier.rpartition(".")
        made = getattr(import_module(module), name)(**_filled(self.arguments, message))
        # Not by calling it: that renders its arguments, and with them what the message says, as templates.
        made.notify({})


def deployment_notifiers() -> tuple[Notifier, ...]:
    """Return the notifiers of this deployment; none where the setting is not there.

    :raises ValueError: the setting cannot be read; says where
    """
    if not (text := os.environ.get(SETTING, "").strip()):
        return ()
    try:
        return TypeAdapter(tuple[Notifier, ...]).validate_python(json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"{SETTING} is not JSON: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{SETTING}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def tell(message: Message, notifiers: Sequence[Notifier] | None = None) -> list[str]:
    """Tell people by each notifier; one that fails keeps none of the others from it. Blocks.

    :param notifiers: default: those of the deployment
    :return: why people were not told, a sentence for each notifier that failed
    """
    try:
        notifiers = deployment_notifiers() if notifiers is None else notifiers
    except ValueError as error:
        return [str(error)]
    failed = []
    for one in notifiers:
        try:
            one.send(message)
        except Exception as error:
            failed.append(redact(f"{one.notifier}: {type(error).__name__}: {error}")[:500])
    for why in failed:
        log.warning("Nobody was told %r by this notifier: %s", message.subject, why)
    return failed


def _filled(value: Any, message: Message) -> Any:
    if isinstance(value, str):
        return _FIELD.sub(lambda found: str(getattr(message, found[1])), value)
    if isinstance(value, dict):
        return {name: _filled(one, message) for name, one in value.items()}
    return [_filled(one, message) for one in value] if isinstance(value, list) else value
