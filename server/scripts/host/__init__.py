"""Runs scripts from the side of the service: contexts, queue, workers, effects, fetches.

Read `executor` first.
"""
