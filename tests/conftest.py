"""Settings of every test: an Airflow home of their own, no setting of the user's, loopback only. Set before Airflow is
imported.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
HOME = Path(tempfile.mkdtemp(prefix="nightshift-tests-"))

for name in [
    name
    for name in os.environ
    if name.startswith(("AIRFLOW_", "NIGHTSHIFT_", "AWS_")) or name.lower().endswith("_proxy")
]:
    del os.environ[name]
for line in (ROOT / "deploy" / "airflow.env").read_text().splitlines():
    if line and not line.startswith("#"):
        key, _, value = line.partition("=")
        os.environ[key] = value
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    AIRFLOW__CORE__UNIT_TEST_MODE="True",
    AWS_EC2_METADATA_DISABLED="true",
    NIGHTSHIFT_LAKE=str(HOME / "lake"),
)
# A busy machine is no failed example: no test is timed. The rest is as Hypothesis has it, with fixed seeds where CI is
# set.
settings.register_profile("nightshift", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("nightshift")


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> Iterator[None]:
    """What one test holds for a secret is a plain word in another; and Airflow makes its pattern of all that it knows
    anew for each.
    """
    yield
    from airflow.sdk._shared.secrets_masker import reset_secrets_masker

    from nightshift.known_secrets import forget_all

    forget_all()
    reset_secrets_masker()


def pytest_unconfigure() -> None:
    """Leave nothing of this process behind."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while tests are collected, which makes much that stays; never look through that again."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only tests with an Airflow are asked for, the thousands of others are not even imported."""
    if config.getoption("markexpr") != "airflow" or not fnmatch(collection_path.name, "test_*.py"):
        return None
    return None if "mark.airflow" in collection_path.read_text(encoding="utf-8") else True


SHARE_AN_AIRFLOW = {
    "test_flexnet_flow.py": "nights and promotions",
    "test_promotion_flow.py": "nights and promotions",
    "test_no_secrets.py": "nights and promotions",
    "test_configuration_flow.py": "mistakes",
}
"""File → the Airflow that its tests are in. The other files of ``tests/flows`` are in one as well; each has its share of
the time.
"""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file on one worker, and those of all files that share an Airflow on one as well."""
    from xdist.scheduler import LoadFileScheduling

    class WithOneAirflow(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            folder, _, name = file.rpartition("/")
            return SHARE_AN_AIRFLOW.get(name, folder) if folder == "tests/flows" else file

    return WithOneAirflow(config, log) if config.getvalue("dist") == "loadfile" else None
