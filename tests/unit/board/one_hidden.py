"""An auth manager for whom not every DAG is everybody's, which Airflow's simple one does not know."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

HIDDEN = frozenset({"promote_secret_one", "camunda_reports"})


class OneHidden(SimpleAuthManager):
    """Only an administrator may read some DAGs."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **more: Any) -> bool:
        hidden = details is not None and details.id in HIDDEN and user.role != "ADMIN"
        return not hidden and bool(super().is_authorized_dag(user=user, details=details, **more))
