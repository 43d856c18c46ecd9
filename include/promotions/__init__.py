"""Promotions: what their records say, whose turn it is, what a promotion may do next."""
