"""What the cluster is made of: processes that are ended whole, and an S3 server whose conditions decide."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from include.local.airflow import NotStarted, session_members
from include.local.cluster.service import Service
from include.local.cluster.stores import BUCKET, KEY, REGION, SECRET, s3

CHILDREN = "import subprocess, time; subprocess.Popen(['sleep', '600']); print('up', flush=True); time.sleep(600)"


def service(folder: Path, program: str) -> Service:
    one = Service("one", [sys.executable, "-c", program], dict(os.environ), folder)
    one.ready_when(lambda: "up" in one.log_since_start())
    return one


@pytest.mark.parametrize("end", [Service.stop, Service.kill])
def test_what_a_process_has_started_ends_with_it(tmp_path: Path, end: object) -> None:
    one = service(tmp_path, CHILDREN)
    one.start()
    one.await_ready()
    leader = one.pid
    assert len(session_members(leader)) == 2
    assert callable(end)
    end(one)
    assert session_members(leader) == []
    assert one.pid == 0


def test_one_that_stands_still_or_hears_nothing_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.local.cluster.service.GRACE_SECONDS", 1.0)
    one = service(tmp_path, f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {CHILDREN}")
    one.start()
    one.await_ready()
    leader = one.pid
    one.send(signal.SIGSTOP)
    one.stop()
    assert session_members(leader) == []


def test_one_that_ends_is_noticed_at_once_and_told_with_its_log(tmp_path: Path) -> None:
    one = service(tmp_path, "raise SystemExit('no such database')")
    one.start()
    with pytest.raises(NotStarted, match="no such database"):
        one.await_ready()
    assert one.has_ended()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Store]:
    port, server = s3(tmp_path_factory.mktemp("s3"))
    server.start()
    server.await_ready()
    endpoint = f"http://127.0.0.1:{port}"
    yield S3Store(
        BUCKET,
        access_key_id=KEY,
        secret_access_key=SECRET,
        region=REGION,
        endpoint=endpoint,
        client_options={"allow_http": True},
    )
    server.stop()


def test_of_many_writers_at_once_one_creates_the_object(bucket: S3Store) -> None:
    def create(number: int) -> int | None:
        try:
            obstore.put(bucket, "turn", str(number).encode(), mode="create")
        except obstore.exceptions.AlreadyExistsError:
            return None
        return number

    with ThreadPoolExecutor(12) as threads:
        (first,) = [number for number in threads.map(create, range(24)) if number is not None]
    assert bytes(obstore.get(bucket, "turn").bytes()) == str(first).encode()


def test_the_cluster_says_what_is_not_installed(tmp_path: Path) -> None:
    program = "from include.local.cluster import stores; stores.Path = type('P', (), {'__init__': lambda s, p: None, 'glob': lambda s, p: []}); print(stores.missing())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == (
        "postgres, initdb, redis-server not found. On Debian: "
        "apt-get install --no-install-recommends postgresql redis-server"
    )
