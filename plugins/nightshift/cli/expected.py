"""What the configuration asks of Airflow: the DAGs that have to be there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.config.reports import Source


def dags_expected(sources: Mapping[str, Source]) -> list[str]:
    """Return the DAGs of these sources, and of the applications that count.

    :raises ConfigError: nobody says where the configuration is
    """
    from nightshift.config.promotions import applications_in_force
    from nightshift.sources import SOURCES

    found = [SOURCES[name].dag_id for name in sources]
    found += ["tokenflex_token"] if "tokenflex" in sources else []
    return found + [f"promote_{name}" for name in applications_in_force()]
