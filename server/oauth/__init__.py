"""Answers the endpoints of OAuth 2.0 and OpenID Connect by which machine keys get access tokens.

Follows docs/accounts.md "Access tokens".
"""
