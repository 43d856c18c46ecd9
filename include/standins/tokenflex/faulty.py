"""The vendor's own faults. A fault counts the calls that it fits, so each has to say for which calls it is:
:func:`vendor_fault` does.

* create or retry an export: ``export_error`` (its next ``detail.runs`` runs, default 1, end in ``Error``),
  ``export_takes`` (``seconds`` until it is ready), ``queue_full`` (429 of the queue)
* create an export: ``export_word`` (it always shows ``detail.status``), ``list_late`` (not in the list for ``seconds``)
* look at an export: ``export_status`` (this one answer shows ``detail.status``)
* any call of the API: ``error_after`` (done, then ``status``), ``rate_limited`` (429 of the gateway, ``retry_after``),
  ``access_ends`` (all access tokens end: 401 until the client has a new one)
* download: ``url_expired`` (this URL and all before it are over), ``url_dies`` (the same once this answer is on its
  way: with the general ``reset_body`` the URL expires in mid-file), ``range_ignored``, ``file_replaced`` (the file is
  made anew, with another ETag)
* look at a query: ``query_status`` (this one answer shows ``detail.status``, without a result)

A lost POST is the general ``drop_before`` or ``reset``, a lost answer ``accept_then_drop``.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from include.standins.faults import own_fault

_CREATE: Final = {"method": "POST", "path": r"/export/[^/]+/requests$"}
_RUN: Final = {"method": "POST", "path": r"/export/[^/]+/requests(/[^/]+/retry)?$"}
_API: Final = {"path": "^/tokenflex/"}
_DOWNLOAD: Final = {"method": "GET", "origin": "download"}

_FITS: Final[dict[str, dict[str, str]]] = {
    "export_error": _RUN,
    "export_takes": _RUN,
    "export_word": _CREATE,
    "list_late": _CREATE,
    "queue_full": _RUN,
    "export_status": {"method": "GET", "path": r"/export/[^/]+/requests/"},
    "error_after": _API,
    "rate_limited": _API,
    "access_ends": _API,
    "url_expired": _DOWNLOAD,
    "url_dies": _DOWNLOAD,
    "range_ignored": _DOWNLOAD,
    "file_replaced": _DOWNLOAD,
    "query_status": {"method": "GET", "path": "/query/"},
}
FAULTS: Final = frozenset(_FITS)
vendor_fault = partial(own_fault, _FITS)
