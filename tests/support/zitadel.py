"""A stand-in for the part of ZITADEL that calls targets of its Actions v2 at functions.

It has targets with signing keys, executions by function, the payloads of a user, as JSON, JWT or
JWE, and makes of answers what ZITADEL does: claims of a token or attributes of a SAML response,
metadata, or the error that ends the login. Written from its documentation; it knows nothing of the
service.
"""

import base64
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

    async def _executed(self, function: str, login: Login) -> dict[str, Any]:
        """Calls the targets of a function, one after the other; each sees the answers before."""
        answered: dict[str, Any] = {}
        for target in self.executions.get(function, ()):
            payload = login.payload(function)
            if answered:
                payload["response"] = answered
            try:
                answered = {**answered, **await self._called(target, payload)}
            except ExecutionFailed:
                if target.interrupt_on_error:
                    raise
        return answered

    async def _called(self, target: Target, payload: Mapping[str, Any]) -> dict[str, Any]:
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
        answer: dict[str, Any] = json.loads(text) if text else {}
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
