"""Speaks the protocols that calls arrive in, one module or folder each."""
