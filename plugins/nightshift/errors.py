"""What can go wrong with a vendor, as types: what failed, where, and what to do next."""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeVar

from airflow.sdk.exceptions import AirflowException

from nightshift.known_secrets import hide_pieces
from nightshift.redaction import redact, redact_quote, redact_words
from nightshift.retry_after import bounded

MAX_DETAIL = 300
"""Characters of the vendor's own words that a message keeps."""

_FIELDS = (
    "vendor",
    "method",
    "path",
    "status",
    "attempt",
    "retry_after",
    "detail",
    "advice",
    "connection",
    "report",
    "page",
)


E = TypeVar("E", bound="VendorError")


class VendorError(AirflowException):
    """Something went wrong between us and a vendor.

    Every text is redacted when the error is made, so that an error may be logged, shown and stored as it is. The error
    survives pickling and Airflow's own serialization with all its attributes.

    :param problem: what failed, as a part of a sentence, without a full stop
    :param vendor: human name of the vendor; empty where no vendor is concerned
    :param method: HTTP method; empty where nothing was sent
    :param path: path of the request, without its query
    :param status: HTTP status of the answer; ``None`` where there was none
    :param attempt: number of the request's attempt, from 1; ``None`` where nothing was sent
    :param retry_after: seconds that the vendor asks to wait, an hour at most; ``None`` where it does not say
    :param detail: the vendor's own words; cut to 300 characters
    :param advice: what to do next; default: what is true of every error of this type. Whether the task tries again is
        not for the error to say: it does not know which try it ends, the retry policy does
    :param connection: id of the Airflow connection
    :param report: the report, and its night
    :param page: number of the page that was asked for, from 1
    """

    default_advice: ClassVar[str] = "Read the vendor's answer above, then clear the task."

    def __init__(
        self,
        problem: str = "",
        *,
        vendor: str = "",
        method: str = "",
        path: str = "",
        status: int | None = None,
        attempt: int | None = None,
        retry_after: float | None = None,
        detail: str = "",
        advice: str | None = None,
        connection: str = "",
        report: str = "",
        page: int | None = None,
    ) -> None:
        # It may quote what the vendor sent.
        self.problem = hide_pieces(redact_quote(problem))
        self.vendor = vendor
        self.method = method
        self.path = hide_pieces(redact(path.partition("?")[0]))
        self.status = status
        self.attempt = attempt
        self.retry_after = None if retry_after is None else bounded(retry_after)
        self.detail = redact_words(detail, MAX_DETAIL)
        self.advice = redact(self.default_advice if advice is None else advice)
        self.connection = connection
        self.report = report
        self.page = page
        super().__init__(self.problem)

    def __str__(self) -> str:
        """Return one readable chain of sentences: who, what, where, the vendor's words, what to do next."""
        what = self.problem or _words(type(self).__name__)
        sentence = (f"{self.vendor}: {what}" if self.vendor else what).rstrip(". ")
        if where := self._where():
            sentence += f" ({where})"
        parts = [f"{sentence}."]
        if self.detail:
            parts.append(f'The answer says: "{self.detail}".')
        if self.retry_after is not None:
            parts.append(f"It asks to wait {self.retry_after:.0f} s.")
        if self.advice:
            parts.append(self.advice)
        return " ".join(parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.problem, self._given())

    def serialize(self) -> tuple[str, tuple[str], dict[str, Any]]:
        """Return what Airflow needs to make the error again in another process."""
        return f"{type(self).__module__}.{type(self).__qualname__}", (self.problem,), self._given()

    def replaced(self, **changes: Any) -> Self:
        """Return the same error with some of its attributes changed."""
        return type(self)(changes.pop("problem", self.problem), **{**self._given(), **changes})

    def as_type(self, kind: type[E], **changes: Any) -> E:
        """Return an error of another type about the same request, with that type's own advice where none is given."""
        return kind(changes.pop("problem", self.problem), **{**self._given(), "advice": None, **changes})

    def complete(self, *, connection: str = "", report: str = "", page: int | None = None) -> None:
        """Fill in where it happened, as far as the error does not say so itself; for those who know, on its way out."""
        self.connection = self.connection or connection
        self.report = self.report or report
        self.page = page if self.page is None else self.page

    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FIELDS}

    def _where(self) -> str:
        request = " ".join(part for part in (self.method, self.path) if part)
        status = f"status {self.status}" if self.status is not None else ""
        attempt = f"attempt {self.attempt}" if self.attempt is not None else ""
        said = f"{self.problem} {self.advice}"
        connection = f"connection {self.connection}" if self.connection and self.connection not in said else ""
        report = f"report {self.report}" if self.report and self.report not in said else ""
        page = f"page {self.page}" if self.page is not None and f"page {self.page}" not in said else ""
        return ", ".join(part for part in (request, status, attempt, connection, report, page) if part)


class Unreachable(VendorError):
    """The vendor gave no usable answer: no connection, a time-out, a reset, a 5xx. Nothing was changed there, so it
    may be asked again.
    """

    default_advice = (
        "Nothing was lost. Look at the vendor's status page and at the network; once the vendor answers, clear the "
        "task."
    )


class RateLimited(VendorError):
    """The vendor refused the request because there were too many (429). It was not accepted; ``retry_after`` says
    when to come back.
    """

    default_advice = (
        "Nothing was lost. Lower requests_per_minute of the connection, or look for other programs that ask this "
        "vendor; then clear the task."
    )


class AuthFailed(VendorError):
    """The vendor does not accept the credentials (401). Asking again does not help until a person has changed them."""

    default_advice = "Correct the login and password, or the token, of the Airflow connection, then clear the task."


class Forbidden(VendorError):
    """The credentials are good, but this user may not do this (403)."""

    default_advice = "Give the user of the Airflow connection the permission at the vendor, then clear the task."


class NotFound(VendorError):
    """What was asked for is not there (404, 410)."""

    default_advice = (
        "Check the name or id that was asked for, and the host of the Airflow connection, then clear the task."
    )


class Rejected(VendorError):
    """Our request is wrong: the vendor said so (another 4xx), or it was refused here before anything was sent. It is
    never repeated.
    """

    default_advice = "Correct the parameters of the task or of the connection, then clear the task."


class Redirected(Rejected):
    """A request that changes something was answered with 301, 307 or 308: it was not taken here, and belongs at another
    address. It was not sent there.
    """

    default_advice = (
        "It was not followed, so no credentials went there. Put the final address into the host of the Airflow "
        "connection, then clear the task."
    )


class BeyondHorizon(Rejected):
    """A night that the vendor has no more, and of which the landing has no complete extract."""


class BadResponse(VendorError):
    """The vendor answered, but not with what it promises: HTML for JSON, a cut or endless answer, a loop, another
    host.
    """

    default_advice = (
        "Nothing was taken over from this answer. Ask the same path by hand and compare, then clear the task."
    )


class NotShown(BadResponse):
    """A job that was made is not shown, and the vendor has not said in its own words that there is none: the page of
    a server that restarts, a proxy's 404. It says nothing about the job.
    """

    default_advice = "Nothing was asked for again. Look at the vendor whether the job is there, and what it came to."


class TooLarge(BadResponse):
    """The answer is larger than is taken; asking again would bring the same."""

    default_advice = "Nothing was taken over. Ask for smaller pages, or for a narrower filter; then clear the task."


class Ambiguous(VendorError):
    """A request that changes something was sent, and no clear answer came: it may or may not have been accepted. It
    is never repeated on a guess.
    """

    default_advice = "It was not sent again. Look at the vendor whether it arrived, then clear the task."


class JobFailed(VendorError):
    """The vendor's job ended without success.

    :param state: the vendor's own word for the state that the job ended in
    """

    default_advice = "Read the job's log at the vendor; clearing the task starts a new job."

    def __init__(self, problem: str = "", *, state: str = "", **where: Any) -> None:
        self.state = state
        super().__init__(problem or (f"the job ended as {state}" if state else ""), **where)

    def _given(self) -> dict[str, Any]:
        return {**super()._given(), "state": self.state}


class JobTimedOut(VendorError):
    """The vendor's job was not done by its deadline.

    :param goes_on: the job was not ended at the vendor: another attempt finds it with its time over, only a clear gives
        it more
    """

    default_advice = "Look at the job at the vendor; clearing the task goes on waiting for it or starts a new one."

    def __init__(self, problem: str = "", *, goes_on: bool = False, **where: Any) -> None:
        self.goes_on = goes_on
        super().__init__(problem, **where)

    def _given(self) -> dict[str, Any]:
        return {**super()._given(), "goes_on": self.goes_on}


def _restore(kind: type[VendorError], problem: str, given: dict[str, Any]) -> VendorError:
    return kind(problem, **given)


def _words(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
