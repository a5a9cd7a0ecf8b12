"""Checks requests by the rules of their .proto."""
