from __future__ import annotations

from collections.abc import Iterator

import pytest

from nightshift.tokenflex import auth
from tests.unit.tokenflex_signin.oauth_server import OAuthServer, serving


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    with serving() as one:
        yield one


@pytest.fixture(autouse=True)
def no_held_tokens() -> Iterator[None]:
    auth.forget()
    yield
    auth.forget()
