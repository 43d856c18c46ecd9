"""Camunda Optimize: report results out of the search database, page by page through a scroll."""
