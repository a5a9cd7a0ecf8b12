"""Seals values by a key of the operator, so that who has the database alone cannot read them.

Knows keys and where values are, not what they are for. No SQL.
"""
