"""One stand-in for each vendor of the provider, under the vendor's own name."""

from __future__ import annotations

from include.standins import process
from nightshift import sources


def test_each_vendor_has_a_stand_in_and_each_stand_in_a_vendor() -> None:
    assert sorted(process.VENDORS) == sorted(sources.VENDORS)
    assert {name: process.vendor_type(name).name for name in process.VENDORS} == {
        name: name for name in sources.VENDORS
    }
