"""Decides commands in batches and commits them: commands, their facts, the queue.

Rule: no rule of the domain is here, and no SQL.
"""
