"""What all stories of a process share: the time, and what lets operators reach Airflow's own API."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.standins.flexdeploy import FlexDeployStandIn, FlexDeploySwitches
from tests.stories.airflow import ExecutionApi
from tests.stories.clock import StoryClock, virtual_time
from tests.stories.fates import mortal
from tests.stories.story import BrokenPromise, Story


class Teller:
    """Tells stories, one after the other, each with a FlexDeploy of its own."""

    def __init__(self, clock: StoryClock, api: ExecutionApi) -> None:
        self.clock, self.api = clock, api

    def tell(self, seed: int) -> Story:
        """Tell the story of a seed: the same one each time.

        :raises AssertionError: it broke a promise, or has no end; what happened is in a note of it
        """
        self.clock.begin()
        # Pauses before a retry are drawn by our client.
        random.seed(seed)
        switches = FlexDeploySwitches(ready_seconds=0.0)
        with tempfile.TemporaryDirectory(prefix="story-") as folder, FlexDeployStandIn(switches=switches) as vendor:
            story = Story(vendor, Path(folder), seed, self.clock)
            self.api.connections = story.connections()
            self.api.airflows = [line.airflow for line in story.lines]
            try:
                story.tell()
            except BaseException as error:
                error.add_note("\n".join((f"seed {seed}", *story.told)))
                raise
            finally:
                story.thaw_all()
        return story

    def hunt(self, promise: str, first: int, most: int) -> tuple[int, str] | None:
        """Tell stories until one breaks a promise; return after how many, and how. ``None``: none did.

        :param first: the seed to begin with
        """
        for number in range(most):
            try:
                self.tell(first + number)
            except BrokenPromise as broken:
                if promise in broken.promises:
                    return number + 1, broken.promises[promise][0]
            except Exception:
                # Whatever breaks a promise on purpose may break more.
                continue
        return None


@contextmanager
def telling() -> Iterator[Teller]:
    """Begin to tell stories in this process."""
    api = ExecutionApi()
    with virtual_time() as clock, mortal(), api.comms():
        yield Teller(clock, api)
