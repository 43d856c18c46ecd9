"""Exago's own faults: other users who change the tree, sessions that die, answers that are not what they seem."""

from __future__ import annotations

FAULTS = frozenset({"other_user", "session_dies", "odd_status", "report_fails"})
"""Kinds and what they take in ``detail``.

``other_user``: before the call is served, somebody else changes the tree: ``do`` is ``create`` (a folder ``path``, with
those above it), ``create_report`` (``path``, ``type``), ``delete`` or ``delete_report`` (``path``, whatever it holds),
``rename`` (``path``, ``to``), ``protect`` or ``unprotect`` (``path``). Paths have ``/``. With ``after=n`` it is done
before the n+1st call that matches, with ``late`` after that call. What cannot be done is left undone and is no effect
in the ledger. ``session_dies``: the session of the call is gone before the call is served. ``odd_status``: the folder
operation is done, and its answer has ``status`` (default ``Pending``). ``report_fails``: the execution ends with
``IsError`` and ``errors`` (default: one).
"""
