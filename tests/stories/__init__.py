"""Promotions told by seeds: what kills, clears, people and clocks do to them, judged by the vendor's ledger."""
