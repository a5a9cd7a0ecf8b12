"""Runs the scripts of a trigger, each in a fresh context of a process that may be killed.

Start at `contract` (what goes in and out) and `executor` (what runs it). Rule: this package imports
nothing of ours but itself, and nothing here at import: its workers import it too, and start fast.
"""
