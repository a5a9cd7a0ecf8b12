"""Gives secrets to the scripts of a run, and masks them in what the run says.

Follows docs/scripts.md "Modules". A value is read when a script asks for it, so a run that asks for
none costs nothing.
Rule: only values that a run was given are masked, in its own texts; `claims`, metadata and what a
script fetches are as the script made them.
"""

import base64
from typing import Final, Protocol

import msgspec
import orjson

MASK: Final = "***"
MASKED_MIN_CHARS: Final = 4
"""Min characters of a value that is masked: a shorter one is found in most texts."""

START_CHARS: Final = 16
"""Characters of the start of a value that are masked, too: texts may be cut within a value."""

NAME_SHOWN_CHARS: Final = 100

GIVEN_MAX: Final = 25
"""Max secrets of a run; each is looked for in all that the run says, on the loop."""


class NoSecret(Exception):
    """The script gets no value; the text is for it."""


class SecretSource(Protocol):
    """Has the secrets of all organisations."""

    async def read(self, org_id: str, name: str) -> str:
        """Returns the value of a secret.

        Raises:
            NoSecret: there is none, or it cannot be read.
        """


_decode_name: Final = msgspec.json.Decoder(str).decode


class RunSecrets:
    """Has the secrets that the scripts of one run were given."""

    def __init__(self, source: SecretSource | None, org_id: str) -> None:
        """Takes the source; None if there are no secrets."""
        self._source = source
        self._org_id = org_id
        self._given: dict[str, str] = {}

    async def answer(self, payload: bytes) -> bytes:
        """Returns the answer to a script as JSON, with `error` if it gets no value.

        Raises:
            msgspec.DecodeError: the payload is not the name of a secret.
        """
        name = _decode_name(payload)
        try:
            value = self._given[name] = self._given.get(name) or await self._read(name)
        except NoSecret as error:
            return orjson.dumps({"error": str(error)})
        return orjson.dumps({"value": value})

    @property
    def are_given(self) -> bool:
        """True if a script was given a secret."""
        return bool(self._given)

    def masked(self, text: str) -> str:
        """Returns the text without the values that were given, also in JSON and in base64."""
        for value in self._given.values():
            if len(value) >= MASKED_MIN_CHARS:
                for form in _forms(value):
                    text = _without(text, form)
        return text

    async def _read(self, name: str) -> str:
        if len(self._given) >= GIVEN_MAX:
            shown = name[:NAME_SHOWN_CHARS]
            raise NoSecret(f"secret {shown}: a run may read at most {GIVEN_MAX} secrets")
        if self._source is None:
            raise NoSecret(f"secret {name[:NAME_SHOWN_CHARS]}: secrets are not available here")
        return await self._source.read(self._org_id, name)


def _forms(value: str) -> list[str]:
    """Returns the texts in which a value may stand, the longest first."""
    octets = value.encode()
    in_json = orjson.dumps(value)[1:-1].decode()
    forms = {value, in_json, base64.b64encode(octets).decode().rstrip("=")}
    return sorted(forms, key=len, reverse=True)


def _without(text: str, form: str) -> str:
    start = form[:START_CHARS]
    at = text.find(start)
    if at < 0:
        return text
    parts, after = [], 0
    while at >= 0:
        parts += [text[after:at], MASK]
        after = at + _common_length(text, at, form)
        at = text.find(start, after)
    return "".join([*parts, text[after:]])


def _common_length(text: str, at: int, form: str) -> int:
    """Returns how many characters of the text from `at` are the start of the form."""
    least, most = min(START_CHARS, len(form)), len(form)
    while least < most:  # by halves, as a long value may repeat itself
        middle = (least + most + 1) // 2
        if text.startswith(form[:middle], at):
            least = middle
        else:
            most = middle - 1
    return least
