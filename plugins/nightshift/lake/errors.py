"""What can go wrong in the lake; every message says what was not lost and what to do next."""

from __future__ import annotations

from nightshift.known_secrets import hide


class LakeError(Exception):
    """A failure of the lake, not of a vendor. What a vendor sent is quoted without what is known to be secret."""

    def __init__(self, message: str = "") -> None:
        super().__init__(hide(message))


class UnfitStore(LakeError):
    """The store of the lake cannot be written, or does not keep what the lake is built on."""


class OtherRequest(LakeError):
    """What is landed of a night was asked for as something else than the configuration asks for."""


class NoExtract(LakeError):
    """The landing has no complete extract under this name."""


class Completed(LakeError):
    """An extract is complete by now: whoever comes late changes nothing of it."""


class PageTaken(LakeError):
    """Another attempt at the same extract has landed a page with other content."""


class Damaged(LakeError):
    """A landed object is missing or is not what was received."""


class Incomplete(LakeError):
    """An extract cannot be completed: pages are missing, or counts do not add up."""


class CastError(LakeError):
    """A value does not fit the type of its column.

    :param page: number of the landed page, from 1
    :param row: number of the row in that page, from 1
    :param column: name of the column
    :param value: the value, as text; the message shows the first 80 characters of it
    :param wanted: type of the column
    :param report: name of the report
    :param why: what is wrong with the value, where more than the type is to be said
    :param advice: what to set so that it goes through
    """

    def __init__(
        self, *, page: int, row: int, column: str, value: str, wanted: str, report: str, why: str = "", advice: str = ""
    ) -> None:
        self.page, self.row, self.column, self.value, self.wanted = page, row, column, value, wanted
        self.report, self.why = report, why
        shown = value if len(value) <= 80 else f"{value[:77]}..."
        super().__init__(
            f"{report}: page {page}, row {row}, column {column!r}: {shown!r} is not {wanted}{why and f' ({why})'}. "
            "Nothing was published; the landed night is untouched. If the vendor really sends this, "
            f"{advice or f'set types: {{{column}: string}}'}, and clear the publish task; the vendor is not asked "
            f"again. If row {row} is a total or a header line, have the vendor leave it out and extract the night "
            "again."
        )


class UnreadablePage(LakeError):
    """A landed page is not the JSON or CSV that its extract says it is.

    :param page: number of the landed page, from 1
    :param row: number of the row in that page, from 1, where it can be told
    :param column: name of the column, where it can be told
    """

    def __init__(
        self, message: str, *, page: int | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        self.page, self.row, self.column = page, row, column
        super().__init__(message)


class SchemaDrift(LakeError):
    """The columns of a night do not fit the table or the night before."""


class Unsound(LakeError):
    """Checks failed; nothing of the table was changed."""


class Contended(LakeError):
    """Other writers came first each time; nothing was committed by this one."""
