"""A CSV of any size: blocks of one MiB, rendered once, that differ by the number at their front.

Sending a block costs no more than its copy into the socket, and whoever has the file can tell of each block whether it
is there, byte for byte and in its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

BLOCK = 1 << 20
VARIANTS = 8
"""Different blocks; together they are far larger than what a compressor looks back on."""
NUMBER = 12
LONGEST = 200
"""Bytes of a row, at most."""
NAMES = ("eventId", "usageDate", "productName", "userName", "machineName", "tokensConsumed")
PRODUCTS = ("AutoCAD", "Revit", "Inventor Professional", "3ds Max", "Civil 3D", "Navisworks Manage", "Vault Workgroup")


def header(*, quoted: bool) -> bytes:
    """Return the first line of the file."""
    return _line(NAMES, quoted)


def front(number: int, *, quoted: bool) -> bytes:
    """Return what stands before the body of a block: its number, from 0, as the first field of its first row."""
    return b'"%012d"' % number if quoted else b"%012d" % number


def bodies(*, quoted: bool) -> list[bytes]:
    """Return the variants of what follows the number of a block: whole rows, one MiB with the number.

    :param quoted: every field in quotes, with commas inside some of them; else not one quote
    """
    return [_body(variant, quoted) for variant in range(VARIANTS)]


def count(file: Iterable[bytes]) -> tuple[int, int]:
    """Return how many blocks of a file are what was sent, up to the first that is not, and how many they are in all.

    :param file: the file, in pieces of any size
    """
    pieces = _cut(file)
    quoted = next(pieces, b"").startswith(b'"')
    sent = bodies(quoted=quoted)
    good = total = 0
    for total, piece in enumerate(pieces, 1):
        if piece == front(total - 1, quoted=quoted) + sent[(total - 1) % VARIANTS]:
            good += good == total - 1
    return total, good


def _cut(file: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the first line, then block after block; the last may be shorter."""
    held, wanted = bytearray(), 0
    for piece in file:
        held += piece
        wanted = wanted or held.find(b"\n") + 1
        while wanted and len(held) >= wanted:
            yield bytes(held[:wanted])
            del held[:wanted]
            wanted = BLOCK
    if held:
        yield bytes(held)


def _body(variant: int, quoted: bool) -> bytes:
    lines = [_line(_row(variant, 0), quoted)[len(front(0, quoted=quoted)) :]]
    size = len(front(0, quoted=quoted)) + len(lines[0])
    while True:
        line = _line(_row(variant, len(lines)), quoted)
        # The last row is the one after which another might not have room; zeros behind its number fill the block.
        if BLOCK - size - len(line) < LONGEST:
            break
        lines.append(line)
        size += len(line)
    end = b'"\n' if quoted else b"\n"
    lines.append(line.removesuffix(end) + b"0" * (BLOCK - size - len(line)) + end)
    return b"".join(lines)


def _row(variant: int, n: int) -> list[str]:
    i = variant * 20_000 + n
    own = hashlib.sha256(b"%d" % i).hexdigest()
    user = f"user{i % 6007}@customer{i % 211}.example"
    tokens = f"{(i % 9973) / 100:.2f}"
    return [own[:NUMBER], f"2026-11-{1 + i % 21:02d}", PRODUCTS[i % 7], user, f"WS-{own[20:28]}", tokens]


def _line(values: Sequence[str], quoted: bool) -> bytes:
    if not quoted:
        return (",".join(values) + "\n").encode()
    return (",".join(f'"{value}"' for value in values).replace(" ", ", ") + "\n").encode()
