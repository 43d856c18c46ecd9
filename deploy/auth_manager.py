"""The auth manager of the compose stack and of the Helm values, under the name that their settings have."""

from __future__ import annotations

from nightshift.auth_managers.fab import NightshiftFabAuthManager

__all__ = ["NightshiftFabAuthManager"]
