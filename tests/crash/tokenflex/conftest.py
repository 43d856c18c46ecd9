from __future__ import annotations

from tests.unit.tokenflex.conftest import no_held_tokens, server, vendor

__all__ = ["no_held_tokens", "server", "vendor"]
