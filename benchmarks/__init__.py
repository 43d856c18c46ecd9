"""Nightshift side by side with its peers, each in an environment of its own."""
