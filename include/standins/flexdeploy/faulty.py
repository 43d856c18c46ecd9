"""The vendor's own faults. A fault counts the calls that it fits, so each has to say for which calls it is:
:func:`vendor_fault` does.

* build: ``no_changes`` (200). deploy: ``already_deployed`` (200). Nothing is started, whatever is true
* deploy: ``other_version`` (``detail.version`` instead of what was asked for; of a partial project that of
  ``detail.package`` alone)
* build, deploy, execute: ``run_fails`` (FAILED, after ``detail.after`` instances that went well, default 0; the
  execution says ``detail.message``; of a partial project ``detail.package`` alone, where it is named), ``run_aborted``
  (a user aborts it after ``detail.after_seconds`` of its run, default half of it), ``run_takes`` (``seconds``),
  ``no_id`` (201 and started, but no id in the answer)
* poll a request: ``odd_status`` (this one answer shows ``detail.status``), ``request_unseen`` (404, as if there were no
  such request)
* any call: ``null_pointer`` (500, nothing done), ``null_pointer_after`` (done, then 500); the body has
  ``java.lang.NullPointerException``

A lost POST is the general ``drop_before`` or ``reset``, a lost answer ``accept_then_drop``.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from include.standins.faults import own_fault

NULL_POINTER: Final = "java.lang.NullPointerException"
"""Body of a failure that leaks a Java exception."""

_BUILD: Final = {"method": "POST", "path": r"/(project/[^/]+/build|workflowrequest/build)$"}
_DEPLOY: Final = {"method": "POST", "path": "/deploy$"}
_START: Final = {"method": "POST", "path": "/(build|deploy|execute)$"}
_POLL: Final = {"method": "GET", "path": "/workflowrequest/[^/]+$"}
_ANY: Final = {"path": "/rest/"}

_FITS: Final[dict[str, dict[str, str]]] = {
    "no_changes": _BUILD,
    "already_deployed": _DEPLOY,
    "other_version": _DEPLOY,
    "run_fails": _START,
    "run_aborted": _START,
    "run_takes": _START,
    "no_id": _START,
    "odd_status": _POLL,
    "request_unseen": _POLL,
    "null_pointer": _ANY,
    "null_pointer_after": _ANY,
}
FAULTS: Final = frozenset(_FITS)
vendor_fault = partial(own_fault, _FITS)
