"""Web hooks, through the one HTTP client. The URL of a web hook is its secret, so it stands in the password.

What is sent is what the references want:

* Teams: https://learn.microsoft.com/connectors/teams (workflow "When a Teams webhook request is received"), a message
  with an Adaptive Card, at most 28 KB. Text stands in ``TextRun``, which knows no markup.
* PagerDuty: https://developer.pagerduty.com/docs/events-api-v2 (trigger, resolve).
* Google Chat: https://developers.google.com/workspace/chat/quickstart/webhooks; at most 32,000 bytes, one thread an
  incident. Its text knows markup, which is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nightshift.config.notify import ChannelKind
from nightshift.errors import Rejected
from nightshift.http.hook import VendorHook
from nightshift.notify.message import Event, Message

ATTEMPTS, LONGEST_WAIT = 3, 5.0
"""Attempts of one delivery, and seconds between two of them; the watch comes again after minutes."""
TEAMS_TEXT = 6_000
"""Characters of one text: of four bytes each, title and text stay below what Teams takes."""
CHAT_TEXT = 4_000
SUMMARY = 1_024
_COLOURS = {Event.OPENED: "Attention", Event.UPDATED: "Warning", Event.CLOSED: "Good"}
_MARKUP = str.maketrans({"<": "‹", ">": "›", "*": "∗", "_": "＿", "~": "∼", "`": "ˋ"})  # noqa: RUF001 - look-alikes
_ADVICE = "Put the URL that the service shows into the password of the Airflow connection."
_EXPECTED = dict.fromkeys((400, 401, 403, 404, 410), f"The message was not taken. {_ADVICE}")


def cut(text: str, longest: int) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


class WebHook(VendorHook):
    """A web hook that takes JSON.

    The password of the connection is its URL. Where the URL is no secret it may stand in the host, and the password is
    then a bearer token, or with a login Basic authentication.
    """

    vendor = "Web hook"
    default_conn_name = "webhook_default"
    advice = _EXPECTED
    default_url = ""
    """Where it is, where the connection has no host."""
    path = "/"
    answers_with_pages = True
    """Whether an HTML page with a success may be the receiver's own word, not that of a proxy before it."""

    def __init__(self, conn_id: str, **options: Any) -> None:
        super().__init__(conn_id, **{"attempts": ATTEMPTS, "max_wait": LONGEST_WAIT, **options})

    def base_host(self, host: str) -> str:
        """Return the root of the URL, and keep what follows it."""
        secret = (self.password or "").strip()
        url = secret if "://" in secret else host or self.default_url
        try:
            parts = urlsplit(url if "://" in url else f"https://{url}")
            name = parts.hostname
        except ValueError:
            name = None
        if not name:
            raise Rejected("the Airflow connection has no URL", vendor=self.vendor, advice=_ADVICE)
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return f"{parts.scheme}://{parts.netloc}"

    async def opening(self) -> None:
        """Keep what is secret of the URL out of every message, also where only a piece of it is quoted."""
        if self.is_secret_url:
            for piece in (self.path, *self.path.partition("?")[::2]):
                await self.keep_secret(piece)

    @property
    def is_secret_url(self) -> bool:
        """Whether the password is the URL."""
        return "://" in (self.password or "")

    async def authorize(self) -> Mapping[str, str]:
        """Return a bearer token or Basic authentication, where the password is not the URL."""
        if self.is_secret_url or not self.password:
            return {}
        return await super().authorize() if self.login else self.bearer(self.password)

    def body(self, message: Message) -> dict[str, Any]:
        """Return what is sent: everything, for a receiver of one's own."""
        return message.model_dump(mode="json")

    async def post(self, message: Message) -> None:
        """Send a message. It may be repeated: receivers tell repeats by its key.

        :raises VendorError: it was not taken
        """
        never = not self.answers_with_pages
        await self.request("POST", self.path, json=self.body(message), safe=True, accept="*/*", expect_json=never)


class TeamsWebHook(WebHook):
    """A workflow of Microsoft Teams."""

    vendor = "Microsoft Teams"
    answers_with_pages = False

    def body(self, message: Message) -> dict[str, Any]:
        """Return an Adaptive Card."""
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


class GoogleChatWebHook(WebHook):
    """A web hook of a space of Google Chat."""

    vendor = "Google Chat"
    answers_with_pages = False

    def base_host(self, host: str) -> str:
        """Ask for answers in a thread."""
        root = super().base_host(host)
        self.path += f"{'&' if '?' in self.path else '?'}messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        return root

    def body(self, message: Message) -> dict[str, Any]:
        """Return a text in the thread of its key."""
        link = f"\n{message.link}" if message.link else ""
        plain = cut(f"{message.title}\n{message.text}".strip().translate(_MARKUP), CHAT_TEXT - len(link))
        return {"text": f"{plain}{link}", "thread": {"threadKey": re.sub(r"[^\w.-]", "-", message.key)}}


class PagerDutyEvents(WebHook):
    """The Events API v2 of PagerDuty; the host of the connection is ``events.pagerduty.com`` unless it says otherwise,
    for instance ``https://events.eu.pagerduty.com``.
    """

    vendor = "PagerDuty"
    answers_with_pages = False
    default_url = "https://events.pagerduty.com"
    advice = dict.fromkeys(
        (400, 401, 403, 404),
        "The event was not taken. Put the integration key of an Events API v2 integration into the password of the "
        "Airflow connection.",
    )

    def base_host(self, host: str) -> str:
        """Return the root; the key is no URL."""
        root = super().base_host(host)
        self.path = "/v2/enqueue"
        return root

    async def authorize(self) -> Mapping[str, str]:
        """Return nothing: the key is in the event."""
        return {}

    def body(self, message: Message) -> dict[str, Any]:
        """Return an event: opened and updated trigger, closed resolves.

        :raises Rejected: the connection has no integration key
        """
        if not self.password:
            raise Rejected("the Airflow connection has no integration key", vendor=self.vendor, advice=self.advice[400])
        event: dict[str, Any] = {
            "routing_key": self.password,
            "event_action": "resolve" if message.event is Event.CLOSED else "trigger",
            "dedup_key": message.key,
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


HOOKS: Mapping[ChannelKind, type[WebHook]] = {
    "teams": TeamsWebHook,
    "pagerduty": PagerDutyEvents,
    "google_chat": GoogleChatWebHook,
    "webhook": WebHook,
}
