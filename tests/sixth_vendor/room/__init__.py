"""Acme Orders: the orders of a day, in pages."""
