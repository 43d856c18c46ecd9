"""Exago BI: the tree of folders and reports, declared folders, the promotion of folders, reports as tables."""
