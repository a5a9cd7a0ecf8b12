"""Servicers: a message to a command or a query, and what that gives to a message.

Rule: no SQL, and no rule of the domain. Who calls stands in `server.identity.caller`; a refusal is
raised, and made a status around the service.
"""
