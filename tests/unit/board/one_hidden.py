"""An auth manager for whom not every DAG is everybody's, which Airflow's simple one does not know."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

HIDDEN = frozenset({"promote_secret_one", "camunda_reports"})
LISTS_ONLY = "lin"
"""Somebody who may read DAGs, and nothing beneath them."""


class OneHidden(SimpleAuthManager):
    """Only an administrator may read some DAGs, and not everybody what is beneath them."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, access_entity: Any = None, **more: Any) -> bool:
        if access_entity is not None and user.username == LISTS_ONLY:
            return False
        hidden = details is not None and details.id in HIDDEN and user.role != "ADMIN"
        more |= {"user": user, "details": details, "access_entity": access_entity}
        return not hidden and bool(super().is_authorized_dag(**more))
