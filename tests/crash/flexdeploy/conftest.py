from __future__ import annotations

from tests.unit.flexdeploy.conftest import vendor

__all__ = ["vendor"]
