"""Reads the form of a request for a token, and the credentials of its client.

Follows RFC 6749 sections 2.3.1, 3.2 and appendix B, and RFC 7617 (Basic).
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from server.oauth.errors import invalid_client, invalid_request
from server.oauth.web import HttpRequest

_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS_MAX: Final = 32
_BASIC: Final = "basic "


def form_of(request: HttpRequest) -> Mapping[str, str]:
    """Returns the fields of the form; empty ones count as absent.

    Raises:
        OAuthError: it is no form, or has a field twice.
    """
    given = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if given != _FORM:
        raise invalid_request(f"expected the content type {_FORM}")
    try:
        fields = parse_qsl(
            request.body.decode(), max_num_fields=_FIELDS_MAX, errors="strict", encoding="utf-8"
        )
    except ValueError as error:
        raise invalid_request("expected a form in UTF-8") from error
    form = dict(fields)
    if len(form) != len(fields):
        raise invalid_request("expected each parameter once")
    return form


def client_of(request: HttpRequest, form: Mapping[str, str]) -> tuple[str, str]:
    """Returns the id and the secret of the client, from the Authorization header or the form.

    Raises:
        OAuthError: there are none, or both.
    """
    authorization = request.headers.get("Authorization", "")
    in_form = form.get("client_id", ""), form.get("client_secret", "")
    if not authorization:
        if not all(in_form):
            raise invalid_client("no credentials")
        return in_form
    if in_form[1]:
        raise invalid_request("expected credentials in the header or in the form, not in both")
    if not authorization[: len(_BASIC)].lower() == _BASIC:
        raise invalid_client("another scheme than Basic")
    try:
        text = base64.b64decode(authorization[len(_BASIC) :].strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_client("no Basic credentials in base64") from error
    client_id, _, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
