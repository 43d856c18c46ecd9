"""The asset that says that a night is complete for an application, and the look into the lake that decides it.

Airflow is told of a night only when nothing of it is missing. Were it told of each report, it would keep what it has of
an incomplete night for ever, look at the 500 oldest such nights in each loop of the scheduler, and start nothing else.

Why no night is overlooked: whoever publishes commits first and looks afterwards. Of all the commits that a night is
made of, one is the last, and its own look, which comes after it, finds all the others. Two that commit at the same
moment may both find the night complete; the promotion that begins second finds that the night was promoted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from nightshift.config.promotions import reports_awaited
from nightshift.lake.checks import CheckResult
from nightshift.nights.index import is_unpublished
from nightshift.nights.whole import why_not_whole, zone_of
from nightshift.settings import PROMOTIONS, ConfigError, config_folder

if TYPE_CHECKING:
    from nightshift.lake.published import PublishedNight
    from nightshift.lake.store import Lake

Look = Callable[[str, str], "PublishedNight | None"]
"""Report (``<source>/<report>``) and night → what the lake says of it."""


def ready_asset(application: str) -> Asset:
    """Return the asset of an application; its events carry as partition key a night of which every report is
    published.
    """
    return Asset(name=f"ready/{application}", uri=f"x-nightshift://ready/{application}", group="nightshift")


@dataclass(frozen=True)
class Waiting:
    """The applications that wait for a report.

    :param applications: application → all reports that it waits for, each ``<source>/<report>``
    :param trouble: why nobody knows which ones do; empty: they are known
    """

    applications: Mapping[str, Sequence[str]] = field(default_factory=dict)
    trouble: str = ""

    def assets(self) -> list[Asset]:
        """Return the assets that a publish of the report may have something to say of."""
        return [ready_asset(name) for name in sorted(self.applications)]

    def complete(self, nights: Iterable[str], look: Look) -> dict[str, list[str]]:
        """Return application → those of the nights that are complete for it; without those that have none.

        A report is looked up once a night, and no further ones of a night once one is missing.
        """
        seen: dict[tuple[str, str], bool] = {}

        def is_sound(report: str, night: str) -> bool:
            if (report, night) not in seen:
                found = look(report, night)
                seen[report, night] = found is not None and found.sound
            return seen[report, night]

        nights = sorted(nights)
        found = {
            name: [night for night in nights if all(is_sound(report, night) for report in reports)]
            for name, reports in sorted(self.applications.items())
        }
        return {name: complete for name, complete in found.items() if complete}


def waiting_for(source: str, report: str, folder: Path | None = None) -> Waiting:
    """Return the applications of ``promotions.yaml`` that wait for a report.

    Their other settings are not looked at, so that a mistake in an application hides none of its nights. What hides an
    application all the same is the ``trouble`` of the answer: the reports go on without it.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    """
    try:
        path = (folder or config_folder()) / PROMOTIONS
        stat = path.stat() if path.exists() else None
        every, trouble = _applications(path.parent, *((stat.st_mtime_ns, stat.st_size) if stat else (0, 0)))
    except (ConfigError, OSError) as error:
        return Waiting(trouble=str(error))
    return Waiting({name: reports for name, reports in every.items() if f"{source}/{report}" in reports}, trouble)


@lru_cache(maxsize=4)
def _applications(folder: Path, changed: int, size: int) -> tuple[dict[str, tuple[str, ...]], str]:
    """Return application → its reports; read once as long as the file does not change."""
    return reports_awaited(folder)


def published_report(lake: Lake, report: str, night: str, *, is_likely: bool = True) -> PublishedNight | None:
    """Return what the lake says of a night of a report; ``None`` where it was never published. Blocks.

    Of a night that was fetched before it was over, the check ``whole`` does not hold.

    :param report: ``<source>/<report>``
    :param is_likely: whether it is likely to be there; else the index is asked first
    """
    source, _, name = report.partition("/")
    if not is_likely and is_unpublished(lake, source, name, night):
        return None
    from nightshift.lake.delta import published_night

    found = published_night(lake, source, name, night)
    if found is None or not (why := why_not_whole(night, found.began, zone_of(source))):
        return found
    return replace(found, checks=(*found.checks, CheckResult("whole", False, why)))


def nights_to_look_at(
    published: Collection[str], own: str, known: Collection[str], *, first_attempt: bool
) -> list[str]:
    """Return the nights that a publish may have completed.

    Its own night in any case, so that a night that is published again can be promoted again. The nights of a look-back
    only where it brought the report to them for the first time: who did that before has looked. A later attempt does
    not know what an earlier one has done, and looks at all of them.

    :param known: nights that the table had before as a whole
    """
    return sorted(night for night in published if night == own or night not in known or not first_attempt)


def emit_ready(outlet_events: Any, complete: Mapping[str, Sequence[str]]) -> list[Asset]:
    """Put the events of complete nights among those that a task emits, and return their assets."""
    assets = []
    for name, nights in complete.items():
        asset = ready_asset(name)
        event = outlet_events[asset]
        event.extra = {"application": name}
        event.add_partitions(list(nights))
        assets.append(asset)
    return assets
