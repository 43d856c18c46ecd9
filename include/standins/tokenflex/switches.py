"""What the reference of Token Flex leaves open, and the sizes and times of the stand-in, each as a switch."""

from __future__ import annotations

from enum import StrEnum

from include.standins.switches import Switches


class RateLimit(StrEnum):
    """No limit; ``per_minute`` requests in any 60 s; or as documented: that rate on average, after one burst of
    ``burst`` (5.2).
    """

    OFF = "off"
    PLAIN = "plain"
    DOCUMENTED = "documented"


class QueueScope(StrEnum):
    """Whose pending exports are counted together (5.2 does not say)."""

    USER = "user"
    CONTRACT = "contract"
    BOTH = "both"


class ListDates(StrEnum):
    """What the list of exports takes as ``fromDate`` and ``toDate`` (section 2): a day or a time, a time with its zone
    alone, as in the vendor's example, or a day alone.
    """

    ANY = "any"
    TIMES = "times"
    DAYS = "days"


class Stamps(StrEnum):
    """Time stamps (3.3): 3 to 6 fraction digits and at times no ``Z``, as in the pages; all alike; never a zone;
    ``+00:00``; no fraction.
    """

    IRREGULAR = "irregular"
    REGULAR = "regular"
    NO_ZONE = "no_zone"
    OFFSET = "offset"
    SECONDS = "seconds"


class Reuse(StrEnum):
    """What a second use of a refresh token gets (1.4): 400; 400 and the end of the whole chain; or a new pair."""

    REFUSED = "refused"
    REVOKES = "revokes"
    ALLOWED = "allowed"


class GatewayBody(StrEnum):
    """Body of a gateway error (5.1): ``more info``, ``moreInfo``, or no body."""

    DOCUMENTED = "documented"
    NO_BLANK = "no_blank"
    EMPTY = "empty"


class TokenError(StrEnum):
    """Body of an error of the token endpoint: the gateway's keys (5.1), or those of RFC 6749."""

    GATEWAY = "gateway"
    RFC6749 = "rfc6749"


class Header(StrEnum):
    """CSV header: the API's names, ``Usage Date``, ``USAGEDATE``, or no header at all."""

    NAMES = "names"
    TITLES = "titles"
    UPPER = "upper"
    NONE = "none"


class Quoting(StrEnum):
    """Which CSV values stand in quotes; ``export``: names and texts, not numbers and dates, as in the files that
    Autodesk's own report script keeps.
    """

    NEEDED = "needed"
    ALL = "all"
    TEXT = "text"
    EXPORT = "export"


class Columns(StrEnum):
    """Order of the CSV columns: as asked, the catalogue's own, metrics first, backwards."""

    ASKED = "asked"
    CATALOGUE = "catalogue"
    METRICS_FIRST = "metrics_first"
    REVERSED = "reversed"


class SessionStamps(StrEnum):
    """``sessionStartDate`` in the CSV: ``2018-01-01T08:00:00`` as in 3.7, with a blank, with fractions and ``Z``, or a
    mixture.
    """

    DOCUMENTED = "documented"
    BLANK = "blank"
    ZULU = "zulu"
    MIXED = "mixed"


class CategoryNames(StrEnum):
    """Whether an answer calls a category as it was asked for, or as ``/summary`` does (3.8)."""

    ASKED = "asked"
    CONSUMPTION = "consumption"


class ETag(StrEnum):
    """The download's ``ETag``."""

    STRONG = "strong"
    WEAK = "weak"
    ABSENT = "absent"


class TokenFlexSwitches(Switches, frozen=True, kw_only=True):
    """Switches of the Token Flex stand-in. Numbers in brackets are sections of the reference; times are seconds.

    **Exports.** ``processing_seconds``: from ``Requested`` to ready. ``queue_limit``, ``queue_scope``,
    ``queue_retry_after``: pending exports at a time and whether their 429 has ``Retry-After`` (5.2).
    ``list_late_seconds``: a new export shows in the list only after that. ``list_dates``; ``empty_status``: a list of
    nothing is ``[]``, 204, or the 400 that also covers what does not exist (section 2). ``url_seconds``: life of a
    download URL (4.2: 120 to 320). ``clock_skew``: how far the vendor's time stamps are ahead. ``unknown_key_status``,
    ``unknown_contract_status``: answers for what is not there (5.1).

    **Rate.** ``per_minute``, ``burst`` (5.2).

    **Sign-in.** ``auto_allow``: no consent page, ``signed_in`` agrees at once. ``expires_in``: what answers show
    instead of ``access_seconds`` less one. ``refresh_reuse``; ``refresh_rotates``; ``bearer_accepted``: the fixed token
    :data:`BEARER`.

    **Usage.** ``rows_per_day``: desktop sessions of a working day (a weekend has three in ten, a day before 2026 a
    tenth); the other categories follow. Any size: beyond 2,000 rows a day repeats itself with other ``chargedItemID``.
    ``users``; ``late_days``, ``late_share``: that part of a day's rows comes 1 … n days later than the others, which
    come the day after.

    **CSV**, all [unknown] (4.2). ``csv_line_delimiter``: every line, the header too, ends with a delimiter; with
    ``csv_quoting="export"`` and ``csv_dates="%Y-%m-%d 00:00:00"`` a file looks like those that Autodesk's own report
    script has kept. ``csv_dates``: strftime form of ``usageDate`` and ``usageMonth``; ``csv_hard_text``: values with
    quotes, delimiters and line breaks; ``csv_null``: what an empty value looks like; ``csv_empty``: an export without
    rows has no header either.

    **Download.** ``range_honoured``, ``etag``, ``expired_status``, ``s3_strict``: an ``Authorization`` header next to a
    signature is refused with 400. ``part_bytes``: a range is answered with so many bytes at most, which RFC 9110,
    section 15.3.7, allows; ``part_total`` off: the ``Content-Range`` does not say how long the file is.
    ``stored_gzip``: the file lies there compressed, and S3 sends it so whatever ``Accept-Encoding`` says; ranges count
    its compressed bytes.

    **Query.** ``query_seconds``, of which ``query_queued_seconds`` in QUEUED; any other state is the fault
    ``query_status``.
    """

    processing_seconds: float = 2.0
    queue_limit: int = 50
    queue_scope: QueueScope = QueueScope.BOTH
    queue_retry_after: int | None = None
    list_late_seconds: float = 0.0
    list_dates: ListDates = ListDates.ANY
    empty_status: int = 200
    url_seconds: float = 300.0
    clock_skew: float = 0.0
    stamps: Stamps = Stamps.IRREGULAR
    unknown_key_status: int = 400
    unknown_contract_status: int = 403

    rate_limit: RateLimit = RateLimit.DOCUMENTED
    per_minute: int = 5
    burst: int = 50
    gateway_body: GatewayBody = GatewayBody.DOCUMENTED

    auto_allow: bool = False
    signed_in: str = "admin@standin.example"
    access_seconds: float = 3600.0
    expires_in: int | None = None
    refresh_seconds: float = 15 * 86400.0
    code_seconds: float = 300.0
    refresh_reuse: Reuse = Reuse.REFUSED
    refresh_rotates: bool = True
    bearer_accepted: bool = True
    token_error: TokenError = TokenError.GATEWAY

    rows_per_day: int = 300
    users: int = 80
    late_days: int = 3
    late_share: float = 0.08

    csv_bom: bool = False
    csv_encoding: str = "utf-8"
    csv_delimiter: str = ","
    csv_quoting: Quoting = Quoting.NEEDED
    csv_line_delimiter: bool = False
    csv_crlf: bool = False
    csv_final_newline: bool = True
    csv_header: Header = Header.NAMES
    csv_columns: Columns = Columns.ASKED
    csv_extra_column: bool = False
    csv_hard_text: bool = False
    csv_dates: str = "%Y-%m-%d"
    csv_session_stamps: SessionStamps = SessionStamps.DOCUMENTED
    csv_categories: CategoryNames = CategoryNames.ASKED
    csv_null: str = ""
    csv_empty: bool = False

    range_honoured: bool = True
    etag: ETag = ETag.STRONG
    expired_status: int = 403
    s3_strict: bool = True
    part_bytes: int | None = None
    part_total: bool = True
    stored_gzip: bool = False

    query_seconds: float = 1.0
    query_queued_seconds: float = 0.2
