"""Stores events and states in SQLite: one process, one file, no set-up."""
