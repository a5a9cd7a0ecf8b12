"""Runs in a worker process: confines it, then evaluates one script after the other.

Start at `worker`. Rule: imports are few, as each worker loads all of them at its start.
"""
