"""``make test``: the tests with an Airflow, which wait for most of their time, and beside them the fast ones, with what
the first leave of the machine. Arguments are pytest's, for both.

What the fast tests say is shown as it comes, what the others say when they have ended. In CI (``CI``) they run one after
the other, the fast ones first: nobody waits there, and an Airflow on a busy machine is late for reasons of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / ".cache" / "tests-with-an-airflow.txt"
WITH_AN_AIRFLOW = ("tests/cluster", "tests/flows", "tests/simulation/test_sixty_nights.py", "tests/wheel")
"""Where the tests with an Airflow are: whoever runs these alone need not read all the others."""
NOTHING_TO_DO = 5
"""pytest's exit code where the arguments leave none of its half."""


@dataclass
class Half:
    """One of the two runs of pytest.

    :param marks: which tests
    :param workers: how many at once: the ones with an Airflow wait, so that there may be more than cores
    :param places: where they are, where the arguments name none; empty: anywhere
    :param nice: how far it stands back
    """

    name: str
    marks: str
    workers: int
    places: Sequence[str] = ()
    nice: int = 0
    code: int = field(init=False, default=-1)
    seconds: float = field(init=False, default=0.0)
    _begun: float = field(init=False, default=0.0)
    _process: subprocess.Popen[Any] | None = field(init=False, default=None)

    def begin(self, arguments: Sequence[str], output: IO[bytes] | None = None) -> None:
        """Start it; without ``output`` it is shown as it comes."""
        pytest = [sys.executable, "-m", "pytest", "-m", self.marks, "-n", str(self.workers), "--dist", "loadfile"]
        places = () if any((ROOT / one.partition("::")[0]).exists() for one in arguments) else self.places
        command = [*(["nice", "-n", str(self.nice)] if self.nice else []), *pytest, *arguments, *places]
        self._begun = time.monotonic()
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output and subprocess.STDOUT)

    def end(self) -> int:
        """Wait for its end, and return pytest's exit code."""
        assert self._process is not None
        self.code = self._process.wait()
        self.seconds = time.monotonic() - self._begun
        return self.code

    def __str__(self) -> str:
        said = {0: "passed", NOTHING_TO_DO: "none asked for"}.get(self.code, f"FAILED ({self.code})")
        return f"  {self.name:<22}{said} after {self.seconds:.0f} s"


def main(arguments: Sequence[str]) -> int:
    """Run both halves; return 0 where both passed, or one has nothing of what was asked for."""
    slow = Half("tests with an Airflow", "airflow", 3, WITH_AN_AIRFLOW)
    fast = Half("fast tests", "not airflow", 3, nice=5)
    if os.environ.get("CI"):
        slow.workers, fast.nice = 2, 0
        fast.begin(arguments)
        fast.end()
        slow.begin(arguments)
        slow.end()
        return _verdict(arguments, fast, slow)
    OUTPUT.parent.mkdir(exist_ok=True)
    with OUTPUT.open("wb") as output:
        slow.begin(arguments, output)
        fast.begin(arguments)
        # Ctrl-C reaches both, and each puts away what it started.
        signal.signal(signal.SIGINT, lambda *_: None)
        fast.end()
        print("\nThe tests with an Airflow go on.", flush=True)
        slow.end()
    print(OUTPUT.read_text(errors="replace"))
    return _verdict(arguments, fast, slow)


def _verdict(arguments: Sequence[str], fast: Half, slow: Half) -> int:
    print(f"{fast}\n{slow}")
    codes = {fast.code, slow.code}
    return 0 if codes == {0} or (arguments and codes == {0, NOTHING_TO_DO}) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
