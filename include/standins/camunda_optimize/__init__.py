"""A stand-in of Camunda Optimize 3.x for Camunda 7: the public API, from the vendor's reference alone."""

from __future__ import annotations

from include.standins.camunda_optimize.catalog import (
    AGGREGATED,
    ASSIGNEES,
    COLLECTION,
    COMBINED,
    DURATION,
    EMPTY,
    INVOICES,
    MONTHS,
    ORDERS,
    TOTAL,
)
from include.standins.camunda_optimize.server import CamundaOptimizeStandIn
from include.standins.camunda_optimize.switches import TOKEN, CamundaOptimizeSwitches

__all__ = [
    "AGGREGATED",
    "ASSIGNEES",
    "COLLECTION",
    "COMBINED",
    "DURATION",
    "EMPTY",
    "INVOICES",
    "MONTHS",
    "ORDERS",
    "TOKEN",
    "TOTAL",
    "CamundaOptimizeStandIn",
    "CamundaOptimizeSwitches",
]
