"""The plain byte fuzzer: seeded changes of examples, the same each time for the same seed and number."""

from __future__ import annotations

import random
from collections.abc import Sequence

LONGEST = 1 << 20
"""Bytes of the longest input."""
CANARY = "canary-Zq9-4f81c07e55"
"""A secret of the connection. Inputs say it, as a vendor may; no message ever does."""
ODD = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\\ud800",
    b'"',
    b"'",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"{",
    b"[",
    b"}",
    b"]",
    b",",
    b";",
    b":",
    b"null",
    b"true",
    b"-0",
    b"1e400",
    b"-1e-400",
    b"9223372036854775808",
    b"1" * 4400,
    b"0.1e99999999",
    b"NaN",
    b"../../../../../tmp/escaped",
    b"..%2f..%2fescaped",
    b"/etc/passwd",
    b"C:\\escaped",
    b"//evil.example/x",
    b"http://127.0.0.1:1/x",
    b"https://evil.example:99999/",
    b"http://user:pw@evil.example/",
    b"http://[::1",
    b"javascript:alert(1)",
    b"file:///etc/passwd",
    b"{{ conn.x.password }}",
    b"<script>alert(1)</script>",
    b"&lol;",
    b"*a",
    b"!!python/object:os.system",
    b"2026-11-21",
    b"9999-12-31T23:59:60Z",
    b"0000-00-00",
    b"25:61",
    b"P999999999D",
    b"99999999999d",
    "\u0131".encode(),
    "\u202e\u0000\u2028".encode(),
    "é".encode("latin-1"),
    b"password: " + CANARY.encode(),
    CANARY.encode(),
    b"Bearer " + CANARY.encode(),
    b'"token":"' + CANARY.encode() + b'"',
)


def mutated(seeds: Sequence[bytes], target: str, seed: int, number: int) -> bytes:
    """Return the input of this number.

    :param seeds: examples, each as a vendor or a person would write it
    """
    rng = random.Random(f"{target}/{seed}/{number}")
    found = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 5, 9))):
        rng.choice(_CHANGES)(found, rng, seeds)
    return bytes(found[:LONGEST])


def _place(found: bytearray, rng: random.Random) -> tuple[int, int]:
    at = rng.randint(0, len(found))
    return at, min(len(found), at + rng.choice((1, 1, 2, 4, 8, 30, 200)))


def _flip(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    if found:
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)


def _cut(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    start, end = _place(found, rng)
    del found[start:end]


def _end(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    del found[rng.randint(0, len(found)) :]


def _insert(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    at, _ = _place(found, rng)
    found[at:at] = rng.choice(ODD)


def _replace(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    start, end = _place(found, rng)
    found[start:end] = rng.choice(ODD)


def _value(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    """Replace a whole word, number or text: what stands between marks of JSON, YAML, CSV and headers."""
    marks = [at for at, byte in enumerate(found[:4000]) if byte in b"\"',:;{}[]\n =/?&"]
    if len(marks) > 1:
        at = rng.randrange(len(marks) - 1)
        found[marks[at] + 1 : marks[at + 1]] = rng.choice(ODD)


def _double(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    start, end = _place(found, rng)
    times = rng.choice((1, 1, 2, 7, 100, 5000))
    found[end:end] = bytes(found[start:end]) * times if (end - start) * times < LONGEST else b""


def _splice(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    start, end = _place(bytearray(other), rng)
    at, _ = _place(found, rng)
    found[at:at] = other[start:end]


def _swap(found: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    lines = bytes(found).split(b"\n")
    if len(lines) > 2:
        one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        found[:] = b"\n".join(lines)


_CHANGES = (_flip, _flip, _cut, _end, _insert, _replace, _replace, _value, _value, _value, _double, _splice, _swap)
