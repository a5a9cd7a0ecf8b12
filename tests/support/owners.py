"""Makes organisations with an owner each, many at once, and hands out each of them once.

Rule: over gRPC, as the owner of the instance.
"""

import asyncio
import itertools
from typing import Final

from actions.v1 import admin_pb2 as pb
from tests.support.api_client import ApiClient, Caller

AT_ONCE: Final = 20
"""The number that is made when none is left; together they take few commits."""


class Owners:
    """Owners of organisations of one server, which nobody else uses."""

    def __init__(self, token: str) -> None:
        """Makes none yet; the token is of the owner of the instance."""
        self._token = token
        self._numbers = itertools.count(1)
        self._made: list[tuple[str, str]] = []

    async def take(self, api: ApiClient) -> Caller:
        """Returns the owner of an organisation that has nothing else."""
        if not self._made:
            instance = Caller(api, self._token, "")
            self._made += await asyncio.gather(*(self._make(instance) for _ in range(AT_ONCE)))
        return Caller(api, *self._made.pop())

    async def _make(self, instance: Caller) -> tuple[str, str]:
        name = f"owned {next(self._numbers)}"
        org_id = (await instance.get(pb.CreateOrgRequest(name=name))).org.id
        created = await instance.get(pb.CreateUserRequest(org_id=org_id, name=name))
        user_id = created.user.id
        roles = ["ORG_OWNER"]
        await instance.get(pb.AddMemberRequest(org_id=org_id, user_id=user_id, roles=roles))
        return (await instance.get(pb.CreateTokenRequest(user_id=user_id))).secret, org_id
