"""Web hooks, through the one HTTP client. The URL of a web hook is its secret, so it stands in the password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nightshift.config.notify import ChannelKind
from nightshift.errors import Rejected
from nightshift.http.hook import VendorHook
from nightshift.notify.message import Message
from nightshift.notify.payloads import google_chat, pagerduty, plain, teams

ATTEMPTS, LONGEST_WAIT = 3, 5.0
"""Attempts of one delivery, and seconds between two of them; the watch comes again after minutes."""
_ADVICE = "Put the URL that the service shows into the password of the Airflow connection."
_EXPECTED = dict.fromkeys((400, 401, 403, 404, 410), f"The message was not taken. {_ADVICE}")


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
        """Return what is sent."""
        return plain(message)

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
        return teams(message)


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
        """Return a text."""
        return google_chat(message)


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
        """Return an event.

        :raises Rejected: the connection has no integration key
        """
        if not self.password:
            raise Rejected("the Airflow connection has no integration key", vendor=self.vendor, advice=self.advice[400])
        return pagerduty(message, self.password)


HOOKS: Mapping[ChannelKind, type[WebHook]] = {
    "teams": TeamsWebHook,
    "pagerduty": PagerDutyEvents,
    "google_chat": GoogleChatWebHook,
    "webhook": WebHook,
}
