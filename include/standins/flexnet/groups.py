"""The fourteen report groups of section 3.6, by name."""

from __future__ import annotations

from collections.abc import Mapping

from include.standins.flexnet import core_groups as core
from include.standins.flexnet import newer_groups as newer
from include.standins.flexnet.group import Group

GROUPS: Mapping[str, Group] = {
    group.name: group
    for group in (
        core.ACCOUNT,
        core.DEVICE,
        core.SERVED_DEVICE,
        core.ENTITLEMENT,
        core.FULFILLMENT,
        core.PRODUCT_FEATURE,
        core.USER,
        newer.USAGE,
        newer.DOWNLOADS,
        newer.FILES,
        newer.ENTITLEMENT_HISTORY,
        newer.LINE_ITEM_HISTORY,
        newer.FEATURE,
        newer.LICENSE_MODEL,
    )
}
KEYS: Mapping[str, str] = {name: group.key for name, group in GROUPS.items()}
"""Group → the field that is unique in it."""
