"""What Airflow asks of a provider package; of each vendor, what its room's ``source.py`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightshift import __version__
from nightshift.sources import VENDORS
from nightshift.vendor import HTTP_FIELDS, Vendor

_NAME = "Nightshift"
_OWN: Mapping[str, tuple[str, ...]] = {
    "hooks": ("http.hook",),
    "operators": (
        "nights.night",
        "nights.extract",
        "nights.publish",
        "nights.maintenance",
        "jobs.operators",
        "promotion.begin_operator",
        "promotion.approval_operator",
        "promotion.job_step",
        "promotion.job_operators",
        "promotion.roll_back_approval",
        "promotion.soak_operator",
        "promotion.step_operators",
        "promotion.verification_operators",
        "promotion.closing_operators",
        "watch.operator",
    ),
    "sensors": ("jobs.sensors",),
    "triggers": ("jobs.triggers", "nights.runs", "promotion.triggers"),
}
"""The modules that are no vendor's."""


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description (entry point ``apache_airflow_provider``)."""
    vendors = VENDORS.values()
    links = [vendor.named(link) for vendor in vendors for link in vendor.extra_links]
    return {
        "package-name": "nightshift",
        "name": _NAME,
        "description": "Nightly vendor reports and application promotions.",
        "versions": [__version__],
        "connection-types": [_connection_type(vendor) for vendor in vendors],
        "integrations": [
            *({"integration-name": one.name, "external-doc-url": one.docs, "tags": ["service"]} for one in vendors),
            {"integration-name": _NAME, "tags": ["software"]},
        ],
        **{kind: _modules(kind) for kind in _OWN},
        "extra-links": ["nightshift.jobs.instance.JobLink", *links],
        # The pages and the timetable are found by the entry point airflow.plugins; named here as well, Airflow would
        # report the plugin as registered twice.
    }


def _modules(kind: str) -> list[dict[str, Any]]:
    """Return the modules of one kind, vendor by vendor."""
    found = [(vendor.name, list(map(vendor.named, _of(vendor, kind)))) for vendor in VENDORS.values()]
    own = (_NAME, [f"nightshift.{module}" for module in _OWN[kind]])
    return [{"integration-name": name, "python-modules": modules} for name, modules in (*found, own) if modules]


def _of(vendor: Vendor, kind: str) -> tuple[str, ...]:
    modules: tuple[str, ...] = (vendor.hook.rpartition(".")[0],) if kind == "hooks" else getattr(vendor, kind)
    return modules


def _connection_type(vendor: Vendor) -> dict[str, Any]:
    return {
        "connection-type": vendor.type,
        "hook-class-name": vendor.named(vendor.hook),
        "hook-name": vendor.name,
        "ui-field-behaviour": {"hidden-fields": [], **vendor.behaviour},
        # A vendor's own fields come first, and its word on a shared one counts.
        "conn-fields": {**vendor.fields, **HTTP_FIELDS, **vendor.fields},
    }
