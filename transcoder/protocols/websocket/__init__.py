"""Serves calls over WebSocket."""
