"""Runs calls by handlers in this process."""
