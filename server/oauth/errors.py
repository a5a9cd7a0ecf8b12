"""Defines the refusals of the token endpoint.

Follows RFC 6749 section 5.2.
"""

from server.oauth.web import HttpAnswer, json_answer


class OAuthError(Exception):
    """A request is refused.

    Attributes:
        status: of HTTP.
        code: of RFC 6749.
        headers: of the answer.
        reason: for the log alone.
    """

    def __init__(
        self,
        status: int,
        code: str,
        description: str,
        *headers: tuple[str, str],
        reason: str = "",
    ) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.headers = headers
        self.reason = reason or description

    def answer(self) -> HttpAnswer:
        content = {"error": self.code, "error_description": str(self)}
        return json_answer(content, *self.headers, status=self.status)


def invalid_request(description: str) -> OAuthError:
    return OAuthError(400, "invalid_request", description)


def invalid_grant(reason: str) -> OAuthError:
    return OAuthError(400, "invalid_grant", "the assertion is invalid", reason=reason)


def invalid_client(reason: str) -> OAuthError:
    challenge = ("WWW-Authenticate", 'Basic realm="token"')
    return OAuthError(
        401, "invalid_client", "the client id or the secret is invalid", challenge, reason=reason
    )


def unsupported_grant() -> OAuthError:
    return OAuthError(400, "unsupported_grant_type", "expected another grant_type")


def unsupported_response_type() -> OAuthError:
    description = "nobody logs in here: tokens are for machine keys"
    return OAuthError(400, "unsupported_response_type", description)


def too_often() -> OAuthError:
    description = "too many requests for tokens, try again later"
    return OAuthError(429, "temporarily_unavailable", description, ("Retry-After", "1"))


def unavailable(reason: str) -> OAuthError:
    return OAuthError(503, "temporarily_unavailable", "try again later", reason=reason)
