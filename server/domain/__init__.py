"""Holds the rules of the service: commands to events, events to state.

Rule: pure. No I/O, no clock, no random, and no import but of the standard library's types.
All that a decision depends on is passed to it, the time included.
"""
