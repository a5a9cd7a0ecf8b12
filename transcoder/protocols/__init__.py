"""Implements the protocols of calls, one module or package each."""
