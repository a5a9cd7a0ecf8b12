"""Finds the method for a request: path templates, HTTP rules, one trie of all routes."""
