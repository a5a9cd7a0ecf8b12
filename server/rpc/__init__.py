"""Surrounds every RPC: interceptors in a chain, errors, validation, the gRPC server."""
