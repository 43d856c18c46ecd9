from __future__ import annotations

from tests.unit.tokenflex.conftest import vendor
from tests.unit.tokenflex_signin.conftest import no_held_tokens, server

__all__ = ["no_held_tokens", "server", "vendor"]
