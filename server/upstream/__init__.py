"""Reads from a ZITADEL, by its API and a service account, what runs of its logins wait for.

Rule: nothing is asked twice. Every wait is bounded, and so are memory and connections.
"""
