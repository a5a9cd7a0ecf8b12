"""What an empty store is given: an organisation, a user who owns everything, and a token of it.

The token is written to a file `owner.token.new` before it is stored, and that file becomes
`owner.token` after: there is never an owner whose token nobody has, and `owner.token` never has a
token that is not stored. The next start ends what a crash has left half done. All is stored in one
transaction, or nothing.

Rule: no file that is there is written to. Somebody else may have placed it to read the token.
"""

import asyncio
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from server.commands.orgs import AddMember, CreateOrg
from server.commands.queue import CommandQueue
from server.commands.users import CreateToken, CreateUser
from server.eventstore.contract import EventStore, StorageError
from server.eventstore.files import check, make, open_ours, sync_folder
from server.identity.tokens import hash_of, new_secret
from server.ids import IdGenerator
from server.threads import ThreadPool

ORG_NAME: Final = "Default"
USER_NAME: Final = "owner"
ROLE: Final = "IAM_OWNER"

_EDITOR: Final = ""
_SECRET_MAX_CHARS: Final = 256
"""Max characters of a file with a secret; a longer one has none."""


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
        StorageError: it cannot be stored, or there is a token's file already.
    """
    new_file = token_file.with_name(f"{token_file.name}.new")
    if (left := await threads.run("", _left_in, new_file)) is not None:
        is_stored = await store.token_by_hash(hash_of(left)) is not None
        end = partial(_publish, new_file, token_file) if is_stored else new_file.unlink
        await threads.run("", end)
    if not await store.is_empty():
        return None
    await threads.run("", _refuse_if_there, token_file)
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
    await threads.run("", _write, new_file, secret)
    # What waits together is committed together, in this order. The new file stays if this fails,
    # as storage may fail after the commit.
    await asyncio.gather(
        queue.execute(CreateOrg(owner.org_id, ORG_NAME, _EDITOR)),
        queue.execute(CreateUser(owner.org_id, owner.user_id, USER_NAME, _EDITOR)),
        queue.execute(AddMember(owner.org_id, owner.user_id, (ROLE,), _EDITOR)),
        queue.execute(token),
    )
    await threads.run("", _publish, new_file, token_file)
    return owner


def _left_in(new_file: Path) -> str | None:
    """Returns the secret that an interrupted first start left; None if there is no such file."""
    if not check(new_file):
        return None
    with os.fdopen(open_ours(new_file, os.O_RDONLY), encoding="ascii", errors="replace") as file:
        return file.read(_SECRET_MAX_CHARS).strip()


def _refuse_if_there(token_file: Path) -> None:
    if check(token_file):
        raise StorageError(
            f"{token_file}: expected no file, as the database beside it is empty; "
            "bring the database back, or move the file away to start anew"
        )


def _write(new_file: Path, secret: str) -> None:
    with os.fdopen(make(new_file, os.O_WRONLY), "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(new_file.parent)


def _publish(new_file: Path, token_file: Path) -> None:
    new_file.replace(token_file)  # a link that somebody has put there meanwhile is replaced
    sync_folder(token_file.parent)
