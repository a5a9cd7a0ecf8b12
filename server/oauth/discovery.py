"""Answers what clients read before they ask for a token: the metadata, and the public keys.

Follows OpenID Connect Discovery 1.0 section 3, RFC 8414, and RFC 7517. OpenID Connect requires an
endpoint for logins, and clients refuse metadata without one; ours refuses every login.
"""

import structlog

from server.identity.machine_logins import ALGORITHM
from server.identity.signing import ALGORITHM as SIGNED_BY
from server.identity.signing import Signing
from server.oauth.errors import invalid_request, unavailable, unsupported_response_type
from server.oauth.issuer import AUTHORIZATION_PATH, KEYS_PATH, TOKEN_PATH, Issuer
from server.oauth.tokens import GRANT_TYPES
from server.oauth.web import HttpAnswer, HttpRequest, json_answer
from server.store.errors import StorageError

log = structlog.get_logger()


class Discovery:
    def __init__(self, signing: Signing, issuer: Issuer) -> None:
        self._signing = signing
        self._issuer = issuer

    async def metadata(self, request: HttpRequest) -> HttpAnswer:
        issuer = self._issuer.of(request)
        if issuer is None:
            return invalid_request("expected a host in the header Host").answer()
        return json_answer(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}{TOKEN_PATH}",
                "jwks_uri": f"{issuer}{KEYS_PATH}",
                "grant_types_supported": GRANT_TYPES,
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                ],
                "token_endpoint_auth_signing_alg_values_supported": [ALGORITHM],
                "authorization_endpoint": f"{issuer}{AUTHORIZATION_PATH}",
                "response_types_supported": [],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [SIGNED_BY],
            }
        )

    async def authorize(self, request: HttpRequest) -> HttpAnswer:
        return unsupported_response_type().answer()

    async def keys(self, request: HttpRequest) -> HttpAnswer:
        try:
            return json_answer(await self._signing.key_set())
        except StorageError as error:
            log.error("storage failed", method=KEYS_PATH, reason=str(error))
            return unavailable("storage failed").answer()
