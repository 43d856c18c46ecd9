"""The topology: PostgreSQL, Redis, an S3 server; two schedulers, two triggerers, two Celery workers in two queues, a
DAG processor and an API server. All of it begins empty and is ended with whoever started it.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from include.local import ROOT
from include.local.airflow import COMPONENTS, LocalAirflow, NotStarted, free_port, is_taken
from include.local.cluster.policy.airflow_local_settings import PUBLISH
from include.local.cluster.service import READY_SECONDS, Service, start_all, stop_all
from include.local.cluster.stores import PostgreSQL, missing, redis, s3, s3_settings

SLOTS = 3
"""Tasks that a worker does at once."""
QUEUES = {"worker-1": "default", "worker-2": PUBLISH}
JOBS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob", "dag-processor": "DagProcessorJob"}
"""Component → what Airflow's database calls it."""
COPIED = ("scheduler", "triggerer")


class ClusterAirflow(LocalAirflow):
    """An Airflow of many processes, with the same interface as the embedded one.

    :param copies: how many schedulers, and how many triggerers
    :param queues: worker → the queues that it serves
    """

    def __init__(
        self,
        home: Path,
        port: int,
        environment: Mapping[str, str] | None = None,
        *,
        dags: Path = ROOT / "dags",
        parallelism: int = 32,
        slots: int = SLOTS,
        copies: int = 2,
        queues: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(home, port, environment, dags=dags, parallelism=parallelism)
        self.slots = slots
        self.copies = copies
        self.queues = dict(queues or QUEUES)
        self.logs = home / "processes"
        self.log_file = self.logs / "api-server.log"
        self.services: dict[str, Service] = {}
        self._keys = {
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        if told := missing():
            raise NotStarted(told)
        self.postgresql = PostgreSQL(self.logs)
        self._redis_port, self.redis = redis(home / "redis", self.logs)
        self.s3_port, self.s3 = s3(self.logs)

    @property
    def leaders(self) -> list[int]:
        """The processes that lead the sessions of this Airflow; empty where none runs."""
        return [one.pid for one in self.services.values() if one.pid and one.pid not in self.stores]

    @property
    def stores(self) -> list[int]:
        """The processes that lead the sessions of PostgreSQL, Redis and S3."""
        return [one.pid for one in (self.postgresql.service, self.redis, self.s3) if one.pid]

    @property
    def lake(self) -> dict[str, str]:
        """The settings by which a process reads the lake of the cluster."""
        return s3_settings(self.s3_port)

    def environment(self) -> dict[str, str]:
        """Return what all processes of Airflow share."""
        address = self.postgresql.address
        found = super().environment()
        own = {
            **self._keys,
            **self.lake,
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{address}",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{address}",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{self._redis_port}/0",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(self.slots),
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
            "PYTHONPATH": f"{ROOT / 'include' / 'local' / 'cluster' / 'policy'}:{found['PYTHONPATH']}",
        }
        return {**found, **own, **self.extra_environment}

    def start(self, say: Callable[[str], None] = print, before: Callable[[], None] = lambda: None) -> None:
        """Start everything and wait until all of it is ready; what was there before is gone.

        :raises NotStarted: a process did not come up
        """
        if is_taken(self.port):
            raise NotStarted(f"port {self.port} is taken. Choose another: make cluster PORT={free_port()}")
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in (self.logs, self.home / "redis"):
            folder.mkdir(parents=True)
        _ = self.password
        try:
            say("starting PostgreSQL, Redis and S3")
            self.services |= {"s3": self.s3, "redis": self.redis, "postgresql": self.postgresql.service}
            self.s3.start()
            self.redis.start()
            self.postgresql.create()
            start = time.monotonic()
            say("preparing Airflow's database")
            self._airflow("db", "migrate", environment=self.environment(), timeout=READY_SECONDS)
            for one in (self.s3, self.redis):
                one.await_ready(max(1.0, READY_SECONDS - (time.monotonic() - start)))
            before()
            own = self._processes()
            say(f"starting {len(own)} processes of Airflow: {', '.join(own)}")
            self.services |= own
            start_all(list(own.values()))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process, Airflow's first."""
        stores = [self.s3, self.redis]
        stop_all([one for one in self.services.values() if one not in (*stores, self.postgresql.service)])
        stop_all(stores)
        self.postgresql.remove()

    def unfinished(self, dag_id: str) -> list[str]:
        """Return the runs of a DAG that have not ended."""
        query = "SELECT run_id FROM dag_run WHERE dag_id = %s AND state IN ('queued', 'running')"
        return [str(run_id) for (run_id,) in self.postgresql.rows(query, dag_id)]

    def _processes(self) -> dict[str, Service]:
        copied = [
            self._part(f"{name}-{number}", name, ready=partial(self._alive, name, self.copies))
            for name in COPIED
            for number in range(1, self.copies + 1)
        ]
        found = [
            self._part("api-server", "api-server", ready=self._api_is_healthy),
            *copied,
            self._part("dag-processor", "dag-processor", ready=partial(self._alive, "dag-processor", 1)),
            *(self._worker(name, queues) for name, queues in self.queues.items()),
        ]
        return {one.name: one for one in found}

    def _worker(self, name: str, queues: str) -> Service:
        arguments = ("celery", "worker", "--queues", queues, "--celery-hostname", f"{name}@%h")
        worker = self._part(name, *arguments, "--without-gossip", "--without-mingle")
        worker.ready_when(lambda: " ready." in worker.log_since_start())
        return worker

    def _part(self, name: str, *arguments: str, ready: Callable[[], bool] = lambda: True) -> Service:
        environment = {
            **self.environment(),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }
        return Service(name, [sys.executable, "-m", "airflow", *arguments], environment, self.logs, ready=ready)

    def _alive(self, component: str, wanted: int) -> bool:
        query = "SELECT count(*) FROM job WHERE job_type = %s AND state = 'running'"
        with contextlib.suppress(Exception):
            ((count,),) = self.postgresql.rows(query, JOBS[component])
            return int(str(count)) >= wanted
        return False

    def _api_is_healthy(self) -> bool:
        found = self.api.health()
        return all(found.get(name) == "healthy" for name in COMPONENTS)
