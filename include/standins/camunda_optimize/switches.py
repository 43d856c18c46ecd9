"""What the reference of Camunda Optimize leaves open or ties to a version, each as a switch."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from include.standins.switches import Switches

TOKEN = "standin-camunda"


class AuthForm(StrEnum):
    """Where the access token may stand: ``Authorization: Bearer …``, ``Authorization: …``, or the parameter
    ``access_token``.
    """

    BEARER = "bearer"
    RAW = "raw"
    QUERY = "query"


class Version(StrEnum):
    """What is tied to a version: up to 3.7 all forms of the token are taken, from 3.9 on only ``Bearer``, from 3.10 on
    also a JWT (1.2).
    """

    V3_7 = "3.7"
    V3_9 = "3.9"
    V3_10 = "3.10"


FORMS = {
    Version.V3_7: frozenset(AuthForm),
    Version.V3_9: frozenset({AuthForm.BEARER}),
    Version.V3_10: frozenset({AuthForm.BEARER}),
}


class Parameters(StrEnum):
    """Whether ``limit`` and ``paginationTimeout`` are required, as the page says, or have the defaults 1000 and 120, as
    the code says (3.1).
    """

    REQUIRED = "required"
    DEFAULTED = "defaulted"


class Missing(StrEnum):
    """How a value that is not there looks."""

    NULL = "null"
    ABSENT = "absent"


class ObjectVariables(StrEnum):
    """How object and list variables look: properties under dotted names, nested as they are, or (a bug of 8.6.7) empty
    strings.
    """

    FLATTENED = "flattened"
    NESTED = "nested"
    EMPTY_STRING = "empty_string"


class Instances(StrEnum):
    """Form of process instance ids."""

    UUID = "uuid"
    DIGITS = "digits"


class ErrorBody(StrEnum):
    """Shape of an error's body: the object of 3.4, plain text, a proxy's HTML, or nothing."""

    OBJECT = "object"
    TEXT = "text"
    HTML = "html"
    EMPTY = "empty"


class CamundaOptimizeSwitches(Switches, frozen=True, kw_only=True):
    """Every open point of the reference, with the default that it recommends or that seems likeliest.

    ``secret``: ``None``: no secret is configured, every request gets 401. ``jwts``: further bearer tokens, from 3.10
    on. ``rows``: records of a report by id; an unknown id makes a raw data report of that many records.
    ``documented_sample``: the report of the vendor's page has eleven records, of which the first four, and the
    ``searchRequestId``, are the page's. ``id_changes_every``: the context gets another id after so many pages, 0:
    never; ``old_id_valid``: the ids before it still work. ``lost_context_status``: of an expired or unknown context
    (4.2). ``open_contexts``: how many may be open at once. ``most_total``: ``totalNumberOfRecords`` never says more, as
    a search database that stops counting at 10,000; ``None``: it counts all. ``report_id_told``, ``message_told``: off
    in the oldest version (3.2). ``utc_offset``: of all dates, ``+hhmm``. ``ready``: answer of ``/api/readyz``.
    """

    version: Version = Version.V3_7
    secret: str | None = TOKEN
    jwts: list[str] = msgspec.field(default_factory=list)
    rows: dict[str, int] = msgspec.field(default_factory=dict)
    documented_sample: bool = False
    parameters: Parameters = Parameters.REQUIRED
    id_changes_every: int = 0
    old_id_valid: bool = False
    lost_context_status: Literal[400, 404, 500] = 500
    open_contexts: int = 500
    too_many_contexts_status: Literal[429, 500, 503] = 500
    most_total: int | None = None
    report_id_told: bool = True
    message_told: bool = True
    null_data: Missing = Missing.ABSENT
    running_end: Missing = Missing.NULL
    instance_ids: Instances = Instances.UUID
    object_variables: ObjectVariables = ObjectVariables.FLATTENED
    utc_offset: str = "+0200"
    error_body: ErrorBody = ErrorBody.OBJECT
    ready: bool = True
