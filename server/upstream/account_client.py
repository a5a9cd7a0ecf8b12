"""Asks a ZITADEL's API as a service account.

Follows RFC 7523 section 2.1 (the grant by an assertion) and RFC 6749 section 5.1 (its answer).
Rule 1: redirects are not followed, and answers are neither inflated nor held beyond a limit.
Rule 2: a failure is one line without a token.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

from server.bridge.service_accounts import ServiceAccount
from server.http_answers import TooLarge, read_body, why_unanswered
from server.resolver import Resolver
from server.upstream.assertions import assertion_of
from server.upstream.remembered import Remembered

CONNECTIONS_MAX: Final = 8
"""Max connections to one ZITADEL; more requests wait."""

ALL_CONNECTIONS_MAX: Final = 128

ANSWER_MAX_BYTES: Final = 2 << 20
"""Max bytes of an answer: values of metadata are base64 there."""

FAILED_S: Final = 1.0
"""Seconds for which a request that failed is not sent again."""

TOKEN_MIN_S: Final = 60
"""Seconds before its end at which a token is replaced."""

TOKEN_MAX_S: Final = 3600
_TOKEN_PATH: Final = "/oauth/v2/token"  # noqa: S105  a path
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPE: Final = "openid urn:zitadel:iam:org:project:id:zitadel:aud"
"""Scope of a token that ZITADEL's own API accepts."""

_CLOSED: Final = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientConnectionResetError,
    aiohttp.ClientOSError,
)

_TOKENS_MAX_CHARS: Final = 4 << 20


class Unanswered(Exception):
    """A request has no answer that can be used; the text says why.

    Attributes:
        status: HTTP status of the answer; 0 without one.
    """

    def __init__(self, text: str, *, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int = 0


_decode_token: Final = msgspec.json.Decoder(_Token).decode


class AccountClient:
    """Sends requests, until `close`."""

    def __init__(self) -> None:
        """Opens no connection yet."""
        self._session: aiohttp.ClientSession | None = None
        self._tokens: Remembered[ServiceAccount, str | Unanswered] = Remembered(
            size_max=_TOKENS_MAX_CHARS, size_of=lambda token: len(str(token)) + 100
        )

    async def close(self) -> None:
        await self._tokens.close()
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, account: ServiceAccount, path: str, body: Mapping[str, Any] | None, *, org_id: str
    ) -> bytes:
        """Returns the body of an answer, which has the status 200.

        A key's token that is refused is replaced once.

        Args:
            account: who asks.
            path: with its query.
            body: of a POST; None for a GET.
            org_id: the organisation that is asked about.

        Raises:
            Unanswered: it has another status, or there is none.
        """
        if not org_id.isascii() or not org_id.isprintable():  # is a header
            raise Unanswered("expected an id of printable characters")
        for attempt in (1, 2):
            token = await self._token(account)
            headers = {"Authorization": f"Bearer {token}", "x-zitadel-orgid": org_id}
            sent = {} if body is None else {"json": body}
            verb = "GET" if body is None else "POST"
            status, answer = await self._sent(verb, account.issuer + path, headers=headers, **sent)
            if status == 200:
                return answer
            if status != 401 or not account.key or attempt == 2:
                text = f"ZITADEL answered {status}{_advice(status)}"
                raise Unanswered(text, status=status)
            self._tokens.discard(account, token)
        raise AssertionError  # never: each second attempt returns or raises

    async def _token(self, account: ServiceAccount) -> str:
        if account.token:
            return account.token
        found = await self._tokens.get(account, lambda: self._granted(account))
        if isinstance(found, Unanswered):
            raise Unanswered(str(found))
        return found

    async def _granted(self, account: ServiceAccount) -> tuple[str | Unanswered, float]:
        """Returns a token or why there is none, and for how many seconds that holds."""
        form = {
            "grant_type": _GRANT,
            "scope": _SCOPE,
            "assertion": assertion_of(account, now_s=int(time.time())),
        }
        try:
            status, answer = await self._sent("POST", account.issuer + _TOKEN_PATH, data=form)
            if status != 200:
                raise Unanswered(f"ZITADEL answered {status} to the key of the service account")
            granted = _decode_token(answer)
        except Unanswered as error:
            return error.with_traceback(None), FAILED_S
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Unanswered("expected an access token; is it a ZITADEL?"), FAILED_S
        return granted.access_token, min(granted.expires_in, TOKEN_MAX_S) - TOKEN_MIN_S

    async def _sent(self, verb: str, url: str, **sent: Any) -> tuple[int, bytes]:  # noqa: ANN401  as aiohttp has it
        """Returns the status and the body of an answer.

        A request whose connection was closed without an answer is sent once more: a server may
        close one that is idle at that moment, and all requests here may be done twice.
        """
        for is_last in (False, True):
            try:
                async with self._opened().request(
                    verb, url, allow_redirects=False, **sent
                ) as response:
                    body = await read_body(response, max_bytes=ANSWER_MAX_BYTES)
                    return response.status, body
            except TooLarge:
                raise Unanswered(f"expected at most {ANSWER_MAX_BYTES} bytes, got more") from None
            except (aiohttp.ClientError, OSError) as error:
                was_open = not isinstance(error, aiohttp.ClientConnectorError)
                if is_last or not (was_open and isinstance(error, _CLOSED)):
                    raise Unanswered(f"ZITADEL: {why_unanswered(error)}") from None
        raise AssertionError  # never: the second attempt returns or raises

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=Resolver(),
                    use_dns_cache=False,
                    limit=ALL_CONNECTIONS_MAX,
                    limit_per_host=CONNECTIONS_MAX,
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None),  # whoever asks has a deadline
            )
        return self._session


def _advice(status: int) -> str:
    if status in (401, 403, 404):
        return ": may the service account do this?"
    return ""
