"""Counts what the service does, and shows it to Prometheus. Knows nothing of the service."""
