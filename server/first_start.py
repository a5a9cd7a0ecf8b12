"""What an empty store is given: an organisation, a user who owns everything, and a token of it.

The token is written to its file before it is stored: whatever happens in between, there is never an
owner whose token nobody has. All is stored in one transaction, or nothing.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.commands.orgs import AddMember, CreateOrg
from server.commands.queue import CommandQueue
from server.commands.users import CreateToken, CreateUser
from server.eventstore.contract import EventStore
from server.identity.tokens import hash_of, new_secret
from server.ids import IdGenerator
from server.threads import ThreadPool

ORG_NAME: Final = "Default"
USER_NAME: Final = "owner"
ROLE: Final = "IAM_OWNER"

_EDITOR: Final = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """What the first start made.

    Attributes:
        token: its secret, shown this once.
    """

    org_id: str
    org_name: str
    user_id: str
    token: str


async def make_owner(
    store: EventStore,
    queue: CommandQueue,
    ids: IdGenerator,
    *,
    token_file: Path,
    threads: ThreadPool,
) -> Owner | None:
    """Fill an empty store; None when it is not empty.

    Raises:
        OSError: the token's file cannot be written.
        StorageError: it cannot be stored.
    """
    if not await store.is_empty():
        return None
    secret = new_secret()
    owner = Owner(ids.next(), ORG_NAME, ids.next(), secret)
    token = CreateToken(
        org_id=owner.org_id,
        user_id=owner.user_id,
        token_id=ids.next(),
        secret_hash=hash_of(secret),
        description="first start",
        expires_at=None,
        editor=_EDITOR,
    )
    await threads.run("", _write, token_file, secret)
    try:
        # What waits together is committed together, in this order.
        await asyncio.gather(
            queue.execute(CreateOrg(owner.org_id, ORG_NAME, _EDITOR)),
            queue.execute(CreateUser(owner.org_id, owner.user_id, USER_NAME, _EDITOR)),
            queue.execute(AddMember(owner.org_id, owner.user_id, (ROLE,), _EDITOR)),
            queue.execute(token),
        )
    except BaseException:
        await threads.run("", token_file.unlink, missing_ok=True)
        raise
    return owner


def _write(path: Path, secret: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)  # it may have been there, with another mode
        file.write(secret + "\n")
        file.flush()
        os.fsync(descriptor)
