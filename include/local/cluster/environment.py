"""The environment of the cluster, ``.venvs/cluster``: what ``.venv`` has, and Celery, Redis' and PostgreSQL's clients
from a lock of their own. The project's own environment stays as it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from include.local import ROOT

LOCK = ROOT / "requirements-cluster.lock"
HERE = ROOT / ".venvs" / "cluster"


def cluster_python() -> Path:
    """Return the interpreter of the cluster, built first where it is missing or of another lock or interpreter.

    :raises RuntimeError: it could not be built
    """
    python, stamp = HERE / "bin" / "python", HERE / ".built"
    HERE.parent.mkdir(exist_ok=True)
    with HERE.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        wanted = _identity()
        if not stamp.exists() or stamp.read_text() != wanted:
            _build(python)
            stamp.write_text(wanted)
    return python


def _identity() -> str:
    lock = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    return f"{lock} {sys.version_info[:2]} {Path(sys.executable).resolve()} {_packages()}"


def _packages() -> str:
    return sysconfig.get_paths()["purelib"]


def _build(python: Path) -> None:
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(HERE))
    _uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python),
        "--no-deps",
        "--compile-bytecode",
        "--require-hashes",
        "-r",
        str(LOCK),
    )
    (site,) = HERE.glob("lib/python*/site-packages")
    # After its own packages come those of the project's environment, with all that these add to the path.
    (site / "project.pth").write_text(f"import site; site.addsitedir({_packages()!r})\n")


def _uv(*arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [str(Path(sys.executable).with_name("uv")), *arguments],
        cwd=ROOT,
        env={"UV_CACHE_DIR": str(ROOT / ".cache" / "uv"), **os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"{HERE} could not be built: uv {arguments[0]} said\n{done.stderr[-2000:]}\n"
            "Nothing else was changed. Is a package index reachable?"
        )


if __name__ == "__main__":
    print(cluster_python().relative_to(ROOT))
