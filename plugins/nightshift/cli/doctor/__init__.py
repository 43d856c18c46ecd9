"""``nightshift doctor``: what is looked at, a module a place, and how it is told."""
