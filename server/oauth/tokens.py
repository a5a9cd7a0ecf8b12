"""Answers requests for access tokens: JWT bearer assertions, and client credentials.

Follows RFC 6749 sections 4.4 and 5, and RFC 7523 section 2.1.
Rule: an answer says no more of a failure than its kind; only the log has the reason.
"""

import ipaddress
from collections.abc import Mapping
from typing import Final

import structlog

from server.clock import Clock, wall_clock
from server.domain.machine_key import MachineKey
from server.identity.access_tokens import AccessTokens
from server.identity.jwts import BadToken
from server.identity.machine_logins import MachineLogins
from server.identity.rates import Rates
from server.ids import IdGenerator
from server.oauth.errors import (
    OAuthError,
    invalid_client,
    invalid_grant,
    invalid_request,
    too_often,
    unavailable,
    unsupported_grant,
)
from server.oauth.form import client_of, form_of
from server.oauth.issuer import TOKEN_PATH, Issuer
from server.oauth.web import HttpAnswer, HttpRequest, json_answer
from server.store.errors import StorageError

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_CREDENTIALS: Final = "client_credentials"
GRANT_TYPES: Final = (JWT_BEARER, CLIENT_CREDENTIALS)

BODY_MAX_BYTES: Final = 16 << 10
"""Max bytes of a form: an assertion has at most 8,192 characters."""

CLIENT_PER_S: Final = 20.0
CLIENT_BURST: Final = 200
"""Requests from one address: so many at once, then so many a second."""

USER_PER_S: Final = 5.0
USER_BURST: Final = 100
"""Tokens for one user: so many at once, then so many a second."""

log = structlog.get_logger()


class TokenEndpoint:
    def __init__(
        self,
        logins: MachineLogins,
        tokens: AccessTokens,
        ids: IdGenerator,
        issuer: Issuer,
        *,
        clock: Clock = wall_clock,
    ) -> None:
        self._logins = logins
        self._tokens = tokens
        self._ids = ids
        self._issuer = issuer
        self._clients = Rates(per_s=CLIENT_PER_S, burst=CLIENT_BURST, clock=clock)
        self._users = Rates(per_s=USER_PER_S, burst=USER_BURST, clock=clock)

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            return await self._issued(request)
        except StorageError as error:
            log.error("storage failed", method=TOKEN_PATH, reason=str(error))
            return _refused(unavailable("storage failed"), request)
        except OAuthError as error:  # a variable that outlives the handler would be a cycle
            return _refused(error, request)

    async def _issued(self, request: HttpRequest) -> HttpAnswer:
        if not self._clients.admits(_network_of(request.peer)):
            raise too_often()
        issuer = self._issuer.of(request)
        if issuer is None:
            raise invalid_request("expected a host in the header Host")
        form = form_of(request)
        grant = form.get("grant_type", "")
        key = await self._key(request, form, grant, issuer)
        # After the proof: nobody uses up the tokens of another user.
        if not self._users.admits(key.user_id):
            raise too_often()
        issued = await self._tokens.issue(key, issuer=issuer, token_id=self._ids.next())
        log.info(
            "access token issued",
            grant=grant.rpartition(":")[2],
            user=key.user_id,
            key=key.id,
            peer=request.peer,
            request_id=request.request_id,
        )
        return json_answer(
            {
                "access_token": issued.token,
                "token_type": "Bearer",
                "expires_in": issued.lifetime_s,
            }
        )

    async def _key(
        self, request: HttpRequest, form: Mapping[str, str], grant: str, issuer: str
    ) -> MachineKey:
        """Returns the machine key that the client has proved to have."""
        if grant == JWT_BEARER:
            if "assertion" not in form:
                raise invalid_request("expected an assertion")
            audiences = (issuer, f"{issuer}{TOKEN_PATH}")
            try:
                return await self._logins.by_assertion(form["assertion"], audiences=audiences)
            except BadToken as error:
                raise invalid_grant(str(error)) from error
        if grant == CLIENT_CREDENTIALS:
            try:
                return await self._logins.by_secret(*client_of(request, form))
            except BadToken as error:
                raise invalid_client(str(error)) from error
        if not grant:
            raise invalid_request("expected a grant_type")
        raise unsupported_grant()


def _refused(refusal: OAuthError, request: HttpRequest) -> HttpAnswer:
    log.info(
        "access token refused",
        error=refusal.code,
        reason=refusal.reason,
        peer=request.peer,
        request_id=request.request_id,
    )
    return refusal.answer()


def _network_of(peer: str) -> str:
    """Returns the address of a peer without its port; of IPv6 the first 64 bits."""
    address = peer.rpartition(":")[0]
    if not address.startswith("ipv6:"):
        return address
    head = address.removeprefix("ipv6:").strip("[]").partition("%")[0]
    try:
        network = ipaddress.IPv6Network((head, 64), strict=False)
    except ValueError:
        return address
    return str(network)
