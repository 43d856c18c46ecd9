"""What the laid answers have in common: a clock, and things to press."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from nightshift.board.models import ApiCall, Ask, Press, PressKind

NOW = datetime.now(UTC).replace(microsecond=0)
"""The page counts from the answers' own clock; only what a browser formats as today follows its own."""
LAST = (NOW - timedelta(days=1)).date()
EVIL = "<img src=x onerror=alert(1)>"
SOURCES = {
    "flexnet": ("entitlement", "device", "fulfillment", "account", "user", "usage"),
    "tokenflex": ("desktop_usage",),
    "camunda_optimize": ("invoice_instances", "invoices_a_month"),
    "exago": ("tree", "tree_changes"),
}
DAGS = {"tokenflex": "tokenflex_exports", "camunda_optimize": "camunda_reports", "exago": "exago_catalog"}


def ago(**span: float) -> datetime:
    """Return a moment before now."""
    return NOW - timedelta(**span)


def soon(**span: float) -> datetime:
    """Return a moment after now."""
    return NOW + timedelta(**span)


def nights(count: int, last: date = LAST) -> tuple[str, ...]:
    """Return as many nights, oldest first."""
    return tuple((last - timedelta(days=number)).isoformat() for number in reversed(range(count)))


def press(kind: PressKind, label: str, says: str, path: str = "", *, allowed: bool = True, **more: object) -> Press:
    """Return something to press, which makes one call."""
    fields = {
        "calls": (ApiCall(method="POST", path=path or f"api/v2/dags/flexnet_reports/{kind}", body={}),),
        "needs": "edit on the DAG flexnet_reports",
        "allowed": allowed,
    }
    return Press(kind=kind, label=label, says=says, **{**fields, **more})


def hold_press(application: str | None = None, *, allowed: bool = True) -> Press:
    """Return the press that stops the line."""
    whose = application or "all applications"
    return press(
        PressKind.HOLD,
        "Hold" if application else "Stop the line",
        f"No stage of {whose} is deployed until the hold is lifted or ends. What is being deployed now is not stopped.",
        allowed=allowed,
        needs="edit on the DAG of each application",
        danger=application is None,
        asks=(Ask(name="reason", label="Reason"), Ask(name="until", label="Until", kind="moment", optional=True)),
        calls=(
            ApiCall(
                method="POST",
                path="nightshift/board/api/holds",
                body={"application": application, "reason": "${reason}", "until": "${until}"},
            ),
        ),
    )
