"""An issuer of JWTs: key pairs that sign, and an HTTP server with their public halves.

Rule: nothing of the server is used; keys are cryptography's and signatures PyJWT's.
"""

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import get_default_algorithms

AUDIENCE: Final = "actions"
KEYS_PATH: Final = "/keys"
DISCOVERY_PATH: Final = "/.well-known/openid-configuration"

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)

Answer = Callable[[BaseHTTPRequestHandler], None]


@cache
def _private_key(kind: str, key_id: str) -> Any:
    """A key pair, made once, as that takes a while for RSA."""
    match kind:
        case "RSA":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "RSA 1024":
            return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ES512":
            return ec.generate_private_key(ec.SECP521R1())
        case "Ed448":
            return ed448.Ed448PrivateKey.generate()
    return ed25519.Ed25519PrivateKey.generate()


class Signer:
    """A key pair of the issuer."""

    def __init__(
        self,
        algorithm: str = "RS256",
        key_id: str = "one",
        *,
        kind: str = "",
        private: object = None,
    ) -> None:
        """Make one, or take the one made before under the same id.

        Args:
            algorithm: what it signs by.
            key_id: its `kid`.
            kind: of the key, where that does not follow from the algorithm.
            private: the private key, in place of the one that belongs to the id.
        """
        self.algorithm = algorithm
        self.key_id = key_id
        usual = "RSA" if algorithm[:2] in ("RS", "PS") else algorithm
        self.private: Any = private or _private_key(kind or usual, key_id)

    def jwk(self, **members: object) -> dict[str, object]:
        """The public half; a member that is None is left out."""
        of_key = get_default_algorithms()[self.algorithm].to_jwk(
            self.private.public_key(), as_dict=True
        )
        usual = {**of_key, "kid": self.key_id, "use": "sig", "key_ops": None}
        return {name: value for name, value in (usual | members).items() if value is not None}

    def token(
        self, claims: Mapping[str, object], *, header: Mapping[str, object] | None = None
    ) -> str:
        """A JWT; a member of the header that is None is left out."""
        members = {"kid": self.key_id, **(header or {})}
        return jwt.encode(
            dict(claims),
            self.private,
            self.algorithm,
            headers={name: value for name, value in members.items() if value is not None},
        )


def claims(subject: str, issuer: str, **members: object) -> dict[str, object]:
    """Returns the claims of a valid access token; a member that is None is left out."""
    now = int(time.time())
    usual = {"iss": issuer, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 600}
    return {name: value for name, value in {**usual, **members}.items() if value is not None}


def key_set(*signers: Signer) -> dict[str, object]:
    return {"keys": [signer.jwk() for signer in signers]}


def endless(request: BaseHTTPRequestHandler) -> None:
    """An answer whose body goes on as long as its client takes it."""
    request.send_response(200)
    request.end_headers()
    with contextlib.suppress(OSError):
        while True:
            request.wfile.write(b" " * 4096)


def answering(
    body: object, *, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Answer:
    """Answers with bytes as they are, with anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


class Issuer:
    """The server, on a free port of this machine while its block runs.

    Attributes:
        answers: by path; a test may set others. What has none is answered 404.
        asked: the paths of all requests so far.
        url: also the issuer's name.
    """

    def __init__(self, *signers: Signer, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                answer = issuer.answers.get(self.path) or answering({}, status=404)
                answer(self)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self.keys_url = self.url + KEYS_PATH
        self.answers: dict[str, Answer] = {
            DISCOVERY_PATH: answering({"issuer": self.url, "jwks_uri": self.keys_url}),
            KEYS_PATH: answering(key_set(*signers)),
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def claims(self, subject: str, **members: object) -> dict[str, object]:
        """Returns the claims of a valid token of this issuer; a member that is None is left out."""
        return claims(subject, self.url, **members)
