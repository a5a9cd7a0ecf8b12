"""Fills an empty store: an organisation, a user who owns everything, and a token of that user.

The token is written to `owner.token.new`, then stored, then the file is renamed to `owner.token`.
So every stored owner has its token in a file, and `owner.token` has only stored tokens. After a
crash the next start renames the new file if its token is stored, and removes it otherwise.
Organisation, user, membership and token are stored in one transaction.

Rule: an existing file is never written to: another user may have placed it to read the token.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from server import owner_token
from server.clock import wall_clock
from server.commands.orgs import AddMember, CreateOrg
from server.commands.queue import CommandQueue
from server.commands.users import CreateToken, CreateUser
from server.identity.tokens import hash_of, new_secret
from server.ids import IdGenerator
from server.store.engine import Store
from server.store.errors import StorageError
from server.store.files import check
from server.store.log import NO_EVENT
from server.store.read_model import TokenByHash
from server.threads import ThreadPool

ORG_NAME: Final = "Default"
USER_NAME: Final = "owner"
ROLE: Final = "IAM_OWNER"

_EDITOR: Final = ""
"""The editor of the events: nobody called."""


@dataclass(frozen=True, slots=True)
class FirstOwner:
    """The organisation, user and token that the first start made.

    Attributes:
        token: the secret, shown only now.
    """

    org_id: str
    org_name: str
    user_id: str
    token: str


async def make_owner(
    store: Store,
    queue: CommandQueue,
    ids: IdGenerator,
    *,
    token_file: Path,
    threads: ThreadPool,
) -> FirstOwner | None:
    """Fills an empty store; returns None if it is not empty, or another process fills it.

    Raises:
        OSError: the token's file cannot be written.
        StorageError: the store fails, or `owner.token` exists.
    """
    new_file = token_file.with_name(f"{token_file.name}.new")
    if (left := await threads.run("", owner_token.read, new_file)) is not None:
        is_stored = await store.read(TokenByHash(hash_of(left))) is not None
        finish = (
            partial(owner_token.publish, new_file, token_file) if is_stored else new_file.unlink
        )
        await threads.run("", finish)
    if await store.last_event() != NO_EVENT:
        return None
    await threads.run("", _refuse_if_there, token_file)
    secret = new_secret()
    owner = FirstOwner(ids.next(), ORG_NAME, ids.next(), secret)
    token = CreateToken(
        org_id=owner.org_id,
        user_id=owner.user_id,
        token_id=ids.next(),
        secret_hash=hash_of(secret),
        description="first start",
        expires_at=None,
        editor=_EDITOR,
    )
    await threads.run("", owner_token.prepare, new_file, secret)
    # Commands that are queued together are committed together, in this order. If that fails, the
    # new file stays: storage may have failed after the commit.
    await asyncio.gather(
        queue.execute(CreateOrg(owner.org_id, ORG_NAME, _EDITOR)),
        queue.execute(CreateUser(owner.org_id, owner.user_id, USER_NAME, _EDITOR)),
        queue.execute(AddMember(owner.org_id, owner.user_id, (ROLE,), _EDITOR)),
        queue.execute(token),
    )
    await threads.run("", owner_token.publish, new_file, token_file)
    return owner


async def is_refused(store: Store, *, token_file: Path, threads: ThreadPool) -> bool:
    """True if the file has a personal access token, and that was revoked or has expired."""
    try:
        text = await threads.run("", owner_token.read, token_file)
    except (OSError, StorageError):
        return False  # commands that read it report that
    if not text or not owner_token.is_personal(text):
        return False
    token = await store.read(TokenByHash(hash_of(text)))
    if token is None:
        return True
    return token.expires_at is not None and token.expires_at <= wall_clock()


def _refuse_if_there(token_file: Path) -> None:
    if check(token_file):
        raise StorageError(
            f"{token_file}: expected no file, as the database beside it is empty; "
            "bring the database back, or move the file away to start anew"
        )
