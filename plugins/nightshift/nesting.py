"""How deep the lists and objects of a JSON text stand inside of each other: a limit of our own, so that one Python does
not take what another refuses. What a decoder takes depends on the stack of its version, and on who called it.
"""

from __future__ import annotations

import re

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What is raised where a text is not the JSON that is due: of another shape, damaged, not UTF-8, or nested too deep, be
it in a member that nobody asks for.
"""
MAX_DEPTH = 600
"""Levels that every Python decodes, also where calls of ours have taken a third of the least stack (3.11)."""

_BLOCK = 1 << 16
_BLANKS = 32
_LISTS = MAX_DEPTH // 2
_ESCAPED = re.compile(rb"\\.", re.DOTALL)


def shallow(text: bytes) -> bytes:
    """Return a JSON text in UTF-8 as it is.

    :raises RecursionError: lists and objects stand more than ``MAX_DEPTH`` deep inside of each other
    """
    if not is_shallow(text):
        raise RecursionError("nested too deep")
    return text


def is_shallow(text: bytes) -> bool:
    """Say whether lists and objects of a JSON text in UTF-8 stand at most ``MAX_DEPTH`` deep inside of each other.

    A page of plain rows is known by a look at its opening brackets; only another one is looked at whole.
    """
    return len(text) <= MAX_DEPTH or not _may_be_deep(text) or not _is_deep(text)


def openings(text: bytes) -> int:
    """Return how many brackets open in a text, be they those of strings."""
    import numpy as np

    held = np.frombuffer(text, np.uint8)
    # Blocks of a size that stays close to the processor. The brackets of objects differ from those of lists in one bit.
    blocks = (held[start : start + _BLOCK] | 0x20 for start in range(0, len(held), _BLOCK))
    return sum(int(np.count_nonzero(alike == ord("{"))) for alike in blocks)


def _may_be_deep(text: bytes) -> bool:
    """Say whether there are brackets enough for it, be they those of strings.

    An object is an element of a list, of which one is in each list that it is in, or a member, behind a colon.
    """
    import numpy as np

    lists, at = 0, text.find(b"[")
    while at >= 0 and lists < _LISTS:
        lists, at = lists + 1, text.find(b"[", at + 1)
    if lists == _LISTS:
        return True
    held, members = np.frombuffer(text, np.uint8), 0
    for start in range(0, len(held), _BLOCK):
        before = np.flatnonzero(held[start : start + _BLOCK] == ord("{")) + (start - 1)
        for _ in range(_BLANKS):
            blank = held[before] <= ord(" ")
            if not blank.any():
                break
            before = before - blank
        ahead = held[before]
        members += int(np.count_nonzero((ahead != ord(",")) & (ahead != ord("["))))
        # A page whose rows are alike shows at its beginning that it has to be looked at whole.
        if 2 * lists + members > MAX_DEPTH * min(1.0, (start + _BLOCK) / len(held)):
            return True
    return False


def _is_deep(text: bytes) -> bool:
    import numpy as np

    held = np.frombuffer(_ESCAPED.sub(b"", text) if b"\\" in text else text, np.uint8)
    depth, in_string = 0, 0
    for start in range(0, len(held), _BLOCK):
        block = held[start : start + _BLOCK]
        # The brackets of objects differ from those of lists in one bit.
        alike = block | 0x20
        at = np.flatnonzero((alike == ord("{")) | (alike == ord("}")))
        quotes = np.bitwise_xor.reduceat((block == ord('"')).view(np.uint8), np.append(0, at))
        strings = np.bitwise_xor.accumulate(quotes) ^ in_string
        found = at[strings[:-1] == 0]
        levels = depth + np.cumsum(np.where(alike[found] == ord("{"), 1, -1))
        if levels.max(initial=0) > MAX_DEPTH:
            return True
        depth, in_string = int(levels[-1]) if len(levels) else depth, int(strings[-1])
    return False
