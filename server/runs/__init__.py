"""Records runs.

`recorder` makes the entry of a run, `log` writes it to storage later, `pending_counts` counts runs
of actions until then.
"""
