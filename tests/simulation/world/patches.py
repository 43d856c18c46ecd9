"""What of the process is put aside while a world runs: blocking calls, randomness, and globals that belong to one
process each.

Nothing of the provider is replaced but its ways to the outside: the time, the network, the store and Airflow.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.simulation.world.loop import PerProcess

if TYPE_CHECKING:
    from tests.simulation.world.universe import Universe


class Current:
    """The universe that runs now."""

    universe: Universe | None = None

    @classmethod
    def get(cls) -> Universe:
        assert cls.universe is not None, "no universe runs"
        return cls.universe


def _random_bytes(count: int) -> bytes:
    return Current.get().entropy.randbytes(count)


def _variables(name: str) -> Callable[..., Any]:
    return lambda *args, **given: getattr(Current.get().variables, name)(*args, **given)


class CommsDecoder:
    """A task's line to Airflow, where nobody answers: named as Airflow's own, by which a task is told from a server."""

    def send(self, message: Any, **_: Any) -> Any:
        raise RuntimeError(f"nobody answers {type(message).__name__}")

    async def asend(self, message: Any, **_: Any) -> Any:
        raise RuntimeError(f"nobody answers {type(message).__name__}")


class SeededRandom(random.Random):
    """What ``random.Random()`` is in a world: seeded by it."""

    def __init__(self, seed: Any = None) -> None:
        super().__init__(Current.get().entropy.getrandbits(64) if seed is None and Current.universe else seed)


class Inline:
    """A pool of threads that does everything at once, in the thread that asks."""

    def __init__(self, *_: Any, **__: Any) -> None:
        return None

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        from concurrent.futures import Future

        future: Future[Any] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:  # noqa: BLE001, RUF100 -- as a pool does
            future.set_exception(error)
        return future

    def shutdown(self, **_: Any) -> None:
        return None


@contextmanager
def installed() -> Iterator[None]:
    """Put it aside."""
    import aiohttp.connector
    from airflow.sdk import Variable
    from airflow.sdk._shared.secrets_masker.secrets_masker import SecretsMasker
    from airflow.sdk.execution_time import task_runner

    import nightshift.lake.pages
    from include.standins.tokenflex import files
    from nightshift.http import timing
    from nightshift.jobs import poller
    from nightshift.tokenflex import auth
    from tests.simulation.world import exports, store

    really_urandom = os.urandom

    def urandom(count: int) -> bytes:
        return _random_bytes(count) if Current.universe is not None else really_urandom(count)

    really_sleep = time.sleep

    def sleep(seconds: float) -> None:
        if Current.universe is None:
            really_sleep(seconds)
        else:
            Current.universe.loop.sleep_blocking(seconds)

    async def start_connection(*args: Any, **given: Any) -> Any:
        return await Current.get().network.start_connection(*args, **given)

    with ExitStack() as stack:

        def put(target: Any, name: str, value: Any) -> None:
            stack.enter_context(mock.patch.object(target, name, value))

        # Each new token makes its pattern anew, over all that there were in all universes before.
        put(SecretsMasker, "add_mask", lambda self, secret, name=None: None)
        put(files, "grouped", exports.grouped_once)
        put(asyncio, "run", lambda coroutine, **_: Current.get().loop.run_blocking(coroutine))
        put(time, "sleep", sleep)
        put(os, "urandom", urandom)
        put(random, "_urandom", urandom)
        put(timing.random, "Random", SeededRandom)
        put(aiohttp.connector.aiohappyeyeballs, "start_connection", start_connection)
        put(nightshift.lake.pages, "ThreadPoolExecutor", Inline)
        put(timing, "_pacers", PerProcess("pacers"))
        put(timing.Pacer.__init__, "__defaults__", (lambda: time.monotonic(),))
        put(auth, "_held", PerProcess("held"))
        put(auth, "_gates", PerProcess("gates"))
        put(poller, "_SHARED", PerProcess("pollers"))
        stack.enter_context(store.installed())
        # A task reaches Airflow through this; what is asked of it here are Variables alone.
        stack.enter_context(mock.patch.object(task_runner, "SUPERVISOR_COMMS", CommsDecoder(), create=True))
        for name in ("get", "set", "keys"):
            put(Variable, name, staticmethod(_variables(name)))
        yield
