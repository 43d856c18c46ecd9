"""Mail, through an SMTP connection of Airflow, and Airflow's own notifiers."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from nightshift.errors import Rejected
from nightshift.notify.message import Event, Message

_FIELD = re.compile(r"\{(title|text|link|event|severity|key|message)\}")
_CLASS_ADVICE = "Nothing was sent. Correct the notifier in notify.yaml, or install the provider that has it."


def mail(message: Message, connection: str, recipients: Sequence[str]) -> None:
    """Send a mail. Blocks. Mails of one key are one thread.

    :param connection: id of a connection of the type ``smtp``; its extra ``from_email`` is the sender
    :raises Rejected: the server has refused recipients; the others have it
    """
    from nightshift.notify.smtp import TellingSmtpHook

    lines = [*message.text.splitlines(), *([message.link] if message.link else [])]
    key = re.sub(r"[^\w.+-]", "-", message.key, flags=re.ASCII)
    thread, own = f"<{key}@nightshift>", f"<{key}.{message.number}@nightshift>"
    headers = {"Message-ID": own, "X-Nightshift-Key": key, "Auto-Submitted": "auto-generated"}
    if message.event is not Event.OPENED or message.number > 1:
        headers |= {"References": thread, "In-Reply-To": thread}
    with TellingSmtpHook(smtp_conn_id=connection) as smtp:
        smtp.send(
            to=list(recipients),
            subject=" ".join(message.title.split()),
            html_content="".join(f"<p>{html.escape(line)}</p>\n" for line in [message.title, *lines]),
            custom_headers=headers,
        )


def airflow_notifier(message: Message, name: str, arguments: Mapping[str, Any]) -> None:
    """Call a notifier of Airflow. Blocks.

    :param name: module and class
    :param arguments: what the class is given; in their texts ``{title}``, ``{text}``, ``{link}``, ``{event}``,
        ``{severity}``, ``{key}`` and ``{message}`` stand for the message. They are no templates: what a vendor or a
        person wrote is put in as it is, and nothing in it is rendered, nor is a connection read by it
    :raises Rejected: there is no such notifier, or it takes other arguments
    """
    from airflow.sdk import BaseNotifier

    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise Rejected(f"the notifier {name} is not there ({error})", advice=_CLASS_ADVICE) from None
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise Rejected(f"{name} is no notifier of Airflow", advice=_CLASS_ADVICE)
    try:
        notifier = found(**_filled(arguments, message))
    except TypeError as error:
        raise Rejected(f"the notifier {name} does not take these arguments ({error})", advice=_CLASS_ADVICE) from None
    # Not by calling it: that renders its arguments, and with them what the message says, as templates.
    notifier.notify({})


def _filled(value: Any, message: Message) -> Any:
    if isinstance(value, str):
        return _FIELD.sub(lambda found: _said(message, found[1]), value)
    if isinstance(value, Mapping):
        return {name: _filled(one, message) for name, one in value.items()}
    return [_filled(one, message) for one in value] if isinstance(value, list | tuple) else value


def _said(message: Message, name: str) -> str:
    return message.words if name == "message" else str(getattr(message, name) or "")
