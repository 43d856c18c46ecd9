"""``notify.yaml``: what a channel may say, and what is told of one that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.config.notify import channels_about, channels_in_force
from nightshift.configuration import all_mistakes


def read(folder: Path, text: str) -> tuple[dict, list[str]]:
    (folder / "notify.yaml").write_text(text)
    mistakes: list[str] = []
    return channels_in_force(folder, mistakes=mistakes), mistakes


def test_nobody_is_told_without_the_file(tmp_path: Path) -> None:
    assert channels_in_force(tmp_path) == {}


def test_a_channel_of_each_kind(tmp_path: Path) -> None:
    channels, mistakes = read(
        tmp_path,
        """
on_call: {to: pagerduty, connection: pagerduty_nights, about: [nights]}
room: {to: teams, connection: teams_nights}
chat: {to: google_chat, connection: chat_nights}
ours: {to: webhook, connection: receiver}
mail: {to: mail, recipients: [ann@example.com]}
slack:
  to: notifier
  notifier: airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier
  arguments: {slack_webhook_conn_id: slack_nights, text: "{message}"}
""",
    )
    assert mistakes == []
    assert list(channels) == ["on_call", "room", "chat", "ours", "mail", "slack"]
    assert channels["mail"].connection_id == "smtp_default"
    assert list(channels_about("promotions", tmp_path)) == ["room", "chat", "ours", "mail", "slack"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: {to: team, connection: x}", "notify.yaml:1: a.to: 'team' is not valid; did you mean 'teams'"),
        ("a: {to: teams}", "the connection is missing"),
        ("a: {to: mail}", "to: mail needs recipients"),
        ("a: {to: teams, connection: x, recipients: [a@b]}", "recipients are for to: mail only"),
        ("a: {to: mail, recipients: [ann]}", "'ann' is not an address"),
        ("a: {to: mail, recipients: ['ann@b,eve@b']}", "is not an address"),
        ("a: {to: notifier}", "needs notifier, the class with its module"),
        ("a: {to: notifier, notifier: Slack}", "'Slack' is not a class with its module"),
        ("a: {to: notifier, notifier: a.B, connection: x}", "the connection of a notifier is one of its arguments"),
        ("a: {to: teams, connection: x, arguments: {b: c}}", "needs no notifier and no arguments"),
        ("a: {to: notifier, notifier: a.B, arguments: {token: abcdef}}", "a.arguments.token"),
        ("a: {to: teams, connection: x, about: [night]}", "did you mean 'nights'"),
        ("a: {to: teams, connection: x, about: []}", "a.about: must have at least 1"),
        ("a b: {to: teams, connection: x}", "a name has letters, digits"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    channels, mistakes = read(tmp_path, text)
    assert channels == {}
    assert told in "\n".join(mistakes)


def test_a_mistake_ends_no_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    before, _ = read(tmp_path, "a: {to: teams, connection: x}")
    after, mistakes = read(tmp_path, "a: {to: teems, connection: x}")
    assert after == before
    assert "goes on as it was before" in mistakes[0]


def test_its_mistakes_are_among_those_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text("flexnet: {reports: [{name: a}]}\n")
    (tmp_path / "notify.yaml").write_text("a: {to: mail}\n")
    assert any("to: mail needs recipients" in one for one in all_mistakes(tmp_path))
    (tmp_path / "notify.yml").write_text("a: {to: mail}\n")
    assert any("notify.yml" in one for one in all_mistakes(tmp_path))
