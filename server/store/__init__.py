"""Keeps events, and the current state that follows from them.

The contracts: `log` (events), `read_model` (queries), `runs` (the log of runs), `machine_ids`.
Rule: an engine knows storage, and no rule of the domain; others know the contracts, and no engine.
"""
