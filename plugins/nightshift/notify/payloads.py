"""The bodies of the web hooks, as their references want them.

* Teams: https://learn.microsoft.com/connectors/teams (workflow "When a Teams webhook request is received"), a message
  with an Adaptive Card, at most 28 KB. Text stands in ``TextRun``, which knows no markup.
* PagerDuty: https://developer.pagerduty.com/docs/events-api-v2 (trigger, resolve).
* Google Chat: https://developers.google.com/workspace/chat/quickstart/webhooks; at most 32,000 bytes, one thread an
  incident. Its text knows markup, which is taken out.
"""

from __future__ import annotations

import re
from typing import Any

from nightshift.notify.message import Event, Message

TEAMS_TEXT = 6_000
"""Characters of one text: of four bytes each, title and text stay below what Teams takes."""
CHAT_TEXT = 4_000
SUMMARY, DEDUP_KEY = 1_024, 255
_COLOURS = {Event.OPENED: "Attention", Event.UPDATED: "Warning", Event.CLOSED: "Good"}
_MARKUP = str.maketrans({"<": "‹", ">": "›", "*": "∗", "_": "＿", "~": "∼", "`": "ˋ"})  # noqa: RUF001 - look-alikes


def teams(message: Message) -> dict[str, Any]:
    """Return a message with an Adaptive Card."""
    body = [_run(cut(message.title, 300), weight="Bolder", color=_COLOURS[message.event])]
    body += [_run(line) for line in cut(message.text, TEAMS_TEXT).splitlines() if line]
    actions = [{"type": "Action.OpenUrl", "title": "Open", "url": message.link}] if message.link else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        **({"actions": actions} if actions else {}),
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def pagerduty(message: Message, routing_key: str) -> dict[str, Any]:
    """Return an event: opened and updated trigger, closed resolves.

    :param routing_key: integration key of the service, a secret
    """
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if message.event is Event.CLOSED else "trigger",
        "dedup_key": cut(message.key, DEDUP_KEY),
        "client": "Nightshift",
        "payload": {
            "summary": cut(message.title, SUMMARY),
            "source": message.source,
            "severity": str(message.severity),
            "timestamp": message.at.isoformat(),
            "component": message.source,
            "class": message.topic,
            "custom_details": {"text": message.text, "event": str(message.event), "message": message.number},
        },
    }
    if message.link:
        event |= {"client_url": message.link, "links": [{"href": message.link, "text": "Open"}]}
    return event


def google_chat(message: Message) -> dict[str, Any]:
    """Return a text in the thread of its key."""
    link = f"\n{message.link}" if message.link else ""
    plain = cut(f"{message.title}\n{message.text}".strip().translate(_MARKUP), CHAT_TEXT - len(link))
    return {"text": f"{plain}{link}", "thread": {"threadKey": re.sub(r"[^\w.-]", "-", message.key)}}


def plain(message: Message) -> dict[str, Any]:
    """Return everything as JSON, for a receiver of one's own."""
    return message.model_dump(mode="json")


def cut(text: str, longest: int) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}
