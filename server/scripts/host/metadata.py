"""Reads metadata for the scripts of a run, where its context lacks it.

A list is read when a script asks for it, so a run that asks for none costs nothing.
Rule: a worker is not trusted: it gets only what the source of its run offers.
"""

from typing import Final

import msgspec
import orjson

from server.scripts.contract import MetadataSource, NoMetadata

_decode_place: Final = msgspec.json.Decoder(str).decode


class RunMetadata:
    """Answers the scripts of one run."""

    def __init__(self, source: MetadataSource | None) -> None:
        """Takes the source; None if the context has all there is."""
        self._source = source

    def elsewhere(self) -> dict[str, bool]:
        """Returns the parts of the context that are read here, each as true."""
        return {} if self._source is None else dict.fromkeys(sorted(self._source.parts), True)

    async def answer(self, payload: bytes) -> bytes:
        """Returns the answer to a script as JSON, with `error` if it gets no list.

        Args:
            payload: the part of the context, "/", and the granting organisation, if any.

        Raises:
            msgspec.DecodeError: the payload is no text.
        """
        part, _, org_id = _decode_place(payload).partition("/")
        try:
            if self._source is None or part not in self._source.parts:
                raise NoMetadata("metadata: the context has all that can be read")
            return b'{"value":' + await self._source.read(part, org_id) + b"}"
        except NoMetadata as error:
            return orjson.dumps({"error": str(error)})
