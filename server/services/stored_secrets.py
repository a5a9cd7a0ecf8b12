"""Reads secrets of scripts from the store, and opens them.

Nothing is kept in memory: a run that begins after a change has the change, also one by another
process.
"""

from typing import Final

import structlog

from server.domain.refusals import Refusal
from server.domain.secret import place_of
from server.scripts.host.secrets import NAME_SHOWN_CHARS, NoSecret
from server.sealing.key_ring import KeyRing
from server.sealing.sealer import CannotOpen
from server.store.errors import StorageError
from server.store.read_model import ReadModel, SealedContent

log: Final = structlog.get_logger()


class StoredSecrets:
    """Implements `server.scripts.host.secrets.SecretSource`."""

    def __init__(self, reads: ReadModel, keys: KeyRing) -> None:
        self._reads = reads
        self._keys = keys

    async def read(self, org_id: str, name: str) -> str:
        """Returns the value of a secret.

        Raises:
            NoSecret: there is none, or it cannot be read.
        """
        shown = name[:NAME_SHOWN_CHARS]
        try:
            place = place_of(org_id, name)
            sealed = await self._reads.read(SealedContent(place.id))
            if sealed is None:
                raise NoSecret(f"secret {shown} is not set")
            return self._keys.open(place, sealed).decode()
        except Refusal as error:
            raise NoSecret(f"secret {shown} is not set: its name is invalid") from error
        except StorageError as error:
            raise NoSecret(f"secret {shown} cannot be read now") from error
        except CannotOpen as error:
            log.error("a secret cannot be opened", org_id=org_id, reason=str(error))
            raise NoSecret(f"secret {shown} cannot be opened; set it again") from error
