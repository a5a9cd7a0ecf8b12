"""Serves the Connect protocol: unary calls, also by GET, and streams in envelopes."""
