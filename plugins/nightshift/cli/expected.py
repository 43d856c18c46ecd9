"""What the configuration asks of Airflow: the sources that count, and the DAGs that have to be there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.config.reports import Source


def sources_in_force() -> dict[str, Source]:
    """Return the sections of ``reports.yaml`` that count.

    :raises ConfigError: nobody says where the configuration is
    """
    from nightshift.config.reports import source_in_force
    from nightshift.sources import SOURCES

    return {name: found for name in SOURCES if (found := source_in_force(name)) is not None}


def dags_expected(sources: Mapping[str, Source]) -> list[str]:
    """Return the DAGs of these sources, and of the applications that count.

    :raises ConfigError: nobody says where the configuration is
    """
    from nightshift.config.promotions import applications_in_force
    from nightshift.sources import SOURCES

    found = [SOURCES[name].dag_id for name in sources]
    found += ["tokenflex_token"] if "tokenflex" in sources else []
    return found + [f"promote_{name}" for name in applications_in_force()]
