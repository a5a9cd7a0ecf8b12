"""Speaks to a ZITADEL that calls this service as a target of its Actions v2.

Knows signatures, payloads and answers of targets. No I/O, no event loop, no store.
"""
