"""Who pressed what, in Airflow's own audit log, beside what the lake says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow.models.log import Log
from airflow.utils.session import create_session

from nightshift.board.people import Person


def write_down(event: str, who: Person, dag_id: str | None, extra: Mapping[str, Any]) -> None:
    """Write what a person did. Blocks.

    :param dag_id: of the application that it concerns; ``None``: of all
    """
    with create_session() as session:
        session.add(
            Log(event=event, owner=who.name, owner_display_name=who.name, extra=json.dumps(dict(extra)), dag_id=dag_id)
        )
