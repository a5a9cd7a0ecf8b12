"""Makes request messages of the path, query and body of HTTP requests."""
