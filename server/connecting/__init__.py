"""Connects a ZITADEL with a target here: what is there, what is to change, and does it.

Follows docs/bridge.md. Knows both sides by their APIs only; must not know stores or the command
line.
"""
