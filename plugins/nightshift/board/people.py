"""Who looks at the board, and what Airflow lets them see and press."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from airflow.models.connection import Connection
from airflow.models.dag import DagModel
from fastapi import Depends


@dataclass(frozen=True)
class Person:
    """A person who is signed in to Airflow."""

    user: Any

    @property
    def name(self) -> str:
        """The name as Airflow has it."""
        return str(self.user.get_name())

    async def readable(self, dag_ids: Collection[str]) -> set[str]:
        """Return those of the DAGs that the person may read."""
        return await asyncio.to_thread(self._readable, dag_ids)

    async def may(self, dag_id: str, method: str, entity: DagAccessEntity) -> bool:
        """Say whether the person may do something with a DAG."""
        return (await self.may_each([dag_id], method, entity))[dag_id]

    async def may_each(self, dag_ids: Collection[str], method: str, entity: DagAccessEntity) -> dict[str, bool]:
        """Return DAG → whether the person may do something with it."""
        return await asyncio.to_thread(self._may_each, dag_ids, method, entity)

    async def sees_runs(self, dag_ids: Collection[str]) -> set[str]:
        """Return those of the DAGs whose runs and task instances the person may read: Airflow lets somebody read a DAG
        and none of its runs.
        """
        entities = (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE)
        runs, tasks = await asyncio.gather(*(self.may_each(dag_ids, "GET", one) for one in entities))
        return {dag_id for dag_id in dag_ids if runs[dag_id] and tasks[dag_id]}

    async def may_connection(self, conn_id: str, method: str) -> bool:
        """Say whether the person may do something with a connection."""
        return await asyncio.to_thread(self._may_connection, conn_id, method)

    def _readable(self, dag_ids: Collection[str]) -> set[str]:
        teams, manager, allowed = _teams(dag_ids), get_auth_manager(), set[str]()
        by_team = sorted(set(dag_ids), key=lambda one: teams.get(one) or "")
        for team, ids in groupby(by_team, key=teams.get):
            allowed |= manager.filter_authorized_dag_ids(dag_ids=set(ids), user=self.user, method="GET", team_name=team)
        return allowed

    def _may_each(self, dag_ids: Collection[str], method: Any, entity: DagAccessEntity) -> dict[str, bool]:
        teams, manager = _teams(dag_ids), get_auth_manager()
        details = [DagDetails(id=dag_id, team_name=teams.get(dag_id)) for dag_id in dag_ids]
        return {
            str(one.id): bool(
                manager.is_authorized_dag(method=method, access_entity=entity, details=one, user=self.user)
            )
            for one in details
        }

    def _may_connection(self, conn_id: str, method: Any) -> bool:
        team = Connection.get_team_name(conn_id) if conf.getboolean("core", "multi_team") else None
        details = ConnectionDetails(conn_id=conn_id, team_name=team)
        return bool(get_auth_manager().is_authorized_connection(method=method, details=details, user=self.user))


def _teams(dag_ids: Collection[str]) -> dict[str, str | None]:
    if not conf.getboolean("core", "multi_team"):
        return {}
    return dict(DagModel.get_dag_id_to_team_name_mapping(list(dag_ids)))


async def person(user: GetUserDep) -> Person:
    """Return who asks; anonymous is refused with 401."""
    return Person(user)


PersonDep = Annotated[Person, Depends(person)]
