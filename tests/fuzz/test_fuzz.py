"""A thousand made-up inputs, and every one that once brought about what none may; 100,000 by ``make fuzz``."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.mutation import mutated
from tests.fuzz.runner import CASES, Runner, Tally, shares, target_of
from tests.fuzz.targets import AREAS, Box, Skipped, Target, every_target
from tests.fuzz.watching import Forbidden

COUNT = 1200


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    logging.disable(logging.CRITICAL)
    one = Runner(keep=not os.environ.get("CI"))
    yield one
    one.close()
    logging.disable(logging.NOTSET)


def test_every_target_is_of_a_known_area() -> None:
    assert {one.area for one in every_target().values()} == set(AREAS)


@pytest.mark.parametrize("area", sorted({*AREAS} - {"differential"}))
def test_whatever_comes_is_taken_or_refused_by_an_error_of_ours(area: str, runner: Runner) -> None:
    seed = 1 if os.environ.get("CI") else random.SystemRandom().randrange(1 << 32)
    failed: list[str] = []
    for name, (plain, made) in shares(COUNT, "").items():
        target = every_target()[name]
        if target.area == area:
            failed += runner.bytes_of(target, seed, 0, plain).failed if plain else []
            failed += runner.made_of(target, seed, min(made, 20)).failed if made else []
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("case", sorted(CASES.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_went_wrong_does_not_again(case: Path, runner: Runner) -> None:
    tally = Tally("case")
    runner.one(target_of(case), case.read_bytes(), tally, case.name)
    assert not tally.failed
    assert not tally.came["says nothing"], "the case fits its target no more"


def test_the_same_seed_and_number_make_the_same_input() -> None:
    seeds = [b'{"a": 1}', b"x,y\n1,2\n"]
    assert [mutated(seeds, "t", 7, n) for n in range(50)] == [mutated(seeds, "t", 7, n) for n in range(50)]
    assert len({mutated(seeds, "t", 7, n) for n in range(50)}) > 25


def _untyped(data: bytes, box: Box) -> None:
    raise KeyError("x")


def _escapes(data: bytes, box: Box) -> None:
    (Path(os.environ["AIRFLOW_HOME"]) / "escaped").write_bytes(data)


def _calls(data: bytes, box: Box) -> None:
    import socket

    with socket.socket() as client:
        client.settimeout(0.01)
        client.connect_ex(("127.0.0.1", 9))


def _echoes(data: bytes, box: Box) -> None:
    raise ValueError(f"no: {data.decode()}")


def _spins(data: bytes, box: Box) -> None:
    ends = time.process_time() + 0.2
    while time.process_time() < ends:
        pass


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (_untyped, "KeyError"),
        (_escapes, "open of"),
        (_calls, "a connection to"),
        (_echoes, "says the secret"),
        (_spins, "s of the processor"),
    ],
)
def test_each_property_finds_what_breaks_it(check, told: str, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.watching.SECONDS", 0.1)
    monkeypatch.setattr("tests.fuzz.runner.FAILURES", Path(os.environ["AIRFLOW_HOME"]) / "failures")
    tally = Tally("t")
    runner.one(Target("payloads.t", check, [b""], (ValueError,)), b"canary-Zq9-4f81c07e55", tally, "here")
    assert len(tally.failed) == 1
    assert told in tally.failed[0]


def test_an_input_that_says_nothing_is_counted_as_such(runner: Runner) -> None:
    def skips(data: bytes, box: Box) -> None:
        raise Skipped

    tally = Tally("t")
    runner.one(Target("payloads.t", skips, [b""]), b"", tally, "here")
    assert (tally.came["says nothing"], tally.failed) == (1, [])


def test_a_file_elsewhere_is_seen_only_while_an_input_is_watched(runner: Runner) -> None:
    elsewhere = Path(os.environ["AIRFLOW_HOME"]) / "elsewhere"
    elsewhere.write_text("x")
    with pytest.raises(Forbidden), runner.watch.one():
        elsewhere.write_text("x")
