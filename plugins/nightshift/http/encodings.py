"""The content encodings that are asked for, undone piece by piece, and to their end (RFC 9110, section 8.4).

The HTTP library undoes gzip too, and takes one that ends before its trailer for whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from multidict import CIMultiDictProxy

ACCEPTED = "gzip, deflate"
"""What requests ask for; a download asks for none."""
PIECE = 1 << 20
"""Bytes that one piece has at most, however small they were packed."""
WINDOW = 1 << 16
"""Bytes that are undone together: what stands behind a member of gzip is copied with each."""

_GZIP, _ZLIB, _RAW = 31, 15, -15
_MARK, _PADDING = b"\x1f", b"\0"
_UNDONE = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_ENCODINGS = frozenset({*_UNDONE, "br", "zstd", "compress", "x-compress"})


class NotDecoded(ValueError):
    """A body is not what its encoding says; the message continues "the answer …"."""


class CutShort(NotDecoded):
    """A body ends before its encoding does."""


class Plain:
    """A body without an encoding, as it comes."""

    def pieces(self, chunk: bytes) -> Iterable[bytes]:
        """Return a part of the body."""
        return (chunk,)

    def end(self) -> None:
        """Do nothing: such a body does not say where it ends."""


class Packed(Plain):
    """Undoes the encoding of one body: gzip, of one member or several, or deflate, also without its zlib wrapping.

    :param encoding: as the answer names it; one that was not asked for is refused with the first byte
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = _UNDONE.get(encoding, encoding)
        self._stream: Any = None

    def pieces(self, chunk: bytes) -> Iterable[bytes]:
        """Return what a part of the body says, in pieces of a bounded size.

        :raises NotDecoded: it is not in this encoding, or goes on behind the end of it
        """
        for at in range(0, len(chunk), WINDOW):
            rest, piece = chunk[at : at + WINDOW], b""
            while rest or len(piece) == PIECE:
                if self._stream is None or self._stream.eof:
                    rest = self._begun(rest)
                    if not rest:
                        break
                try:
                    piece = self._stream.decompress(rest, PIECE)
                except zlib.error:
                    raise NotDecoded(f"is not the {self.encoding} that it says it is") from None
                rest = self._stream.unconsumed_tail or self._stream.unused_data
                if piece:
                    yield piece

    def end(self) -> None:
        """Look whether the encoding ended with the body; no body at all is a whole one.

        :raises CutShort: it did not
        """
        if self._stream is not None and not self._stream.eof:
            raise CutShort(f"broke off before the end of its {self.encoding}")

    def _begun(self, rest: bytes) -> bytes:
        """Begin with a part of the body, or with another member of gzip, and return what to begin with: zeros after a
        member are padding.
        """
        if self.encoding not in _UNDONE:
            raise NotDecoded(f"is encoded with {self.encoding}, which was not asked for")
        if self._stream is not None:
            rest = rest.lstrip(_PADDING) if self.encoding == "gzip" else rest
            if rest and (self.encoding != "gzip" or not rest.startswith(_MARK)):
                raise NotDecoded(f"goes on behind the end of its {self.encoding}")
        if rest:
            # Some servers leave out the wrapping of RFC 1950, whose first byte always ends with an 8.
            deflated = _ZLIB if rest[0] & 0x0F == 8 else _RAW
            self._stream = zlib.decompressobj(_GZIP if self.encoding == "gzip" else deflated)
        return rest


def decoder_of(headers: CIMultiDictProxy[str]) -> Plain:
    """Return what undoes the encoding that an answer's headers name. A name that is of no encoding, such as a character
    set, is passed over.
    """
    if "Content-Encoding" not in headers:
        return PLAIN
    names = (name.strip().lower() for field in headers.getall("Content-Encoding") for name in field.split(","))
    found = [name for name in names if name in _ENCODINGS]
    return Packed(" and ".join(found)) if found else PLAIN


PLAIN = Plain()
