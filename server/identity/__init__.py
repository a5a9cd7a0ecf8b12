"""Who calls: tokens, memberships, roles, permissions.

Follows docs/api.md "Authorization".
"""
