"""Incidents of nights that are long over are deleted; what they are is nothing to the lake but their names.

An incident is a folder whose name begins with its night and its source. It is told by its newest object how long ago
anything became known of it; one that is worked on is younger than any retention.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from nightshift.lake import objects
from nightshift.lake.maintenance import Removed
from nightshift.lake.store import Lake

FOLDER = "incidents"
SHORTEST = timedelta(days=90)
"""The watch still looks at incidents that are younger, and the board shows them."""
_INCIDENT = re.compile(r"(\d{4}-\d\d-\d\d)\.([^./]+)\.[^/]+")


def delete_old_incidents(lake: Lake, source: str, keep: timedelta, *, at: datetime, dry_run: bool = False) -> Removed:
    """Delete the incidents of a source of which nothing has become known for ``keep``, and whose night is older. Blocks.

    The newest revision goes last, so that whoever reads meanwhile finds it, or nothing.

    :param at: the present
    :raises ValueError: a shorter time than :data:`SHORTEST`
    """
    if keep < SHORTEST:
        raise ValueError(f"incidents are kept for {SHORTEST.days} days at least, not for {keep}")
    import obstore

    store = lake.objects(FOLDER)
    before = (at - keep).date().isoformat()
    found: dict[str, dict[str, int]] = {}
    young: set[str] = set()
    for batch in obstore.list(store):
        for entry in batch:
            name = entry["path"].partition("/")[0]
            incident = _INCIDENT.fullmatch(name)
            if incident is None or incident[2] != source or incident[1] >= before:
                continue
            found.setdefault(name, {})[entry["path"]] = entry["size"]
            if entry["last_modified"] >= at - keep:
                young.add(name)
    old = {name: sizes for name, sizes in found.items() if name not in young}
    if not dry_run:
        for sizes in old.values():
            _delete(lake, list(sizes))
    return Removed(sum(map(len, old.values())), sum(sum(sizes.values()) for sizes in old.values()), tuple(sorted(old)))


def _delete(lake: Lake, names: Sequence[str]) -> None:
    store = lake.objects(FOLDER)
    revisions = sorted(name for name in names if "/r" in name)
    newest = revisions[-1:]
    objects.delete(store, [name for name in names if name not in newest])
    objects.delete(store, newest)
