"""What the reference of the Data Access API leaves open, each as a switch."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from include.standins.switches import Switches

TOKEN = "rna_0f1e2d3c4b5a69788796a5b4c3d2e1f0"
LOGIN, PASSWORD = "nightshift", "standin-flexnet"


class DateTo(StrEnum):
    """Whether the day of ``dateTo`` is part of the range (4.1: disputed)."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


class NoRows(StrEnum):
    """What is under the data key where a page has no rows; ``MISSING``: not even the key."""

    LIST = "list"
    NULL = "null"
    MISSING = "missing"


class Missing(StrEnum):
    """How a header says that there is no next (or previous) page."""

    ABSENT = "absent"
    NULL = "null"
    EMPTY = "empty"


class LinkForm(StrEnum):
    """Form of the page links; ``HTTP``: absolute with http even where the server has https; ``OTHER_HOST``: another
    origin.
    """

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    HTTP = "http"
    OTHER_HOST = "other_host"


class LinkParameters(StrEnum):
    """Which parameters of the request a page link keeps."""

    KEPT = "kept"
    WITHOUT_LIMIT = "without_limit"
    ONLY_PAGE = "only_page"


class BatchHeader(StrEnum):
    """What ``header`` holds in batch mode; ``NO_NEXT``: the keys of both links, and never a link to the next page."""

    LINKS = "links"
    NO_NEXT = "no_next"
    LINKS_AND_COUNTS = "links_and_counts"
    EMPTY = "empty"
    ABSENT = "absent"


class CountOf(StrEnum):
    """What the record count counts."""

    ALL_PAGES = "all_pages"
    THIS_PAGE = "this_page"


class BeyondLast(StrEnum):
    """What a page after the last one gets; ``FAILED``: 500, the reporter returned an error."""

    EMPTY = "empty"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    FAILED = "failed"
    LAST_AGAIN = "last_again"


class Metadata(StrEnum):
    """Inner shape of the five metadata answers (3.4), here for ``report-types``; ``LIST`` makes ``data`` an array,
    ``SAMPLE`` is the page's sample.

    ``NESTED``: ``{group: {field: {"type": t, "filters": [keys]}}}``. ``SECTIONS``:
    ``{group: {"fields": {field: t}, "filters": {key: t}}}``. ``PAIRS``: ``{group: [{"name": field, "type": t}]}``.
    ``LIST``: ``[{"name": group, "fields": [{"name", "type"}], "filters": […]}]``.
    """

    NESTED = "nested"
    SECTIONS = "sections"
    PAIRS = "pairs"
    LIST = "list"
    SAMPLE = "sample"


class ErrorBody(StrEnum):
    """Shape of an error's body."""

    JSON = "json"
    TEXT = "text"
    HTML = "html"
    EMPTY = "empty"


class Order(StrEnum):
    """Order of rows."""

    OLDEST_FIRST = "oldest_first"
    NEWEST_FIRST = "newest_first"


class CsvHeader(StrEnum):
    """Where the line of column names stands."""

    EVERY_PAGE = "every_page"
    FIRST_PAGE = "first_page"


class CsvColumns(StrEnum):
    """Which columns a page has: those of the report, or those that a row of the page has."""

    REPORT = "report"
    PAGE = "page"


class CsvQuoting(StrEnum):
    """Which values are quoted."""

    MINIMAL = "minimal"
    ALL = "all"


class CsvEmpty(StrEnum):
    """What a page without rows is: the line of column names, or no byte at all."""

    HEADER = "header"
    NOTHING = "nothing"


class Change(StrEnum):
    """How a report's schema drifts."""

    ADDED = "added"
    LOST = "lost"
    RETYPED = "retyped"


class Drift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change of a report's schema; the key field stays as it is.

    :param since: first day (``yyyy-MM-dd``) whose rows have it; ``report-types`` has it when that day has come
    :param type: of an added or retyped field: string, integer, double, boolean, date, timestamp
    """

    group: str
    change: Change
    field: str
    since: str
    type: str = "string"


class FlexNetSwitches(Switches, frozen=True, kw_only=True):
    """Every open point of the reference, with the default that it recommends or that seems likeliest.

    Credentials: ``logins`` may call; ``logins_without_permission`` lack "Data Api" (403); ``tokens`` map a bearer token
    to its end (ISO 8601, empty: none). ``rows_a_day`` overrides the built-in sizes; above 5,000 rows a day rows repeat
    every 5,000 but for the key, which makes millions of rows cheap. ``refresh_hours`` is how often today's rows grow.
    ``model_names`` is what the data model calls a field of the rows, empty: nothing; names have changed over time
    (3.7). ``ties``: so many rows at a time have the same place in the order, and which of them comes first changes from
    one answer of a report to the next (4.2: promised nowhere); 1: none. ``page_cap`` is a server limit below
    ``limitRecords``; ``row_cap``: a page that reaches beyond so many rows of a report is refused with 400.
    ``midnight_rows``: moments are compared, so ``dateTo`` ends with the first one of its day, which so many rows of a
    day have. ``data_key`` empty: the body is a bare array. ``record_count_key``, ``page_count_key``: empty leaves the
    count out. ``json_charset``: reports come in it and name it; empty: UTF-8, unnamed. ``csv_type``: content type of
    CSV; a client that does not take it gets 406. ``csv_last_line_ends``: whether the last line of a page has its line
    end.
    """

    logins: dict[str, str] = msgspec.field(default_factory=lambda: {LOGIN: PASSWORD})
    logins_without_permission: dict[str, str] = msgspec.field(default_factory=lambda: {"clerk": PASSWORD})
    tokens: dict[str, str] = msgspec.field(default_factory=lambda: {TOKEN: ""})
    basic_enabled: bool = True
    versions: list[str] = msgspec.field(default_factory=lambda: ["v1"])
    groups: list[str] | None = None
    rows_a_day: dict[str, int] = msgspec.field(default_factory=dict)
    drift: list[Drift] = msgspec.field(default_factory=list)
    model_names: dict[str, str] = msgspec.field(default_factory=dict)
    server_timezone: str = "UTC"
    refresh_hours: int = 3
    date_to: DateTo = DateTo.EXCLUSIVE
    midnight_rows: int | None = None
    order: Order = Order.OLDEST_FIRST
    ties: int = 1
    page_cap: int | None = None
    row_cap: int | None = None
    beyond_last: BeyondLast = BeyondLast.EMPTY
    data_key: str = "data"
    no_rows: NoRows = NoRows.LIST
    header_last: bool = False
    json_charset: str = ""
    json_bom: bool = False
    batch_header: BatchHeader = BatchHeader.LINKS
    last_link: Missing = Missing.NULL
    link_form: LinkForm = LinkForm.ABSOLUTE
    link_parameters: LinkParameters = LinkParameters.KEPT
    record_count_key: str = "recordCount"
    page_count_key: str = "totalPages"
    record_count_of: CountOf = CountOf.ALL_PAGES
    metadata: Metadata = Metadata.NESTED
    error_body: ErrorBody = ErrorBody.JSON
    csv_type: str = "text/csv"
    csv_charset: str = "utf-8"
    csv_bom: bool = False
    csv_line_end: str = "\r\n"
    csv_last_line_ends: bool = True
    csv_delimiter: str = ","
    csv_header: CsvHeader = CsvHeader.EVERY_PAGE
    csv_columns: CsvColumns = CsvColumns.REPORT
    csv_quoting: CsvQuoting = CsvQuoting.MINIMAL
    csv_empty: CsvEmpty = CsvEmpty.HEADER
