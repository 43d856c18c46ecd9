"""The search for secrets finds what is planted: each spelling, each alignment, each piece, wherever it lies."""

from __future__ import annotations

import base64
import gzip
import json
import os
import secrets
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from tests.canaries.places import texts_of_database, texts_of_folder
from tests.canaries.search import CHUNK, PIECE, SPELLINGS, Search, canary, pieces, spelled


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_piece_is_found_in_each_spelling(spelling: str) -> None:
    secret = canary()
    search = Search([("the canary", secret)])
    for piece in pieces(secret):
        assert len(piece) == PIECE
        for name, needle in spelled(piece):
            if name == spelling:
                assert search.look([("log", b"x" * secrets.randbelow(20) + needle + b"tail")]), (spelling, piece)


@pytest.mark.parametrize("before", range(3))
def test_a_secret_is_found_in_base64_whatever_stands_before_it(before: int) -> None:
    secret = canary()
    text = base64.urlsafe_b64encode(b"id:"[:before] + secret[5:13].encode() + b"~")
    found = Search([("it", secret)]).look([("header", text)])
    assert f"base64, alignment {before}" in {one.spelling for one in found}


def test_what_lies_across_the_border_of_two_chunks_is_found() -> None:
    secret = canary(marked=False)
    search = Search([("it", secret)])
    for shift in range(PIECE + 2):
        text = b"." * (CHUNK - shift) + secret[:PIECE].encode() + b"." * 20
        assert [one.spelling for one in search.look([("log", text)])] == ["plain"], shift


def test_pieces_of_hexadecimal_digits_are_longer() -> None:
    signature = secrets.token_hex(32)
    assert {len(piece) for piece in pieces(signature)} == {11}
    assert Search([("a signature", signature)]).look([("log", signature[20:32].encode())])
    assert not Search([("a signature", signature)]).look([("log", signature[20:30].encode())])


def test_nothing_is_found_by_chance_and_no_message_shows_a_secret() -> None:
    wanted = [(f"canary {number}", canary()) for number in range(40)]
    noise = os.urandom(1 << 20)
    search = Search(wanted)
    assert not search.look([("noise", noise), ("noise", noise.hex().encode()), ("noise", base64.b64encode(noise))])
    found = search.look([("log", json.dumps({"value": wanted[0][1]}).encode())])
    assert found
    assert not any(piece in str(one) for one in found for piece in pieces(wanted[0][1]))


def test_what_is_packed_is_unpacked(tmp_path: Path) -> None:
    secret = canary(marked=False)
    text = f"Authorization: {secret}".encode()
    (tmp_path / "page-00001.json.zst").write_bytes(zstandard.ZstdCompressor().compress(text))
    (tmp_path / "old.log.gz").write_bytes(gzip.compress(text))
    with closing(sqlite3.connect(tmp_path / "airflow.db")) as database:
        database.execute("CREATE TABLE serialized_dag (data_compressed BLOB, note TEXT)")
        database.execute("INSERT INTO serialized_dag VALUES (?, ?)", [zlib.compress(text), "x" * 9000 + secret])
        database.commit()
    found = Search([("it", secret)]).look([*texts_of_folder(tmp_path), *texts_of_database(tmp_path / "airflow.db")])
    assert {one.where for one in found} >= {
        "page-00001.json.zst",
        "old.log.gz",
        "serialized_dag.data_compressed",
        "serialized_dag.note",
    }
