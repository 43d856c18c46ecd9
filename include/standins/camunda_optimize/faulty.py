"""Camunda Optimize's own faults: what a search database and a report that changes do to a walk."""

from __future__ import annotations

CONTEXT_LOST = "context_lost"
ID_CHANGES = "id_changes"
ID_MISSING = "id_missing"
PAGE_AGAIN = "page_again"
TOTAL_CHANGES = "total_changes"
ENDS_EARLY = "ends_early"
COUNT_OFF = "count_off"
BAD_VALUE = "bad_value"
PAGE_EMPTY = "page_empty"
SEARCH_DROPPED = "search_dropped"

KINDS = frozenset(
    {
        CONTEXT_LOST,
        ID_CHANGES,
        ID_MISSING,
        PAGE_AGAIN,
        TOTAL_CHANGES,
        ENDS_EARLY,
        COUNT_OFF,
        BAD_VALUE,
        PAGE_EMPTY,
        SEARCH_DROPPED,
    }
)
"""Kinds and what they take in ``detail``; a fault's ``page`` is the page of the walk that the call asks for, from 1 on.

``context_lost``: the search database has lost the context of this call, as after a restart. ``id_changes``: the answer
carries another ``searchRequestId`` than the call. ``id_missing``: it carries none. ``page_again``: the page is sent and
the context does not move on: the next call gets the same records. ``total_changes``: ``totalNumberOfRecords`` is off by
``add`` (default 1); with ``page`` or ``from_page`` it changes between pages. ``ends_early``: the records after those
that were read (or after ``at``) never come, though the total still counts them. ``count_off``:
``numberOfRecordsInResponse`` is off by ``add`` (default 1). ``page_empty``: the page has no records, and the context
stays where it is; with ``moves`` it moves on, and the page is lost. ``bad_value``: the record at place ``row`` of the
page (default 0) has ``value`` in ``field``. ``search_dropped``: the parameter ``searchRequestId`` does not arrive, as
behind a gateway that does not pass it on: the call begins another walk, and the report has ``grows`` records more
(default 0).

A page that is lost after it was read, which no client can read again, is the kind ``accept_then_drop`` that every
stand-in has.
"""
