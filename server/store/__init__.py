"""Stores events, and the current states that follow from them.

The contracts are `log` (events), `read_model` (queries), `runs` (the log of runs, counts of
actions), `machine_ids`, `signing_keys`.
Rule: an engine knows no rules of the domain; other modules know the contracts and no engine.
"""
