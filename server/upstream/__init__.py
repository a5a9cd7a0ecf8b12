"""Asks a ZITADEL, by its API and a service account, for what runs of its logins need.

Rule: nothing is asked twice. Every wait is bounded, and so are memory and connections.
"""
