"""Decides commands in batches and commits them.

Rule: no rules of the domain, which are in `server.domain`, and no SQL.
"""
