from __future__ import annotations

from tests.unit.exago.conftest import server
from tests.unit.exago.test_promote_operator import before

__all__ = ["before", "server"]
