"""Users in the database (FAB), and approvals by the names that people sign in with."""

from __future__ import annotations

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User


class NightshiftFabAuthManager(FabAuthManager):
    """FAB's manager, which knows a person by a number; ``approval: {users: [ada]}`` of ``promotions.yaml`` means a
    name.

    The name of the class keeps ``FabAuthManager`` in it: Airflow looks for that word in the setting.
    """

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Return whether a person is among those who were asked, by name; a number alone is nobody's name."""
        return user.get_name() in assigned_users
