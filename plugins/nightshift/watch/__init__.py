"""Nights on time: what is late, missing or unsound becomes one incident, which is told once and closes by itself."""
