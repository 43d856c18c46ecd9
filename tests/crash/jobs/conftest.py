from __future__ import annotations

from tests.unit.jobs.conftest import vendor

__all__ = ["vendor"]
