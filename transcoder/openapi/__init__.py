"""Describes the routes of a Transcoder as an OpenAPI document, and serves it."""
