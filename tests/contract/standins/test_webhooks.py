"""The receivers of messages refuse what the services' pages say they refuse, and take what those give as examples."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest

from include.standins.smtp import LOGIN, PASSWORD, SmtpStandIn
from include.standins.webhooks import BEARER, ROUTING_KEY, WebHooksStandIn
from tests.contract.standins.client import Answer, ask

JSON = {"Content-Type": "application/json"}
CARD = {"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "Hello"}]}
EVENT = {
    "routing_key": ROUTING_KEY,
    "event_action": "trigger",
    "dedup_key": "samplekeyhere",
    "payload": {"summary": "Example alert", "source": "monitoringtool:host", "severity": "info"},
}


@pytest.fixture
def hooks() -> Iterator[WebHooksStandIn]:
    with WebHooksStandIn() as standin:
        yield standin


def post(url: str, body: Any, **headers: str) -> Answer:
    return ask(url, method="POST", headers={**JSON, **headers}, body=json.dumps(body).encode())


def message(card: Any, kind: str = "application/vnd.microsoft.card.adaptive") -> dict[str, Any]:
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (message(CARD), 202),
        (message(CARD, "application/vnd.microsoft.teams.card.o365connector"), 400),
        (message({**CARD, "version": "2.0"}), 400),
        (message({**CARD, "body": []}), 400),
        (message({**CARD, "body": [{"type": "TextBlock"}]}), 400),
        (message({**CARD, "body": [{"type": "Blink", "text": "x"}]}), 400),
        (message({**CARD, "actions": [{"type": "Action.OpenUrl", "url": "javascript:alert(1)"}]}), 400),
        (message({**CARD, "body": [{"type": "TextBlock", "text": "x" * 28_672}]}), 413),
        ({"text": "Hello"}, 400),
    ],
)
def test_teams(hooks: WebHooksStandIn, body: Any, status: int) -> None:
    assert post(hooks.teams_url, body).status == status
    assert len(hooks.took("teams")) == (status == 202)


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({}, 202, ""),
        ({"event_action": "resolve"}, 202, ""),
        ({"event_action": "resolve", "dedup_key": ""}, 400, "dedup_key"),
        ({"event_action": "close"}, 400, "event_action"),
        ({"routing_key": "short"}, 400, "should be 32 characters"),
        ({"routing_key": "f" * 32}, 400, "routing_key"),
        ({"dedup_key": "k" * 256}, 400, "dedup_key"),
        ({"payload": {"source": "x", "severity": "info"}}, 400, "summary"),
        ({"payload": {**EVENT["payload"], "severity": "fatal"}}, 400, "severity"),
        ({"payload": {**EVENT["payload"], "summary": "s" * 1025}}, 400, "summary"),
        ({"payload": {**EVENT["payload"], "timestamp": "yesterday"}}, 400, "timestamp"),
        ({"payload": {**EVENT["payload"], "text": "x"}}, 400, "text"),
        ({"links": [{"text": "no href"}]}, 400, "href"),
    ],
)
def test_pagerduty(hooks: WebHooksStandIn, changes: dict[str, Any], status: int, told: str) -> None:
    answer = post(f"{hooks.url}/v2/enqueue", {**EVENT, **changes})
    assert answer.status == status
    if status == 202:
        assert answer.json == {"status": "success", "message": "Event processed", "dedup_key": "samplekeyhere"}
    else:
        assert answer.json["status"] == "invalid event"
        assert told in " ".join(answer.json["errors"])
        assert hooks.alerts == {}


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ("", {"text": "Hello"}, 200),
        ("&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", {"text": "a", "thread": {"threadKey": "k"}}, 200),
        ("&messageReplyOption=REPLY", {"text": "a"}, 400),
        ("", {"txt": "Hello"}, 400),
        ("", {"text": ""}, 400),
        ("", {"text": "x" * 32_001}, 413),
    ],
)
def test_google_chat(hooks: WebHooksStandIn, query: str, body: Any, status: int) -> None:
    assert post(f"{hooks.chat_url}{query}", body).status == status
    assert len(hooks.took("google_chat")) == (status == 200)


@pytest.mark.parametrize("service", ["teams_url", "chat_url"])
def test_another_secret_opens_nothing_and_none_is_in_the_ledger(hooks: WebHooksStandIn, service: str) -> None:
    url = str(getattr(hooks, service))
    assert post(f"{url}x", message(CARD)).status == 401
    assert hooks.taken == []
    assert url.rpartition("=")[2] not in str(hooks.ledger.requests())


def test_a_receiver_of_ones_own(hooks: WebHooksStandIn) -> None:
    assert post(f"{hooks.url}/receiver", {"a": 1}).status == 401
    assert post(f"{hooks.url}/receiver", {"a": 1}, Authorization=f"Bearer {BEARER}").status == 204
    assert hooks.took("webhook") == [{"a": 1}]


def test_a_mail_server() -> None:
    with (
        SmtpStandIn(refuse=frozenset({"gone@example.com"})) as server,
        smtplib.SMTP("127.0.0.1", server.port) as client,
    ):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(LOGIN, "wrong")
        client.login(LOGIN, PASSWORD)
        client.sendmail(LOGIN, ["ann@example.com"], "Subject: one\n\n.a line with a dot\n")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail(LOGIN, ["gone@example.com"], "Subject: two\n\n")
    (taken,) = server.taken
    assert (taken.user, taken.recipients, taken.message["Subject"]) == (LOGIN, ("ann@example.com",), "one")
    assert taken.message.get_content().strip() == ".a line with a dot"
