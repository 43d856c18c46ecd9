"""Print the Airflow pools that ``reports.yaml`` names, a line ``<pool> <slots>`` each; see ``init.sh``."""

from __future__ import annotations

import contextlib
import sys

# Airflow says on the standard output what it loads, and `init.sh` reads pools there.
with contextlib.redirect_stdout(sys.stderr):
    from nightshift.config.reports import POOL_SLOTS, pools
    from nightshift.settings import ConfigError


def main() -> int:
    """Print them; a mistake in ``reports.yaml`` is told, and must not keep Airflow from starting, which shows it too."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = pools()
    except ConfigError as error:
        print(f"nightshift: no pools were made; correct this, then start `init` again:\n{error}", file=sys.stderr)
        return 0
    for pool in found:
        print(pool, POOL_SLOTS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
