"""Records spans of calls, commands, commits, runs and fetches, and sends them to a collector.

Must not know the service: what is traced begins and ends spans. Only `otlp` imports opentelemetry,
and only a service with `--traces-endpoint` imports `otlp`.
"""
