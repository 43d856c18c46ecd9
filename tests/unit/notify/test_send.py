"""Messages through every kind of channel, over real sockets, to receivers that refuse what the real ones refuse."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from include.standins.faults import Fault, FaultKind
from include.standins.smtp import LOGIN, PASSWORD, SmtpStandIn
from include.standins.webhooks import BEARER, CHAT_KEY, CHAT_TOKEN, ROUTING_KEY, SIGNATURE, WORKFLOW, WebHooksStandIn
from nightshift.config.notify import Channel
from nightshift.notify.message import Event, Message, Severity
from nightshift.notify.send import atell, deliver, tell, try_channel, try_channel_of

TEAMS = Channel(to="teams", connection="teams_nights")
CHAT = Channel(to="google_chat", connection="chat_nights")
PAGER = Channel(to="pagerduty", connection="pagerduty_nights")
RECEIVER = Channel(to="webhook", connection="receiver")
MAIL = Channel(to="mail", recipients=("ann@example.com", "bob@example.com"))


def message(**changes: Any) -> Message:
    given = {
        "key": "2026-11-27.flexnet.usage.absent",
        "topic": "nights",
        "event": Event.OPENED,
        "title": "flexnet/usage, night 2026-11-27, is missing: nothing has begun",
        "text": "Since: 2026-11-28 06:00 UTC\nWhat to do: trigger it",
        "severity": Severity.ERROR,
        "source": "flexnet/usage",
        "at": datetime(2026, 11, 28, 6, 5, tzinfo=UTC),
        "link": "https://airflow.example.com/dags/flexnet_reports",
        "facts": {"night": "2026-11-27"},
    }
    return Message.model_validate({**given, **changes})


async def test_every_web_hook_takes_a_message(connected: WebHooksStandIn) -> None:
    channels = {"room": TEAMS, "chat": CHAT, "on_call": PAGER, "ours": RECEIVER}
    assert await atell(message(), channels) == dict.fromkeys(channels)
    (card,) = [one["attachments"][0]["content"] for one in connected.took("teams")]
    assert card["body"][0]["inlines"][0]["text"] == message().title
    assert card["actions"][0]["url"] == message().link
    (chat,) = connected.took("google_chat")
    assert chat["text"].splitlines()[0] == message().title
    (event,) = connected.took("pagerduty")
    assert (event["event_action"], event["dedup_key"], event["payload"]["severity"]) == (
        "trigger",
        message().key,
        "error",
    )
    (ours,) = connected.took("webhook")
    assert Message.model_validate(ours) == message()


async def test_a_page_of_a_proxy_is_no_message_taken(connected: WebHooksStandIn) -> None:
    connected.faults.add(Fault(kind=FaultKind.HTML_200, times=None))
    channels = {"room": TEAMS, "chat": CHAT, "on_call": PAGER, "ours": RECEIVER}
    told = await atell(message(), channels)
    assert {name: error is None for name, error in told.items()} == {
        "room": False,
        "chat": False,
        "on_call": False,
        "ours": True,  # a receiver of one's own may answer as it likes
    }
    connected.faults.clear()
    connected.faults.add(Fault(kind=FaultKind.HTML_200))
    assert await atell(message(), {"on_call": PAGER}) == {"on_call": None}
    assert len(connected.took("pagerduty")) == 1


async def test_the_story_of_one_incident_is_one_alert_and_one_thread(connected: WebHooksStandIn) -> None:
    for number, event in enumerate((Event.OPENED, Event.UPDATED, Event.CLOSED), start=1):
        told = await atell(message(event=event, number=number), {"on_call": PAGER, "chat": CHAT})
        assert told == {"on_call": None, "chat": None}
        assert connected.alerts == {message().key: "resolved" if event is Event.CLOSED else "triggered"}
    assert {effect.key for effect in connected.ledger.effects(kind="chat_message")} == {message().key}


async def test_what_is_quoted_is_no_markup(connected: WebHooksStandIn) -> None:
    evil = "<users/all> *bold* <https://evil.example.com|click> [a](https://evil.example.com)"
    await atell(message(title=evil, text=evil, link=None), {"chat": CHAT, "room": TEAMS})
    (chat,) = connected.took("google_chat")
    assert not set("<>*_`~") & set(chat["text"])
    (card,) = [one["attachments"][0]["content"] for one in connected.took("teams")]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}


async def test_what_is_too_long_is_cut_to_what_each_takes(connected: WebHooksStandIn) -> None:
    long = message(title="é" * 3000, text="\n".join("ü" * 500 for _ in range(100)))
    channels = {"room": TEAMS, "chat": CHAT, "on_call": PAGER}
    assert await atell(long, channels) == dict.fromkeys(channels)


@pytest.mark.parametrize(
    ("channel", "given"),
    [
        (TEAMS, {"password": "{url}/workflows/" + WORKFLOW + "/triggers/manual/paths/invoke?sig=wrong-signature-77"}),
        (CHAT, {"password": "{url}/v1/spaces/AAAAnights/messages?key=" + CHAT_KEY + "&token=wrong-token-7788"}),
        (PAGER, {"host": "{url}", "password": "f" * 32}),
        (PAGER, {"host": "{url}", "password": "short-key"}),
        (RECEIVER, {"host": "{url}/receiver", "password": "wrong-bearer-7788"}),
    ],
)
async def test_what_is_refused_is_told_without_a_secret(
    channel: Channel, given: dict[str, str], hooks: WebHooksStandIn, connect, caplog
) -> None:
    connect(channel.connection_id, **{name: text.format(url=hooks.url) for name, text in given.items()})
    problem = await deliver(message(), "room", channel)
    assert problem is not None
    assert f"connection {channel.connection_id}" in problem
    secrets = [given["password"].partition("?")[2] or given["password"], "wrong-", CHAT_KEY, "ffffffff", "short-key"]
    assert not [one for one in secrets if one in problem + caplog.text]
    assert hooks.taken == []


async def test_the_path_of_a_web_hook_is_a_secret_as_well(hooks: WebHooksStandIn, connect, caplog) -> None:
    connect("teams_nights", password=hooks.teams_url)
    hooks.faults.add(Fault(kind=FaultKind.STATUS, status=404, times=None))
    problem = await deliver(message(), "room", TEAMS)
    assert "404" in (problem or "")
    assert WORKFLOW not in (problem or "") + caplog.text
    assert SIGNATURE not in (problem or "") + caplog.text


async def test_a_server_that_is_busy_is_asked_again(connected: WebHooksStandIn) -> None:
    connected.faults.add(Fault(kind=FaultKind.STATUS, status=503, path="/v2/", times=1))
    assert await deliver(message(), "on_call", PAGER) is None
    assert [entry.status for entry in connected.ledger.requests(path="/v2/enqueue")] == [503, 202]


async def test_one_that_hangs_or_is_not_there_holds_up_no_other(connected: WebHooksStandIn, connect) -> None:
    connected.faults.add(Fault(kind=FaultKind.HOLD, path="/workflows/", times=None))
    connect("nobody", host="http://127.0.0.1:9/", password="")
    with SmtpStandIn(silent=True) as deaf:
        connect("deaf", conn_type="smtp", host="127.0.0.1", port=deaf.port, extra={"disable_ssl": True})
        channels = {
            "room": TEAMS,
            "gone": Channel(to="webhook", connection="nobody"),
            "deaf": Channel(to="mail", connection="deaf", recipients=("ann@example.com",)),
            "missing": Channel(to="webhook", connection="no_such_connection"),
            "on_call": PAGER,
        }
        began = time.monotonic()
        told = await atell(message(), channels, seconds=8)
    assert told["on_call"] is None
    assert (told["room"] or "").startswith("no answer within 8 s")
    assert (told["deaf"] or "").startswith("no answer within 8 s")
    assert "no_such_connection" in (told["missing"] or "")
    assert told["gone"]
    assert time.monotonic() - began < 20
    connected.release()


def test_mail_is_plain_words_in_one_thread(mailbox: SmtpStandIn) -> None:
    evil = message(title='<script>alert("x")</script>\nBcc: eve@example.com', text="a <b>bold</b> lie")
    assert asyncio.run(deliver(evil, "mail", MAIL)) is None
    assert asyncio.run(deliver(message(event=Event.CLOSED, number=2), "mail", MAIL)) is None
    first, last = mailbox.taken
    assert (first.sender, first.recipients, first.user) == (LOGIN, MAIL.recipients, LOGIN)
    assert first.message["Subject"] == '<script>alert("x")</script> Bcc: eve@example.com'
    assert first.message["Bcc"] is None
    body = first.message.get_body(("html",))
    assert body is not None
    assert "<b>" not in body.get_content()
    assert "a &lt;b&gt;bold&lt;/b&gt; lie" in body.get_content()
    assert message().link in body.get_content()
    assert last.message["References"] == f"<{message().key}@nightshift>"
    assert first.message["Message-ID"] != last.message["Message-ID"]


def test_a_mailbox_that_is_gone_is_told(mailbox: SmtpStandIn, connect) -> None:
    gone = Channel(to="mail", recipients=("gone@example.com",))
    problem = asyncio.run(deliver(message(), "mail", gone)) or ""
    assert "refused gone@example.com (550 5.1.1 no such mailbox)" in problem
    assert PASSWORD not in problem


def test_one_recipient_that_is_refused_beside_another_is_told_and_the_mail_tried_again(mailbox: SmtpStandIn) -> None:
    both = Channel(to="mail", recipients=("ann@example.com", "gone@example.com"))
    problem = asyncio.run(deliver(message(), "mail", both)) or ""
    assert "refused gone@example.com (550 5.1.1 no such mailbox)" in problem
    assert "ann@example.com" not in problem
    assert [one.recipients for one in mailbox.taken] == [("ann@example.com",)]
    mailbox.refuse = frozenset()
    assert asyncio.run(deliver(message(), "mail", both)) is None
    first, again = mailbox.taken
    assert again.recipients == both.recipients
    assert again.message["Message-ID"] == first.message["Message-ID"]


class Shouting(BaseNotifier):
    """A notifier as people write them."""

    template_fields = ("words", "nested")
    heard: list[tuple[str, Any]] = []  # noqa: RUF012

    def __init__(self, words: str, nested: Any = None) -> None:
        super().__init__()
        self.words, self.nested = words, nested

    def notify(self, context: Any) -> None:
        self.heard.append((self.words, self.nested))


class Failing(Shouting):
    def notify(self, context: Any) -> None:
        raise ValueError(f"the service says no, token={BEARER}")


def notifier(kind: type, **arguments: Any) -> Channel:
    return Channel(to="notifier", notifier=f"{kind.__module__}.{kind.__qualname__}", arguments=arguments)


@pytest.fixture
def shouting(monkeypatch: pytest.MonkeyPatch) -> type[Shouting]:
    import sys

    monkeypatch.setitem(sys.modules, Shouting.__module__, sys.modules[__name__])
    Shouting.heard.clear()
    return Shouting


def test_a_notifier_of_airflow_gets_the_words_as_they_are(shouting, connect) -> None:
    connect("secret_one", password="hush-hush-77")
    channel = notifier(
        Shouting,
        words="{event}: {title} {{ conn.secret_one.password }} {nobody}",
        nested={"blocks": ["{severity}", {"url": "{link}", "n": 1}]},
    )
    said = message(title="{{ conn.secret_one.password }} {text}")
    assert asyncio.run(deliver(said, "slack", channel)) is None
    ((words, nested),) = Shouting.heard
    assert words == "opened: {{ conn.secret_one.password }} {text} {{ conn.secret_one.password }} {nobody}"
    assert nested == {"blocks": ["error", {"url": message().link, "n": 1}]}


HOSTILE = (
    "<!channel> @everyone session expired, <https://evil.example/login|Open the run in Airflow>, "
    "[Open](https://evil.example), ![x](https://evil.example/x.png), [Open|https://evil.example]; [1]: "
    "https://evil.example; rows[3]: 7; ask ann@example.com"
)


def test_what_a_vendor_wrote_is_no_markup_to_a_notifier(shouting) -> None:
    said = message(title="flexnet_reports <!here>", text=HOSTILE)
    channel = notifier(Shouting, words="*{title}* <{link}|Open> {text}", nested={"all": ["{message}"], "key": "{key}"})
    assert asyncio.run(deliver(said, "slack", channel)) is None
    ((words, nested),) = Shouting.heard
    text = (
        "\u2039!channel\u203a \uff20everyone session expired, \u2039https://evil.example/login\u00a6Open the run in "
        "Airflow\u203a, [Open] (https://evil.example), ![x] (https://evil.example/x.png), "
        "[Open\u00a6https://evil.example]; [1] : https://evil.example; rows[3]: 7; ask ann@example.com"
    )
    assert words == f"*flexnet_reports \u2039!here\u203a* <{said.link}|Open> {text}"
    assert nested == {"all": [f"flexnet_reports \u2039!here\u203a\n{text}\n{said.link}"], "key": said.key}


def test_what_a_vendor_wrote_is_text_in_an_argument_of_html(mailbox: SmtpStandIn) -> None:
    page = "<p>{text}</p><a href='{link}'>{title}</a>"
    arguments = {"to": "ann@example.com", "subject": "{title}", "html_content": page}
    name = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
    said = message(title="usage", text="<script>alert('x')</script> & more", link="http://airflow/?a=1&b='2'")
    channel = Channel(to="notifier", notifier=name, arguments=arguments)
    assert asyncio.run(deliver(said, "mail", channel)) is None
    sent = str(mailbox.taken[0].message.get_payload(0).get_payload(decode=True), "utf-8")
    assert "<p>&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; more</p>" in sent
    assert "<a href='http://airflow/?a=1&amp;b=&#x27;2&#x27;'>usage</a>" in sent


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        (Channel(to="notifier", notifier="acme.chat.Notifier"), "the notifier acme.chat.Notifier is not there"),
        (Channel(to="notifier", notifier="pathlib.Path"), "pathlib.Path is no notifier of Airflow"),
        (notifier(Shouting, wrds="x"), "does not take these arguments"),
        (notifier(Failing, words="x"), "the service says no"),
    ],
)
def test_what_is_wrong_with_a_notifier_is_told(shouting, channel: Channel, told: str) -> None:
    problem = asyncio.run(deliver(message(), "slack", channel)) or ""
    assert told in problem
    assert BEARER not in problem


def test_airflows_own_notifier_for_mail(mailbox: SmtpStandIn) -> None:
    channel = Channel(
        to="notifier",
        notifier="airflow.providers.smtp.notifications.smtp.SmtpNotifier",
        arguments={"to": "ann@example.com", "subject": "{title}", "html_content": "<p>{text}</p>"},
    )
    assert asyncio.run(deliver(message(), "mail", channel)) is None
    assert mailbox.taken[0].message["Subject"] == message().title


async def test_a_test_leaves_nobody_called(connected: WebHooksStandIn) -> None:
    assert await try_channel("on_call", PAGER) is None
    assert list(connected.alerts.values()) == ["resolved"]


def test_a_channel_of_the_file_is_tried_by_its_name(connected: WebHooksStandIn, tmp_path: Path) -> None:
    (tmp_path / "notify.yaml").write_text("on_call: {to: pagerduty, connection: pagerduty_nights}\n")
    assert try_channel_of("on_call", tmp_path) is None
    with pytest.raises(LookupError, match="no channel 'oncall'; did you mean 'on_call'"):
        try_channel_of("oncall", tmp_path)


def test_one_call_tells_all_channels_of_the_topic(connected: WebHooksStandIn, tmp_path: Path) -> None:
    (tmp_path / "notify.yaml").write_text(
        "on_call: {to: pagerduty, connection: pagerduty_nights, about: [nights]}\n"
        "ours: {to: webhook, connection: receiver}\n"
        "gone: {to: webhook, connection: nobody_there, about: [promotions]}\n"
    )
    assert tell(Message(key="k", topic="nights", title="t"), tmp_path) == []
    assert {service for service, _ in connected.taken} == {"pagerduty", "webhook"}
    (problem,) = tell(Message(key="k", topic="promotions", title="TEST waits"), tmp_path)
    assert problem.startswith("the channel gone did not take it: ")
    assert len(connected.took("webhook")) == 2


def test_secrets_of_the_stand_ins_are_none_of_each_other() -> None:
    assert len({SIGNATURE, CHAT_KEY, CHAT_TOKEN, ROUTING_KEY, BEARER, PASSWORD}) == 6
