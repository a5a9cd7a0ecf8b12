"""Reads and writes messages in envelopes, which gRPC-Web and Connect share."""
