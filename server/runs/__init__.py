"""Keeps what runs did.

`recorder` makes the entry of a run, `log` writes it to storage later, `metrics` counts actions.
"""
