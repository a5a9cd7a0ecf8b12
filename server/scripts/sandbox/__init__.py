"""Runs scripts in a worker process: confines it, then evaluates one script after the other.

Read `worker` first. Rule: imports are few, as each worker makes all of them at its start.
"""
