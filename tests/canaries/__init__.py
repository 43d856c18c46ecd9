"""Secrets that are looked for everywhere after the whole mission: ``make secrets``.

Every connection, consent and link holds values that are random in each piece of 8 characters; what the mission left in
logs, database, lake, pages and terminals is searched for each piece, in each spelling.
"""
