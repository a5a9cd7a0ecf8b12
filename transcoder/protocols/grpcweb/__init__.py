"""Speaks gRPC-Web: frames in the bodies of an HTTP request and its answer."""
