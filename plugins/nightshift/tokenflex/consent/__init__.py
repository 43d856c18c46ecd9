"""The protected page on which a person grants Nightshift access to Token Flex, once."""

from __future__ import annotations

MOUNT = "/nightshift/tokenflex"
"""Where the page is, under the root of the Airflow API server."""
