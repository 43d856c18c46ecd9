"""The peers' environments: each of its own, below ``benchmarks/.venvs``, from exact versions, never ours."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
OWN = "nightshift"
CURL = "curl"
PACKAGE_LINES = (" + ", " - ", " ~ ", "Using Python")


class MissingPeer(Exception):
    """A peer's environment could not be made; says why and what to do."""


def python_of(environment: str) -> str:
    """Return the interpreter of a peer, made ready before by :func:`prepare`; ours for ``nightshift``."""
    return sys.executable if environment == OWN else str(HERE / ".venvs" / environment / "bin" / "python")


def prepare(environment: str) -> None:
    """Make a peer's environment if it is not there, or not from these requirements.

    :param environment: name of a file ``peers/<environment>.txt``
    :raises MissingPeer: uv could not install it
    """
    if environment in (OWN, CURL):
        return
    requirements = HERE / "peers" / f"{environment}.txt"
    folder = HERE / ".venvs" / environment
    stamp = folder / ".requirements"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest() + f" {sys.version_info[:2]}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"bench: making the environment of {environment} in {folder.relative_to(ROOT)}", flush=True)
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder), of=environment)
    _uv(
        "pip",
        "install",
        "--python",
        python_of(environment),
        "--compile-bytecode",
        "-r",
        str(requirements),
        of=environment,
    )
    stamp.write_text(wanted)


def environ_of(environment: str, home: Path, root: Path = ROOT) -> dict[str, str]:
    """Return what is added to the variables of a contender's process.

    :param environment: as :func:`python_of`
    :param home: folder for Airflow's own files, the same in all runs
    :param root: checkout whose code runs
    """
    path = [root, root / "plugins"] if environment == OWN else [root]
    return {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }


def version_of(environment: str) -> str:
    """Return what a peer's environment was resolved from, such as ``dlt[filesystem,parquet]==1.31.0``."""
    if environment in (OWN, CURL):
        return ""
    first = (HERE / "peers" / f"{environment}.txt").read_text().splitlines()[0]
    return first.partition(":")[2].strip()


def _uv(*arguments: str, of: str) -> None:
    uv = Path(sys.executable).parent / "uv"
    environ = {**os.environ, "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(ROOT / ".cache" / "uv"))}
    with subprocess.Popen([uv, *arguments], env=environ, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if not line.startswith(PACKAGE_LINES):
                print(f"bench:   {line.rstrip()}", flush=True)
    if running.returncode:
        raise MissingPeer(
            f"The environment of {of} could not be made: uv {arguments[0]} ended with {running.returncode} (its "
            f"message is above). Is a package index reachable? Or leave this peer out with --only."
        )
