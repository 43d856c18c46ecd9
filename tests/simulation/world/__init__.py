"""One deterministic world: the real client, job core, poller, landing, publish and renewal against the real stand-ins,
in virtual time; see ``docs/simulation.md``.
"""
