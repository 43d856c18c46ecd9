"""How wild a universe is: drawn from its seed, from calm to everything at once."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.simulation.world.airflow import CALM as NO_FATES
from tests.simulation.world.airflow import Airflow, Fates
from tests.simulation.world.network import CALM as FAIR
from tests.simulation.world.network import Weather
from tests.simulation.world.store import CALM as SOUND
from tests.simulation.world.store import Storage
from tests.simulation.world.universe import Universe


@dataclass(frozen=True)
class Harm:
    """What a universe has to suffer until it is calmed."""

    weather: Weather = FAIR
    storage: Storage = SOUND
    fates: Fates = NO_FATES

    @classmethod
    def drawn(cls, random: Random) -> Harm:
        """Draw it: each kind of harm is there or not, so that each is met alone and with others."""

        def share(most: float) -> float:
            return most * random.random() ** 2 if random.random() < 0.55 else 0.0

        return cls(
            Weather(ills=share(0.5), latency=random.choice((0.05, 0.2, 2.0)), late=random.choice((5.0, 45.0, 150.0))),
            Storage(fails=share(0.06), lost=share(0.06), torn=share(0.06), late=share(0.1), rots=share(0.15)),
            Fates(
                kill=share(0.9),
                freeze=share(0.7),
                jump=share(0.5),
                write=share(0.2),
                at_write=share(0.25),
                at_answer=share(0.6),
            ),
        )

    def strike(self, universe: Universe, airflow: Airflow) -> None:
        """Let it begin, and end where Airflow calms down."""
        universe.network.weather, universe.store.storage, airflow.fates = self.weather, self.storage, self.fates

        def calm() -> None:
            if airflow.fates is not NO_FATES:
                universe.note("calm")
            universe.network.weather, universe.store.storage, airflow.fates = FAIR, SOUND, NO_FATES

        airflow.calm = calm
        universe.loop.call_later(CALM_AFTER, calm)


CALM_AFTER = 2 * 86400.0
"""Seconds after which nothing goes wrong any more."""
WITHIN = 8 * 86400.0
"""Seconds within which everything has to have ended."""
