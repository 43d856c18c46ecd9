from __future__ import annotations

from tests.unit.lake.conftest import lake

__all__ = ["lake"]
