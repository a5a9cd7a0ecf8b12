"""A stand-in for the part of ZITADEL that calls targets of its Actions v2.

It has targets with signing keys, executions by function, request, response and event, and the
payloads of a user, as JSON, JWT or JWE. It makes of answers what ZITADEL does: claims of a token or
attributes of a SAML response, metadata, the message that goes on, or the error that ends the
request. Written from its documentation; it knows nothing of the service.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from tests.support.issuer import Issuer, Signer, answering, key_set

USERS: Final = "/zitadel.user.v2.UserService"
SESSIONS: Final = "/zitadel.session.v2.SessionService"

Members = Mapping[str, Any]
"""Members of a message: None for a value, members for a message or a list of messages."""

_ADDRESS: Final[Members] = dict.fromkeys(("email", "phone", "sendCode", "returnCode", "isVerified"))
_PROFILE: Final[Members] = dict.fromkeys(
    ("givenName", "familyName", "nickName", "displayName", "preferredLanguage", "gender")
)
_CHANGED_HUMAN: Final[Members] = {
    "profile": _PROFILE, "email": _ADDRESS, "phone": _ADDRESS, "password": None,
}  # fmt: skip
_HUMAN: Final[Members] = {
    **_CHANGED_HUMAN,
    "metadata": {"key": None, "value": None},
    "idpLinks": {"idpId": None, "userId": None, "userName": None},
    "hashedPassword": None,
    "totpSecret": None,
}
_ADD: Final[Members] = {
    "userId": None, "username": None, "organization": {"orgId": None, "orgDomain": None}, **_HUMAN,
}  # fmt: skip
_CREATE: Final[Members] = {
    **dict.fromkeys(("organizationId", "userId", "username", "machine")), "human": _HUMAN,
}  # fmt: skip
_UPDATE: Final[Members] = {"userId": None, "username": None, **_CHANGED_HUMAN}
_IDP: Final[Members] = dict.fromkeys(
    ("oauth", "ldap", "saml", "idpId", "userId", "userName", "rawInformation")
)
_INTENT: Final[Members] = {
    "details": None, "userId": None, "idpInformation": _IDP,
    "addHumanUser": _ADD, "updateHumanUser": _UPDATE,
}  # fmt: skip
_SESSION: Final[Members] = dict.fromkeys(("details", "sessionId", "sessionToken", "challenges"))
MESSAGES: Final[Mapping[str, Members]] = {
    f"request {USERS}/AddHumanUser": _ADD,
    f"request {USERS}/CreateUser": _CREATE,
    f"response {USERS}/AddHumanUser": {"userId": None, "details": None},
    f"response {USERS}/CreateUser": {"id": None, "creationDate": None},
    f"response {USERS}/RetrieveIdentityProviderIntent": _INTENT,
    f"response {SESSIONS}/CreateSession": _SESSION,
    f"response {SESSIONS}/SetSession": _SESSION,
}
"""Members of the messages that targets may answer with."""

RESERVED: Final = "urn:zitadel:iam"
TIMEOUT_S: Final = 60


class ExecutionFailed(Exception):
    """A target ended the request: a status to forward with a message, or EXEC-dra6yamk98."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Target:
    """A target of the kind restCall.

    Attributes:
        encode: makes the body of the payload's JSON, as `payloadType` says.
    """

    endpoint: str
    signing_keys: tuple[str, ...]
    interrupt_on_error: bool = True
    encode: Callable[[bytes], bytes] = bytes


@dataclass(slots=True)
class Outcome:
    """Contents of a token or a SAML response, and of the metadata that was set."""

    claims: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Login:
    """Facts from which ZITADEL makes a token or a SAML response; keys as it sends them."""

    user: Mapping[str, Any]
    userinfo: Mapping[str, Any] = field(default_factory=dict)
    user_metadata: Sequence[Mapping[str, Any]] = ()
    user_grants: Sequence[Mapping[str, Any]] = ()
    client_id: str = ""
    actor: Mapping[str, Any] | None = None

    def payload(self, function: str) -> dict[str, Any]:
        """Returns the payload; what is empty is left out."""
        members: dict[str, Any] = {"function": f"function/{function}", "user": self.user}
        if function != "presamlresponse":
            members["userinfo"] = self.userinfo
            members["user_metadata"] = self.user_metadata
            members["org"] = {"id": self.user["resource_owner"], "name": "There"}
            members["application"] = {"client_id": self.client_id} if self.client_id else None
            members["actor"] = self.actor
        members["user_grants"] = self.user_grants
        return {key: value for key, value in members.items() if value}


def require_known(message: Any, members: Members) -> None:
    """Refuses a message as ProtoJSON does: with members that there are not.

    Raises:
        ExecutionFailed: it has one.
    """
    for each in message if isinstance(message, list) else [message]:
        for key, value in each.items():
            if key not in members:
                raise ExecutionFailed(0, f"unknown field {key!r}")
            if members[key] is not None:
                require_known(value, members[key])


def signed(body: bytes, *keys: str, at_s: int | None = None) -> str:
    """Returns the header ZITADEL-Signature of a body."""
    at = str(int(time.time()) if at_s is None else at_s)
    signatures = (
        hmac.new(key.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest() for key in keys
    )
    return f"t={at}," + ",".join(f"v1={signature}" for signature in signatures)


def as_jwt(payload: bytes, signer: Signer) -> bytes:
    """Returns a compact JWS of a payload, which has no claims of its own."""
    headers = {"kid": signer.key_id}
    return jwt.PyJWS().encode(payload, signer.private, signer.algorithm, headers=headers).encode()


def as_jwe(payload: bytes, pem: str, *, key_id: str = "318838700000000001") -> bytes:
    """Returns a compact JWE of a JWT, encrypted to a public key of RSA or of a curve."""
    public = load_pem_public_key(pem.encode())
    content_key = os.urandom(32)
    header: dict[str, Any] = {"enc": "A256GCM", "kid": key_id, "typ": "JWT", "cty": "JWT"}
    if isinstance(public, rsa.RSAPublicKey):
        header["alg"] = "RSA-OAEP-256"
        sha256 = hashes.SHA256()
        wrapped = public.encrypt(content_key, padding.OAEP(padding.MGF1(sha256), sha256, None))
    else:
        assert isinstance(public, ec.EllipticCurvePublicKey)
        header["alg"] = "ECDH-ES+A256KW"
        ephemeral = ec.generate_private_key(public.curve)
        header["epk"] = ECAlgorithm.to_jwk(ephemeral.public_key(), as_dict=True)
        shared = ephemeral.exchange(ec.ECDH(), public)
        # One round of SHA-256 makes 32 bytes; neither party has a name.
        info = b"\0\0\0\x0eECDH-ES+A256KW" + bytes(8) + b"\0\0\1\0"
        derived = hashlib.sha256(b"\0\0\0\1" + shared + info).digest()
        wrapped = aes_key_wrap(derived, content_key)
    protected = base64url_encode(json.dumps(header).encode())
    iv = os.urandom(12)
    sealed = AESGCM(content_key).encrypt(iv, payload, protected)
    parts = (wrapped, iv, sealed[:-16], sealed[-16:])
    return b".".join((protected, *map(base64url_encode, parts)))


def instance(*signers: Signer) -> Issuer:
    """Returns the server of an instance's keys."""
    made = Issuer()
    made.answers["/oauth/v2/keys"] = answering(key_set(*signers))
    return made


class Zitadel:
    """Calls targets at functions, until its session is closed."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.executions: dict[str, list[Target]] = {}

    async def token(self, login: Login, function: str = "preuserinfo") -> Outcome:
        """Makes a token.

        Raises:
            ExecutionFailed: a target ended it.
        """
        answer = await self._executed(function, login)
        claims, log = dict(login.userinfo), list(answer.get("append_log_claims", ()))
        for entry in answer.get("append_claims", ()):
            key = entry["key"]
            if key.startswith(RESERVED):
                continue
            if claims.get(key) is not None:
                log.append(f'key "{key}" already exists')
                continue
            claims[key] = entry["value"]
        if log:
            claims[f"{RESERVED}:action:function/{function}:log"] = log
        return Outcome(claims=claims, metadata=_metadata(answer))

    async def saml_response(self, login: Login) -> Outcome:
        """Makes a SAML response.

        Raises:
            ExecutionFailed: a target ended it.
        """
        answer = await self._executed("presamlresponse", login)
        attributes = {
            entry["name"]: (entry["name_format"], tuple(entry["value"]))
            for entry in answer.get("append_attribute", ())
        }
        return Outcome(attributes=attributes, metadata=_metadata(answer))

    async def requested(self, method: str, request: Mapping[str, Any], org_id: str) -> Any:
        """Returns the request of a method as targets left it.

        Raises:
            ExecutionFailed: a target ended it, or answered with another message.
        """
        said = {"request": request}
        return await self._messaged(f"request{method}", method, org_id, said, "request")

    async def responded(
        self, method: str, request: Mapping[str, Any], response: Mapping[str, Any], org_id: str
    ) -> Any:
        """Returns the response of a method as targets left it.

        Raises:
            ExecutionFailed: a target ended it, or answered with another message.
        """
        said = {"request": request, "response": response}
        return await self._messaged(f"response{method}", method, org_id, said, "response")

    async def happened(self, event_type: str, **members: Any) -> None:
        """Tells targets of an event; their answers are ignored."""
        payload = {"aggregateType": "user", "version": "v2", "event_type": event_type, **members}
        for target in self.executions.get(f"event/{event_type}", ()):
            with contextlib.suppress(ExecutionFailed):
                await self._called(target, payload)

    async def _messaged(
        self, execution: str, method: str, org_id: str, said: Mapping[str, Any], part: str
    ) -> Any:
        """Calls targets one after the other; each sees the message as the ones before left it."""
        members = dict(said)
        for target in self.executions.get(execution, ()):
            payload = {"fullMethod": method, "instanceID": "1", "orgID": org_id, "userID": "9"}
            try:
                answer = await self._called(target, {**payload, **members})
                if answer is not None:
                    require_known(answer, MESSAGES[f"{part} {method}"])
                    members[part] = answer
            except ExecutionFailed:
                if target.interrupt_on_error:
                    raise
        return members[part]

    async def _executed(self, function: str, login: Login) -> dict[str, Any]:
        """Calls the targets of a function, one after the other; each sees the answers before."""
        answered: dict[str, Any] = {}
        for target in self.executions.get(function, ()):
            payload = login.payload(function)
            if answered:
                payload["response"] = answered
            try:
                answered = {**answered, **(await self._called(target, payload) or {})}
            except ExecutionFailed:
                if target.interrupt_on_error:
                    raise
        return answered

    async def _called(self, target: Target, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the answer; None if it is empty."""
        body = target.encode(json.dumps(payload).encode())
        headers = {
            "Content-Type": "application/json",
            "ZITADEL-Signature": signed(body, *target.signing_keys),
        }
        timeout = aiohttp.ClientTimeout(TIMEOUT_S)
        async with self._session.post(
            target.endpoint, data=body, headers=headers, timeout=timeout
        ) as response:
            text = await response.read()
            if not 200 <= response.status < 300:
                raise ExecutionFailed(0, "Execution failed (EXEC-dra6yamk98)")
        if not text:
            return None
        answer: dict[str, Any] = json.loads(text)
        if status := answer.get("forwardedStatusCode"):
            if not 400 <= status < 500:
                raise ExecutionFailed(0, "Execution failed (EXEC-bmhNhpcqpF)")
            raise ExecutionFailed(status, answer.get("forwardedErrorMessage", ""))
        return answer


def _metadata(answer: Mapping[str, Any]) -> dict[str, bytes]:
    return {
        entry["key"]: base64.b64decode(entry["value"], validate=True)
        for entry in answer.get("set_user_metadata", ())
    }
