"""The models of the section ``acme`` of ``reports.yaml``."""

from __future__ import annotations

from pydantic import Field

from nightshift.acme.source import ACME
from nightshift.config.reports import Report, Source


class AcmeReport(Report):
    """One report of Acme; ``name`` is the vendor's.

    :param page_size: rows a page, 1 to 100. Default: that of the connection, else 100
    """

    page_size: int | None = Field(default=None, ge=1, le=100)


class Acme(Source):
    """The section ``acme`` of ``reports.yaml``.

    :param reports: the reports that come home, at least one
    """

    connection: str = ACME.default_connection
    reports: tuple[AcmeReport, ...] = Field(min_length=1)
