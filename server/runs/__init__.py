"""Records runs.

`recorder` makes the entry of a run, `log` writes it to storage later, `metrics` counts runs of
actions.
"""
