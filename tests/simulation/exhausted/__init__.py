"""Decisions that are enumerated, not sampled: ``make decisions``.

Each module has a small world around one decision of the provider, in memory and with a time of its own, and tries every
combination of answers, crashes between two effects and orders of attempts, up to a number of disturbances:
:mod:`~tests.simulation.exhausted.jobs`, :mod:`~tests.simulation.exhausted.submissions`,
:mod:`~tests.simulation.exhausted.renewals`, :mod:`~tests.simulation.exhausted.queues`,
:mod:`~tests.simulation.exhausted.commits`.
"""
