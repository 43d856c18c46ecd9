"""Attempts of an extract that die around its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nightshift.lake.landing import ExtractFolder, Manifest


@contextmanager
def dying(*, completed: bool) -> Iterator[None]:
    """Have attempts die where all pages are landed.

    :param completed: once the manifest is written, before Airflow hears of it; else right before that
    """
    write = ExtractFolder.complete

    async def complete(folder: ExtractFolder, manifest: Manifest) -> None:
        if completed:
            await write(folder, manifest)
        raise ConnectionError("the worker is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExtractFolder, "complete", complete)
        yield
