"""Administers accounts and targets: actions.v1.AdminService.

Follows docs/api.md "Accounts", and actions/v1/admin.proto. It is served to callers with the
permission over every protocol, and to the operator on the admin socket. A command that has locked
the data folder calls it in its own process.

Rule: only the answers to CreateToken and CreateKey have a secret.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from actions.v1 import admin_pb2 as pb
from actions.v1 import bridge_pb2
from actions.v1.admin_pb2_grpc import AdminServiceServicer
from server.commands import machine_keys, orgs, removal, users
from server.commands.base import Commands
from server.domain.aggregates import member_key, org_key, user_key
from server.domain.machine_key import KeyKind
from server.domain.org import Org, member_id
from server.domain.refusals import not_found
from server.identity.key_pairs import new_key_pair
from server.identity.tokens import CLIENT_SECRET_PREFIX, hash_of, new_secret
from server.ids import IdGenerator
from server.rpc.call_info import current_caller
from server.services import account_messages as messages
from server.services.account_messages import naming
from server.services.account_reads import AccountReads
from server.services.targets import TargetAdministration
from server.services.windows import window_of
from server.store.engine import Store
from server.store.read_model import (
    NO_FOOTPRINT,
    AllOrgs,
    EndedOrg,
    EndedOrgs,
    OrgById,
    OrgFootprint,
    TokenByHash,
    UsersOf,
)
from server.threads import ThreadPool

PURGES_MAX: Final = 32
"""Max commands of one ClearOrg, so that it ends within seconds on a slow disk."""

INLINE_MAX_ROWS: Final = 500
"""Max rows of a list that is made on the loop, at about 4 µs each; more take a thread."""

R = TypeVar("R")
T = TypeVar("T")


class AccountsService(AdminServiceServicer):
    def __init__(
        self,
        store: Store,
        queue: Commands,
        ids: IdGenerator,
        *,
        threads: ThreadPool,
        targets: TargetAdministration,
    ) -> None:
        self._store = store
        self._reads = AccountReads(store)
        self._queue = queue
        self._ids = ids
        self._threads = threads
        self._targets = targets

    async def CreateOrg(
        self, request: pb.CreateOrgRequest, context: object
    ) -> pb.CreateOrgResponse:
        with naming(request):
            command = orgs.CreateOrg(self._ids.next(), request.name, _editor())
            response = pb.CreateOrgResponse()
            messages.fill_org(response.org, await self._queue.execute(command))
            return response

    async def RenameOrg(
        self, request: pb.RenameOrgRequest, context: object
    ) -> pb.RenameOrgResponse:
        with naming(request):
            command = orgs.RenameOrg(request.org_id, request.name, _editor())
            response = pb.RenameOrgResponse()
            messages.fill_org(response.org, await self._queue.execute(command))
            return response

    async def ListAllOrgs(
        self, request: pb.ListAllOrgsRequest, context: object
    ) -> pb.ListAllOrgsResponse:
        window = window_of(request)
        found: list[Org | EndedOrg] = [*await self._store.read(AllOrgs())]
        found += await self._store.read(EndedOrgs())
        return await self._listed(messages.orgs_of, window.of(found))

    async def GetOrgContents(
        self, request: pb.GetOrgContentsRequest, context: object
    ) -> pb.GetOrgContentsResponse:
        with naming(request):
            org = await self._store.read(OrgById(request.org_id))
            left = await self._store.read(OrgFootprint(request.org_id))
            if org is None and left == NO_FOOTPRINT:
                raise not_found("Errors.Org.NotFound", "ADMIN-Oc4nf")
            name = "" if org is None else org.name
            response = pb.GetOrgContentsResponse(org_id=request.org_id, name=name)
            messages.fill_contents(response.contents, left)
            return response

    async def RemoveOrg(
        self, request: pb.RemoveOrgRequest, context: object
    ) -> pb.RemoveOrgResponse:
        with naming(request):
            org_id = request.org_id
            if await self._store.read(OrgById(org_id)) is not None:
                owner = await self._reads.owner_without(org_key(org_id))
                await self._queue.execute(removal.RemoveOrg(org_id, owner, _editor()))
            elif not await self._reads.remains(org_id):
                raise not_found("Errors.Org.NotFound", "ADMIN-Or4nf")
            return pb.RemoveOrgResponse()

    async def ClearOrg(self, request: pb.ClearOrgRequest, context: object) -> pb.ClearOrgResponse:
        with naming(request):
            org_id = request.org_id
            for _ in range(PURGES_MAX):
                keys = await self._reads.remains(org_id)
                if not keys:
                    break
                await self._queue.execute(removal.PurgeOrg(org_id, tuple(keys), _editor()))
            response = pb.ClearOrgResponse()
            messages.fill_contents(response.contents, await self._store.read(OrgFootprint(org_id)))
            return response

    async def CreateUser(
        self, request: pb.CreateUserRequest, context: object
    ) -> pb.CreateUserResponse:
        with naming(request):
            command = users.CreateUser(
                await self._reads.org_id(request.org_id),
                self._ids.next(),
                request.name,
                _editor(),
                language=request.language,
                subject=request.subject,
            )
            response = pb.CreateUserResponse()
            messages.fill_user(response.user, await self._queue.execute(command))
            return response

    async def UpdateUser(
        self, request: pb.UpdateUserRequest, context: object
    ) -> pb.UpdateUserResponse:
        with naming(request):
            user = await self._reads.user(request.user_id)
            command = users.UpdateUser(
                user.org_id,
                user.id,
                request.name if request.HasField("name") else None,
                request.language if request.HasField("language") else None,
                request.subject if request.HasField("subject") else None,
                _editor(),
            )
            response = pb.UpdateUserResponse()
            messages.fill_user(response.user, await self._queue.execute(command))
            return response

    async def RemoveUser(
        self, request: pb.RemoveUserRequest, context: object
    ) -> pb.RemoveUserResponse:
        with naming(request):
            owner = await self._reads.owner_without(user_key(request.user_id))
            await self._queue.execute(users.RemoveUser(request.user_id, owner, _editor()))
            return pb.RemoveUserResponse()

    async def ListUsers(
        self, request: pb.ListUsersRequest, context: object
    ) -> pb.ListUsersResponse:
        with naming(request):
            window = window_of(request)
            found = await self._store.read(UsersOf(await self._reads.org_id(request.org_id)))
            return await self._listed(messages.users_of, window.of(found))

    async def AddMember(
        self, request: pb.AddMemberRequest, context: object
    ) -> pb.AddMemberResponse:
        with naming(request):
            org_id = await self._reads.org_id(request.org_id)
            user = await self._reads.user(request.user_id)
            command = orgs.AddMember(org_id, user.id, tuple(request.roles), _editor())
            member = await self._queue.execute(command)
            response = pb.AddMemberResponse()
            messages.fill_member(response.member, member, user.name)
            return response

    async def SetMemberRoles(
        self, request: pb.SetMemberRolesRequest, context: object
    ) -> pb.SetMemberRolesResponse:
        with naming(request):
            org_id, user_id = await self._reads.org_id(request.org_id), request.user_id
            owner = await self._reads.owner_without(member_key(member_id(org_id, user_id)))
            command = orgs.SetRoles(org_id, user_id, tuple(request.roles), owner, _editor())
            member = await self._queue.execute(command)
            response = pb.SetMemberRolesResponse()
            user_name = await self._reads.user_name(user_id)
            messages.fill_member(response.member, member, user_name)
            return response

    async def RemoveMember(
        self, request: pb.RemoveMemberRequest, context: object
    ) -> pb.RemoveMemberResponse:
        with naming(request):
            org_id, user_id = await self._reads.org_id(request.org_id), request.user_id
            owner = await self._reads.owner_without(member_key(member_id(org_id, user_id)))
            await self._queue.execute(orgs.RemoveMember(org_id, user_id, owner, _editor()))
            return pb.RemoveMemberResponse()

    async def ListMembers(
        self, request: pb.ListMembersRequest, context: object
    ) -> pb.ListMembersResponse:
        with naming(request):
            window = window_of(request)
            found = await self._reads.members(request.org_id, request.user_id, window)
            return await self._listed(messages.members_of, found)

    async def CreateToken(
        self, request: pb.CreateTokenRequest, context: object
    ) -> pb.CreateTokenResponse:
        with naming(request):
            expires_at = messages.expiry_of(request)
            user = await self._reads.user(request.user_id)
            secret = new_secret()
            command = users.CreateToken(
                org_id=user.org_id,
                user_id=user.id,
                token_id=self._ids.next(),
                secret_hash=hash_of(secret),
                description=request.description,
                expires_at=expires_at,
                editor=_editor(),
            )
            token = await self._queue.execute(command)
            response = pb.CreateTokenResponse(secret=secret)
            messages.fill_token(response.token, token)
            return response

    async def ListTokens(
        self, request: pb.ListTokensRequest, context: object
    ) -> pb.ListTokensResponse:
        with naming(request):
            window = window_of(request)
            found = await self._reads.tokens(request.org_id, request.user_id, window)
            return await self._listed(messages.tokens_of, found)

    async def FindToken(
        self, request: pb.FindTokenRequest, context: object
    ) -> pb.FindTokenResponse:
        found = await self._store.read(TokenByHash(request.secret_sha256))
        response = pb.FindTokenResponse()
        if found is not None:
            messages.fill_token(response.token, found)
        return response

    async def RevokeToken(
        self, request: pb.RevokeTokenRequest, context: object
    ) -> pb.RevokeTokenResponse:
        with naming(request):
            await self._queue.execute(users.RevokeToken(request.token_id, _editor()))
            return pb.RevokeTokenResponse()

    async def CreateKey(
        self, request: pb.CreateKeyRequest, context: object
    ) -> pb.CreateKeyResponse:
        with naming(request):
            expires_at = messages.expiry_of(request)
            user = await self._reads.user(request.user_id)
            kind, key_id = messages.kind_of(request), self._ids.next()
            response = pb.CreateKeyResponse()
            if kind is KeyKind.JSON:
                pair = await self._threads.run(current_caller().org_id, new_key_pair)
                response.key_file = pair.file_of(key_id=key_id, user_id=user.id)
                verifier = pair.public
            else:
                response.client_secret = new_secret(CLIENT_SECRET_PREFIX)
                verifier = hash_of(response.client_secret)
            command = machine_keys.CreateKey(
                org_id=user.org_id,
                user_id=user.id,
                key_id=key_id,
                kind=kind,
                verifier=verifier,
                expires_at=expires_at,
                editor=_editor(),
            )
            messages.fill_key(response.key, await self._queue.execute(command))
            return response

    async def ListKeys(self, request: pb.ListKeysRequest, context: object) -> pb.ListKeysResponse:
        with naming(request):
            window = window_of(request)
            found = await self._reads.keys(request.org_id, request.user_id, window)
            return await self._listed(messages.keys_of, found)

    async def DeleteKey(
        self, request: pb.DeleteKeyRequest, context: object
    ) -> pb.DeleteKeyResponse:
        with naming(request):
            await self._queue.execute(machine_keys.DeleteKey(request.key_id, _editor()))
            return pb.DeleteKeyResponse()

    async def CreateTarget(
        self, request: bridge_pb2.CreateTargetRequest, context: object
    ) -> bridge_pb2.CreateTargetResponse:
        return await self._targets.create(request)

    async def UpdateTarget(
        self, request: bridge_pb2.UpdateTargetRequest, context: object
    ) -> bridge_pb2.UpdateTargetResponse:
        return await self._targets.update(request)

    async def ListTargets(
        self, request: bridge_pb2.ListTargetsRequest, context: object
    ) -> bridge_pb2.ListTargetsResponse:
        return await self._targets.list()

    async def DeleteTarget(
        self, request: bridge_pb2.DeleteTargetRequest, context: object
    ) -> bridge_pb2.DeleteTargetResponse:
        return await self._targets.delete(request)

    async def CreateEncryptionKey(
        self, request: bridge_pb2.CreateEncryptionKeyRequest, context: object
    ) -> bridge_pb2.CreateEncryptionKeyResponse:
        return await self._targets.create_key(request)

    async def ListEncryptionKeys(
        self, request: bridge_pb2.ListEncryptionKeysRequest, context: object
    ) -> bridge_pb2.ListEncryptionKeysResponse:
        return await self._targets.list_keys(request)

    async def DeleteEncryptionKey(
        self, request: bridge_pb2.DeleteEncryptionKeyRequest, context: object
    ) -> bridge_pb2.DeleteEncryptionKeyResponse:
        return await self._targets.delete_key(request)

    async def _listed(self, make: Callable[[Sequence[T]], R], found: Sequence[T]) -> R:
        """Makes a list, in a thread if it is long."""
        if len(found) > INLINE_MAX_ROWS:
            return await self._threads.run(current_caller().org_id, make, found)
        return make(found)


def _editor() -> str:
    """Returns the id of the user who calls; empty for the operator."""
    return current_caller().user_id
