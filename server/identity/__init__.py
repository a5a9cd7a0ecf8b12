"""Identifies and authorizes callers: tokens, memberships, roles, permissions.

Follows docs/api.md "Authorization".
"""
