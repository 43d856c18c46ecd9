"""``python -m include.standins``: see :mod:`include.standins`."""

from __future__ import annotations

from include.standins.process import main

if __name__ == "__main__":
    main()
