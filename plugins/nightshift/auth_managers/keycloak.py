"""Users in Keycloak, and approvals by the names that people sign in with."""

from __future__ import annotations

from airflow.providers.keycloak.auth_manager.keycloak_auth_manager import KeycloakAuthManager
from airflow.providers.keycloak.auth_manager.user import KeycloakAuthManagerUser


class NightshiftKeycloakAuthManager(KeycloakAuthManager):
    """Keycloak's manager, which knows a person by a random id; ``approval: {users: [ada]}`` of ``promotions.yaml``
    means a name.
    """

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: KeycloakAuthManagerUser) -> bool:
        """Return whether a person is among those who were asked, by name (``preferred_username``)."""
        return user.get_name() in assigned_users
