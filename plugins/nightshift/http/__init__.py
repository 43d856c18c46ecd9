"""The one HTTP client of all vendors; a vendor's hook begins with :class:`VendorHook`."""

from __future__ import annotations

from nightshift.http.address import segment
from nightshift.http.answer import Answer, Download
from nightshift.http.hook import VendorHook

__all__ = ["Answer", "Download", "VendorHook", "segment"]
