"""Implements the services: message to command or query, result to message.

Rule: no SQL, and no rules of the domain. `server.rpc` knows the caller, and makes statuses of the
refusals that are raised here.
"""
