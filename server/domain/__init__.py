"""The rules of the service: commands to events, events to state.

Rule: pure. No I/O, no clock, no random, and nothing imported but the standard library's shapes.
What a decision depends on is passed to it, the time included.
"""
