"""Names of reports in ``promotions.yaml``, each ``<source>/<report>``, held against ``reports.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from nightshift.config.reports import ANY
from nightshift.config.scalars import Text
from nightshift.fields import nearest
from nightshift.sources import SOURCES


@dataclass(frozen=True)
class KnownReports:
    """What the models are told when a file is read: the reports that there are."""

    names: frozenset[str]


def _report(given: str, info: ValidationInfo) -> str:
    source, slash, report = given.partition("/")
    if not (slash and report) or "/" in report:
        raise ValueError("must be <source>/<report>, such as flexnet/entitlement")
    if source not in SOURCES:
        raise ValueError(f"{source!r} is not a source of reports{nearest(source, SOURCES)}")
    if not isinstance(info.context, KnownReports):
        return given
    known = info.context.names
    if given not in known and f"{source}/{ANY}" not in known:
        raise ValueError(f"is not a report that reports.yaml configures{nearest(given, known, few=True)}")
    return given


ReportName = Annotated[Text, AfterValidator(_report)]
