"""Moves organisations between stores, as a file of JSON lines.

Follows docs/moving.md. Knows the contracts of stores, and no engine.
"""
