"""Serves gRPC-Web: frames in the bodies of HTTP requests and answers."""
