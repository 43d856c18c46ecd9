"""What an input is given to: everything of the provider that reads what a vendor, a person or the lake has written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz.mutation import CANARY


@dataclass
class Box:
    """The place of one worker: what an input may write to, and the vendor that it may ask.

    :param folder: where this input may write; removed after it
    :param ports: where on this machine it may connect to
    """

    home: Path
    folder: Path = Path()
    number: int = 0
    ports: set[int] = field(default_factory=set)

    def empty(self) -> Path:
        """Return a folder with nothing in it, a new one each time."""
        self.number += 1
        self.folder = self.home / f"box-{self.number}"
        self.folder.mkdir(parents=True)
        return self.folder


SECRETIVE = frozenset({"configuration", "payloads", "headers", "links"})
"""Areas whose inputs a vendor sends, or whose secrets belong to a connection: there no message quotes one. What a
person typed as a name, or what stands in a column, is quoted, so that it can be found.
"""


class Skipped(Exception):
    """An input that says nothing about the product: it does not even fit the harness."""


Check = Callable[[bytes, Box], object]


@dataclass(frozen=True)
class Target:
    """One way into the product.

    :param name: ``area.what``
    :param check: takes the input; may raise one of ``may``, and nothing else
    :param seeds: examples that the byte fuzzer changes
    :param made: inputs that Hypothesis makes up; ``None``: the byte fuzzer's alone
    :param share: how many of a hundred inputs it gets, beside the others
    :param anywhere: the vendor may send it to any host, so that any may be looked for
    """

    name: str
    check: Check
    seeds: Sequence[bytes]
    may: tuple[type[BaseException], ...] = ()
    made: st.SearchStrategy[bytes] | None = None
    share: float = 1.0
    anywhere: bool = False
    area: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "area", self.name.partition(".")[0])

    def take(self, data: bytes, box: Box) -> str:
        """Give it an input; return ``accepted``, or the type that refused it.

        :raises Skipped: it is no input for this target
        :raises Exception: what no input may bring about
        """
        try:
            self.check(data, box)
        except self.may as refused:
            said = str(refused)
            if CANARY in said and self.area in SECRETIVE:
                raise AssertionError(f"{type(refused).__name__} says the secret: {said[:300]}") from None
            if not said.strip():
                raise AssertionError(f"{type(refused).__name__} says nothing") from None
            return type(refused).__name__
        return "accepted"


TARGETS: dict[str, Target] = {}
AREAS = ("configuration", "csv", "differential", "forms", "headers", "links", "names", "payloads", "records")
"""Of all targets, which take a while to make."""


def target(
    name: str,
    seeds: Sequence[bytes],
    *may: type[BaseException],
    made: st.SearchStrategy[bytes] | None = None,
    share: float = 1.0,
    anywhere: bool = False,
) -> Callable[[Check], Check]:
    """Register a function as a target."""

    def registered(check: Check) -> Check:
        TARGETS[name] = Target(name, check, tuple(seeds), may, made, share, anywhere)
        return check

    return registered


def every_target() -> dict[str, Target]:
    """Return all targets."""
    import tests.fuzz.of_answers
    import tests.fuzz.of_configuration
    import tests.fuzz.of_pages
    import tests.fuzz.of_records  # noqa: F401

    return TARGETS
