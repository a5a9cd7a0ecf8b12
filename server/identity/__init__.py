"""Who calls: tokens, memberships, roles, permissions.

Follows the Actions API, "The front", Auth.
"""
