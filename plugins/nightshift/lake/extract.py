"""An extract that is underway, and what is told of one that is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from nightshift.lake.manifest import Manifest


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an extract needs to go on where an interrupted attempt stopped; kept in the task state store until it is
    complete.

    :param extract: name of the extract's folder
    :param night: the night
    :param started: when the first attempt began, ISO 8601
    :param plan: what the source decided at the start and must not decide anew, for instance its window
    """

    extract: str
    night: str
    started: str
    plan: dict[str, Any]


def describe(manifest: Manifest, seconds: float) -> dict[str, Any]:
    """Return the small description of an extract that goes to the next task."""
    return {
        "source": manifest.source, "report": manifest.report, "night": manifest.night, "extract": manifest.extract, "rows": manifest.rows,
        "pages": manifest.pages, "bytes": manifest.bytes, "sha256": manifest.sha256, "seconds": round(seconds, 1),
    }  # fmt: skip
