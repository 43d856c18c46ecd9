"""Make the user ``admin`` with the password in ``ADMIN_PASSWORD``, once: not on a command line, which others can read."""

from __future__ import annotations

import os
import sys

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder


def main() -> int:
    """Make it; one that is there keeps the password that a person may have changed."""
    password = os.environ.get("ADMIN_PASSWORD", "")
    if not password:
        return 0
    with get_application_builder() as builder:
        users = builder.sm
        if users.find_user("admin"):
            return 0
        role = users.find_role("Admin")
        if not users.add_user("admin", "Nightshift", "Admin", "admin@localhost", role, password):
            print("nightshift: the user admin could not be made; see the messages above", file=sys.stderr)
            return 1
    print("nightshift: made the user admin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
