"""``verify``, ``soak`` and ``on_failure`` in ``promotions.yaml``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from nightshift.config.promotions import Application, read_applications
from nightshift.config.scalars import Duration, duration_text
from nightshift.config.stages import Stage
from nightshift.config.verification import LONGEST_PATH, Probe, Verification, parts_of, value_at

WHOLE = """
portal:
  project: Licensing/Portal
  stream: main
  build: {environment: DEV}
  on_failure: stop
  stages:
    - environment: TEST
      verify:
        probes:
          - url: https://portal-test.example.com/health
            expect: {$.version: "${version}", $.ready: true, $.port: 8080, $.name: "8080"}
            tries: 4
            every: 30s
          - {name: deep, connection: portal_test, path: /health/deep?full=1, status: 204, timeout: 1m}
        utilities:
          - {name: smoke, project: Licensing/Smoke}
        next_night: {reports: [flexnet/entitlement], within: 2d}
      soak: 4h
      on_failure: roll_back
"""
SHORT = {"project_id": 1, "stream_id": 2, "build": {"environment_id": 3}}
ANSWER = {"version": "1.0.2", "checks": [{"state": "up", "a.b": None}], "deep": {"x": {"y": [[7]]}}}
DURATIONS = TypeAdapter[timedelta](Duration)


def test_all_of_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text("flexnet: {reports: [{name: entitlement}]}")
    (tmp_path / "promotions.yaml").write_text(WHOLE)
    portal = read_applications(tmp_path)["portal"]
    assert isinstance(portal, Application), portal
    [stage] = portal.stages
    verify = stage.verify
    assert verify is not None
    assert verify.names == ["probe", "deep", "smoke", "next_night"]
    assert verify.probes[0].expect == {"$.version": "${version}", "$.ready": True, "$.port": 8080, "$.name": "8080"}
    assert (verify.probes[0].longest, verify.probes[1].status) == (4 * timedelta(seconds=40), 204)
    assert verify.next_night is not None
    assert (verify.next_night.within, verify.next_night.every) == (timedelta(days=2), timedelta(minutes=10))
    assert (stage.soak, portal.on_failure_of(stage)) == (timedelta(hours=4), "roll_back")
    (tmp_path / "promotions.yaml").write_text(WHOLE.replace("entitlement", "usage"))
    assert "is not a report that reports.yaml configures" in str(read_applications(tmp_path)["portal"])


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("30s", 30), ("90m", 5400), ("4h", 14400), ("2d", 172800), ("366d", 31622400)]
)
def test_a_length_of_time_is_a_whole_number_of_one_unit(text: str, seconds: int) -> None:
    length = DURATIONS.validate_python(text)
    assert (length, duration_text(length)) == (timedelta(seconds=seconds), text)
    assert DURATIONS.dump_json(length) == f'"{text}"'.encode()


@pytest.mark.parametrize("text", ["", "0s", "4", "4 h", "1.5h", "-1h", "1w", "4H", "367d", "٤h", "PT4H", 4, True, None])
def test_nothing_else_is_one(text: Any) -> None:
    with pytest.raises(ValidationError, match=r"a length of time|must be from 1s to 366d"):
        DURATIONS.validate_python(text)


@pytest.mark.parametrize(
    ("said", "of_stage", "roll_back", "follows"),
    [
        (None, None, {}, "offer"),
        (None, None, None, "stop"),
        ("stop", None, {}, "stop"),
        ("roll_back", None, {}, "roll_back"),
        ("roll_back", "offer", {}, "offer"),
        ("stop", "roll_back", {}, "roll_back"),
        ("stop", "stop", None, "stop"),
    ],
)
def test_a_stage_says_what_follows_or_its_application_does(
    said: str | None, of_stage: str | None, roll_back: Any, follows: str
) -> None:
    stage = {"environment_id": 4, "on_failure": of_stage}
    portal = Application.model_validate({**SHORT, "stages": [stage], "on_failure": said, "roll_back": roll_back})
    assert portal.on_failure_of(portal.stages[0]) == follows


@pytest.mark.parametrize(
    ("said", "of_stage"), [("offer", None), ("roll_back", None), (None, "offer"), ("stop", "roll_back")]
)
def test_no_roll_back_and_a_way_back_contradict_each_other(said: str | None, of_stage: str | None) -> None:
    stage = {"environment_id": 4, "name": "TEST", "on_failure": of_stage}
    with pytest.raises(ValidationError, match="contradicts roll_back: null"):
        Application.model_validate({**SHORT, "stages": [stage], "on_failure": said, "roll_back": None})


@pytest.mark.parametrize(
    ("probe", "problem"),
    [
        ({}, "needs url, or connection and path"),
        ({"url": "https://x/", "connection": "y", "path": "/"}, "one of the two"),
        ({"connection": "y"}, "connection and path go together"),
        ({"url": "https://x/", "path": "/"}, "connection and path go together"),
        ({"url": "ftp://x/"}, "is not an address"),
        ({"url": "https://"}, "is not an address"),
        ({"url": "https://x:99999/"}, "is not an address"),
        ({"url": "https://ann:secret@x/"}, "has a user in it"),
        ({"url": "https://x/#a"}, "has a fragment"),
        ({"connection": "y", "path": "health"}, "begins with one slash"),
        ({"connection": "y", "path": "//evil.example.com/"}, "begins with one slash"),
        ({"url": "https://x/", "expect": {"$..v": "1"}}, "is not a path into JSON"),
        ({"url": "https://x/", "expect": {"v": ["1"]}}, "must be one value"),
        (
            {"url": "https://x/", "expect": {"v": "${Version}"}},
            r"'\$\{Version\}' stands for nothing.*'\$\{version\}'\?",
        ),
        ({"url": "https://x/", "expect": {"v": "v${versoin_id}"}}, r"did you mean '\$\{version_id\}'\?"),
        ({"url": "https://x/", "expect": {"v": "${version"}}, r"did you mean '\$\{version\}'\?"),
        ({"url": "https://x/", "expect": {"v": "$version"}}, r"did you mean '\$\{version\}'\?"),
        ({"url": "https://x/", "expect": {"v": "a $VERSION_ID"}}, r"did you mean '\$\{version_id\}'\?"),
        ({"url": "https://x/", "expect": {"v": "${user}"}}, r"where the answer itself has it, write '\$\$\{user\}'"),
        ({"url": "https://x/", "tries": 0}, "greater than or equal to 1"),
        ({"url": "https://x/", "timeout": "3m"}, "must be from 1s to 2m"),
        ({"url": "https://x/", "every": "2d"}, "must be from 1s to 1d"),
        ({"url": "https://x/", "status": 99}, "greater than or equal to 100"),
    ],
)
def test_a_probe_that_cannot_be_meant_is_refused(probe: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as raised:
        Probe.model_validate(probe)
    assert "secret" not in str(raised.value.errors(include_input=False))


@pytest.mark.parametrize(
    ("verify", "problem"),
    [
        ({}, "has nothing in it"),
        ({"probes": [{"url": "https://x/"}, {"url": "https://y/"}]}, "check 'probe' is listed twice"),
        ({"next_night": {"reports": []}}, "at least 1 item"),
        ({"next_night": {"reports": ["flexnet/a", "flexnet/a"]}}, "listed twice"),
        ({"next_night": {"reports": ["nobody/a"]}}, "is not a source of reports"),
        ({"next_night": {"reports": ["flexnet/a"], "within": "1h"}}, "must be from 1d to 60d"),
        (
            {"utilities": [{"name": "next_night", "project_id": 1}], "next_night": {"reports": ["flexnet/a"]}},
            "check 'next_night' is listed twice",
        ),
    ],
)
def test_a_verification_that_cannot_be_meant_is_refused(verify: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Verification.model_validate(verify)


def test_a_plain_stage_has_none_of_it() -> None:
    stage = Stage.model_validate({"environment_id": 4})
    assert (stage.verify, stage.soak, stage.on_failure) == (None, None, None)
    assert stage.model_dump(mode="json", exclude_defaults=True) == {"environment_id": 4}


@pytest.mark.parametrize("name", ["verify", "soak", "verify_again"])
def test_a_step_may_not_have_the_name_of_a_check_and_may_where_there_is_none(name: str) -> None:
    step = {"environment_id": 4, "after": [{"name": name, "project_id": 1}]}
    assert Stage.model_validate(step).after[0].name == name
    with pytest.raises(ValidationError, match="has the name of what verifies or soaks the stage"):
        Stage.model_validate({**step, "soak": "1h"})


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("$", ()),
        ("version", ("version",)),
        ("$.version", ("version",)),
        ("checks[0].state", ("checks", 0, "state")),
        ("$['a.b'][12]", ("a.b", 12)),
        ('$["a b"].c-d', ("a b", "c-d")),
        ("[3]", (3,)),
    ],
)
def test_a_path_has_names_and_positions(path: str, parts: tuple[str | int, ...]) -> None:
    assert parts_of(path) == parts


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        ".a",
        "$a",
        "$..a",
        "a..b",
        "a.",
        "$[*]",
        "a[-1]",
        "a[01]",
        "a[1:2]",
        "a[?x]",
        "a b",
        "$['']",
        "ä",
        "x" * (LONGEST_PATH + 1),
    ],
)
def test_what_may_mean_several_values_or_none_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path into JSON"):
        parts_of(path)


@pytest.mark.parametrize(
    ("path", "value"), [("$", ANSWER), ("checks[0].state", "up"), ("checks[0]['a.b']", None), ("deep.x.y[0][0]", 7)]
)
def test_the_value_is_found(path: str, value: Any) -> None:
    assert value_at(ANSWER, path) == value


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("checks[1]", "checks.1"),
        ("version.x", "version.x"),
        ("[0]", "0"),
        ("deep.no.y", "deep.no"),
        ("checks.state", "checks.state"),
    ],
)
def test_or_where_the_answer_ends(path: str, ends: str) -> None:
    with pytest.raises(LookupError, match=f"nothing at {ends}$"):
        value_at(ANSWER, path)
