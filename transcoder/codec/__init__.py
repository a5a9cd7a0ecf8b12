"""Reads and writes messages as ProtoJSON, compiled once per message type."""
