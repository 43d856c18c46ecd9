"""``make airflow ARGS="…"``: a command of Airflow's own, with the settings of ``make run``."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from include.local import HOME
from include.local.airflow import LocalAirflow
from include.local.given import Refused, port_of, read_dotenv
from nightshift.settings import lake_url


def main() -> NoReturn:
    """Become the command; it needs the database that ``make run`` makes."""
    try:
        read_dotenv()
        airflow = LocalAirflow(HOME / "airflow", port_of(None), {"NIGHTSHIFT_LAKE": lake_url()})
    except Refused as error:
        sys.exit(f"nightshift: {error}")
    if not airflow.database.exists():
        sys.exit("nightshift: there is no Airflow here yet. `make run` makes one, and need not run for this.")
    os.chdir(airflow.home)
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *sys.argv[1:]], airflow.environment())  # noqa: S606


if __name__ == "__main__":
    main()
