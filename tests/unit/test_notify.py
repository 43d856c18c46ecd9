"""People are told by Airflow's notifiers, with the words as they are."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from airflow.sdk import BaseNotifier

from nightshift.notify import SETTING, Message, Notifier, deployment_notifiers, tell

MESSAGE = Message(subject="TEST waits", text="{{ conn.secret.password }} {url}", url="http://airflow/dags/x")


class Heard(BaseNotifier):
    """A notifier as providers have it: its arguments are templates where it is called."""

    template_fields = ("text",)
    said: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, channel: str, text: str, blocks: list[Any] | None = None) -> None:
        super().__init__()
        self.channel, self.text, self.blocks = channel, text, blocks

    def notify(self, context: Any) -> None:
        if self.channel == "broken":
            raise OSError("password=hunter2 refused")
        Heard.said.append({"channel": self.channel, "text": self.text, "blocks": self.blocks})


@pytest.fixture(autouse=True)
def heard() -> list[dict[str, Any]]:
    Heard.said.clear()
    return Heard.said


def notifier(channel: str = "#releases", **more: Any) -> dict[str, Any]:
    return {"notifier": f"{__name__}.Heard", "arguments": {"channel": channel, "text": "{subject}: {text}", **more}}


def test_the_words_of_a_message_are_put_in_as_they_are(
    monkeypatch: pytest.MonkeyPatch, heard: list[dict[str, Any]]
) -> None:
    monkeypatch.setenv(SETTING, json.dumps([notifier(blocks=[{"to": "{url}", "n": 1}])]))
    assert tell(MESSAGE) == []
    [said] = heard
    assert said["text"] == "TEST waits: {{ conn.secret.password }} {url}"
    assert said["blocks"] == [{"to": "http://airflow/dags/x", "n": 1}]


def test_one_that_fails_keeps_no_other_from_it_and_is_told_without_its_secret(heard: list[dict[str, Any]]) -> None:
    failed = tell(
        MESSAGE,
        [
            Notifier.model_validate(notifier("broken")),
            Notifier(notifier="nowhere.to.be.Found"),
            Notifier.model_validate(notifier()),
        ],
    )
    assert len(heard) == 1
    assert [one.partition(":")[0] for one in failed] == [f"{__name__}.Heard", "nowhere.to.be.Found"]
    assert "hunter2" not in failed[0]


def test_a_deployment_without_the_setting_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    assert deployment_notifiers() == ()
    assert tell(MESSAGE) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ('{"notifier": "a.B"}', "valid tuple"),
        ('[{"notifier": "os; rm"}]', "0.notifier: Value error, is not the path of a class"),
        ('[{"notifier": "a.B", "args": {}}]', "0.args: Extra inputs"),
    ],
)
def test_a_setting_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    monkeypatch.setenv(SETTING, text)
    with pytest.raises(ValueError, match=problem):
        deployment_notifiers()
    assert problem in tell(MESSAGE)[0]
