"""An auth manager for whom one DAG is not everybody's, which Airflow's simple one does not know."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

HIDDEN = "secret_one"


class OneHidden(SimpleAuthManager):
    """Only an administrator may read the DAG of one application."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **more: Any) -> bool:
        hidden = details is not None and details.id == f"promote_{HIDDEN}" and user.role != "ADMIN"
        return not hidden and bool(super().is_authorized_dag(user=user, details=details, **more))
