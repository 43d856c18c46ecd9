from __future__ import annotations

from typing import Any

import pytest

from nightshift.config.verification import Probe
from nightshift.errors import Rejected
from nightshift.promotion.record import Version
from nightshift.promotion.rules.probe import expected, judged
from tests.unit.promotion.records import NEW

ANSWER = {
    "version": "1.0.2",
    "id": 40001,
    "ready": True,
    "load": 1.0,
    "none": None,
    "list": [{"ok": False}],
    "secret": "x",
}


def probe(expect: dict[str, Any] | None = None, status: int = 200) -> Probe:
    return Probe.model_validate({"url": "https://x/", "expect": expect or {}, "status": status})


@pytest.mark.parametrize(
    ("expect", "fits"),
    [
        ({}, True),
        ({"version": "${version}"}, True),
        ({"$.id": "${version_id}"}, True),
        ({"id": 40001}, True),
        ({"id": "40001"}, False),
        ({"id": 40001.0}, True),
        ({"load": 1}, True),
        ({"load": True}, False),
        ({"ready": True}, True),
        ({"ready": 1}, False),
        ({"ready": "true"}, False),
        ({"none": None}, True),
        ({"none": ""}, False),
        ({"list[0].ok": False}, True),
        ({"list[0].ok": 0}, False),
        ({"list[1].ok": False}, False),
        ({"list": "x"}, False),
        ({"version": "${version}", "ready": False}, False),
        ({"missing": None}, False),
    ],
)
def test_each_value_is_what_it_has_to_be_in_json(expect: dict[str, Any], fits: bool) -> None:
    found, words = judged(probe(expect), NEW, 200, ANSWER)
    assert found == fits
    assert words.startswith("status 200")


@pytest.mark.parametrize(
    ("wanted", "status", "fits"), [(200, 200, True), (200, 503, False), (503, 503, True), (204, 200, False)]
)
def test_the_status_is_the_one_that_is_due(wanted: int, status: int, fits: bool) -> None:
    assert judged(probe(status=wanted), NEW, status, None)[0] == fits


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ({"version": "1.0.3"}, 'status 200; version is "1.0.2" instead of "1.0.3"'),
        ({"version": "${version}", "id": 1}, "status 200; id is 40001 instead of 1"),
        ({"list[3].ok": True}, "status 200; list[3].ok: nothing at list.3 instead of true"),
        ({"secret": "y"}, "status 200; secret is *** instead of ***"),
    ],
)
def test_what_was_seen_is_told_but_no_secret(expect: dict[str, Any], words: str) -> None:
    assert judged(probe(expect), NEW, 200, ANSWER) == (False, words)


@pytest.mark.parametrize(
    ("text", "stands_for"),
    [
        ("${version}", "1.0.2"),
        ("${version_id}", 40001),
        ("v${version}", "v1.0.2"),
        ("${version}+${version_id}", "1.0.2+40001"),
        ("US$ 5", "US$ 5"),
        ("$versions", "$versions"),
        ("$${version}", "${version}"),
        ("$$version and $${user}", "$version and ${user}"),
        ("$$", "$$"),
    ],
)
def test_names_in_a_text_stand_for_the_version(text: str, stands_for: str | int) -> None:
    assert expected(probe({"a": text}), NEW) == {"a": stands_for}


@pytest.mark.parametrize("text", ["${version}", "v${version}"])
def test_a_name_that_flexdeploy_has_not_told_refutes_nothing(text: str) -> None:
    unnamed = Version(id=40001)
    assert judged(probe({"id": "${version_id}"}), unnamed, 200, ANSWER)[0]
    with pytest.raises(Rejected, match=r"told no name of id 40001.*Expect \$\{version_id\}"):
        judged(probe({"none": text}), unnamed, 200, ANSWER)
