"""Runs in the service: contexts, queue, worker processes, effects and fetches of scripts.

Start at `executor`.
"""
