"""Holds the rules of the service: commands to events, events to state.

Rule: pure. No I/O, no clock, no random. Imports only types of the standard library and
`server.triggers`. A decision gets everything it depends on as arguments, the time too.
"""
