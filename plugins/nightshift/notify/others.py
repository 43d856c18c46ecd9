"""Mail, through an SMTP connection of Airflow, and Airflow's own notifiers."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from nightshift.errors import Rejected
from nightshift.notify.message import Event, Message

# What services read as a link under other words, or as a call to everybody, in what we quote.
_LEFT, _RIGHT = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
_BAR, _AT = "\N{BROKEN BAR}", "\N{FULLWIDTH COMMERCIAL AT}"
_MARKUP = str.maketrans({"<": _LEFT, ">": _RIGHT, "|": _BAR})
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_LINKED = re.compile(r"\](?=[(\[]|:\s*\S*//)")
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
        ``{severity}``, ``{key}`` and ``{message}`` stand for the message. They are no templates: of what a vendor or a
        person wrote nothing is rendered, nor is a connection read by it. It is no markup either: no link under other
        words, no mention; in arguments whose name begins with ``html`` all of it is text
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


def _filled(value: Any, message: Message, argument: str = "") -> Any:
    """Return an argument with what its fields stand for.

    :param argument: name of the argument, or of the part of one, that the value is
    """
    if isinstance(value, str):
        said = _as_html if argument.lower().startswith("html") else _as_words
        return _FIELD.sub(lambda found: said(message, found[1]), value)
    if isinstance(value, Mapping):
        return {name: _filled(one, message, str(name)) for name, one in value.items()}
    return [_filled(one, message, argument) for one in value] if isinstance(value, list | tuple) else value


def _as_html(message: Message, name: str) -> str:
    return html.escape(_said(message, name))


def _as_words(message: Message, name: str) -> str:
    plain = message.model_copy(update={"title": _unmarked(message.title), "text": _unmarked(message.text)})
    return _said(plain, name)


def _said(message: Message, name: str) -> str:
    return message.words if name == "message" else str(getattr(message, name) or "")


def _unmarked(text: str) -> str:
    """Return a text in which Slack, Discord, Mattermost and their like see no link under other words and no mention:
    marks of theirs give way to others that look alike.
    """
    return _LINKED.sub("] ", _MENTION.sub(_AT, text.translate(_MARKUP)))
