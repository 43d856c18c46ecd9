"""What is kept of a proof, and the page that is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.proofs import PAGE, Figure, Proof, Table, keep, page, read

PROOF = Proof(
    name="crash",
    title="Crash matrix",
    command="make crash",
    says="Every victim at every point.",
    figures=(
        Figure(what="cases", value="152", target="150 or more", met=True),
        Figure(what="wall", value="31 min", target="25 min", met=False),
        Figure(what="seed", value="7"),
    ),
    tables=(Table(title="By victim", head=("victim", "held"), rows=(("worker | one", "76 of 76"),)),),
    found=("A worker forgot its turn.",),
)


def test_what_is_missed_is_told_as_plainly_as_what_is_met(tmp_path: Path) -> None:
    keep(PROOF, tmp_path)
    told = page(read(tmp_path))
    assert "1 of 2 targets are met." in told
    assert [str(one) for one in PROOF.figures] == [
        "met    cases: 152 (150 or more)",
        "MISSED wall: 31 min (25 min)",
        "       seed: 7",
    ]
    assert "Not run whole yet, so that nothing is told of it here: `make simulate`" in told
    assert "* Missed in crash matrix: wall 31 min, to be 25 min." in told
    assert "| cases | 152 | 150 or more | met |" in told
    assert "| wall | 31 min | 25 min | **missed** |" in told
    assert "| worker &#124; one | 76 of 76 |" in told
    assert "* A worker forgot its turn." in told


def test_a_proof_takes_the_place_of_its_last_one(tmp_path: Path) -> None:
    keep(PROOF, tmp_path)
    keep(PROOF, tmp_path)
    (kept,) = read(tmp_path)
    assert kept.proof == PROOF
    assert kept.commit
    assert kept.machine["cores"]


def test_a_row_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    wrong = Proof(
        name="a", title="A", command="a", says="a", tables=(Table(title="t", head=("a",), rows=(("1", "2"),)),)
    )
    with pytest.raises(ValueError, match="1 cells"):
        keep(wrong, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_page_is_made_of_the_proofs() -> None:
    assert not PAGE.exists() or PAGE.read_text() == page(read()), "make results"
