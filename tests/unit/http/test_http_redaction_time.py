"""What a hostile vendor says does not hold the loop: the time of all that redacts grows with the length of a text
alone.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from include.standins.scripted import Scripted, answer
from nightshift.errors import VendorError
from nightshift.known_secrets import remember
from nightshift.redaction import LONGEST_SECRET, WINDOW, redact, redact_quote, redact_words, safe_url
from tests.unit.http.acme import MakeHook

LENGTH = 16_384
BOUND = 1.0
"""Seconds of the processor. What looks at a text of that length once takes some hundredths; what grows with the square
of it takes four and more.
"""
BEFORE = [
    "",
    '"token": "',
    "'password':'",
    '"token": \\"',
    '"token":&quot;',
    "token=",
    "token: ",
    '<a:token a="',
    "<token>",
    "authorization: basic",
    "authorization: digest ",
    "bearer ",
    "digest realm",
    "http://",
    "http:\\/\\/x?",
    "/session/",
    '"x-amz-',
]
RUNS = [
    *("\\", "\\\\n", '\\"', '"', "'", "&", "&quot;", "&#39;", "a", "a-", ".", " ", "\n", "=", ":", ",", "/", "?", "@"),
    *("%25", "%2f", "\\u002f", "<", "token", '"token":\\"', "token=", "authorization:", "bearer ", "a:", "a://"),
]


@pytest.mark.parametrize("before", BEFORE)
def test_no_pattern_looks_at_a_run_again_and_again(before: str) -> None:
    for run in RUNS:
        text = before + run * (LENGTH // len(run))
        began = time.process_time()
        redact_quote(f"{text}!")
        assert time.process_time() - began < BOUND, (before, run)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "part",
    [
        "a",
        "a.",
        '"a',
        "-",
        "bearer ",
        "http://",
        "http://a@",
        "//?",
        "//",
        "%2f%2f",
        "\\\\",
        "\\/",
        "&sol;",
        "a?",
        "x:y@",
        "https:\\/\\/a?b&quot;",
        "token",
        '"token":"',
        "authorization: ",
    ],
)
def test_a_hostile_body_does_not_hold_the_loop(part: str) -> None:
    text = part * (65536 // len(part))
    started = time.process_time()
    redact(text)
    redact_quote(text)
    redact_words(text * 2, 300)
    safe_url(f"https://h/p?{text}")
    assert time.process_time() - started < 1


async def test_an_answer_of_backslashes_does_not_hold_the_loop(connect: MakeHook, vendor: Scripted) -> None:
    vendor.plays(answer(400, b'the upstream said {"token": \\"' + b"\\" * LENGTH + b"n"))
    last, longest = time.process_time(), 0.0

    async def beat() -> None:
        nonlocal last, longest
        while True:
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.process_time() - last), time.process_time()

    async with connect() as hook:
        beating = asyncio.create_task(beat())
        with pytest.raises(VendorError):
            await hook.request("GET", "/x")
        await asyncio.sleep(0.02)
        beating.cancel()
    assert longest < BOUND


@pytest.mark.parametrize("part", ["plain words ", "\\u0041", "%41", "&amp;", "swordfis", "\\"])
def test_known_secrets_are_looked_for_once_in_a_text(part: str) -> None:
    for number in range(200):
        remember(f"swordfish-{number}-{'x' * 40}")
    text = part * (WINDOW // len(part))
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < BOUND


def test_of_a_text_without_end_the_beginning_is_told() -> None:
    """What stands at the end of what is looked at may be half a secret, and is left out."""
    for told in (redact, redact_quote):
        assert told("x " * WINDOW) == "x " * ((WINDOW - LONGEST_SECRET) // 2) + "…"
        assert told("x " * (WINDOW // 2)) == "x " * (WINDOW // 2)
