"""Serves actions.v1.SecretService: sets, lists and deletes secrets of scripts.

Follows docs/api.md "Secrets". A value is sealed before its command; no answer and no error has it.
"""

from actions.v1 import secrets_pb2 as pb
from actions.v1.secrets_pb2_grpc import SecretServiceServicer
from server.commands.base import Commands
from server.commands.sealed import DeleteSealed, SetSealed
from server.domain.secret import PURPOSE, SECRETS_MAX, octets_of, place_of
from server.rpc.call_info import current_caller
from server.sealing.key_ring import KeyRing
from server.services.messages import fill_details
from server.store.read_model import ReadModel, SealedValuesOf, ValuesWithoutContent
from server.timestamps import set_time


class SecretService(SecretServiceServicer):
    def __init__(self, reads: ReadModel, commands: Commands, keys: KeyRing) -> None:
        self._reads = reads
        self._commands = commands
        self._keys = keys

    async def SetSecret(
        self, request: pb.SetSecretRequest, context: object
    ) -> pb.SetSecretResponse:
        caller = current_caller()
        place = place_of(caller.org_id, request.name)
        sealed = await self._keys.seal(place, octets_of(request.value))
        value = await self._commands.execute(SetSealed(place, sealed, SECRETS_MAX, caller.user_id))
        response = pb.SetSecretResponse()
        fill_details(response.details, value)
        return response

    async def ListSecrets(
        self, request: pb.ListSecretsRequest, context: object
    ) -> pb.ListSecretsResponse:
        response = pb.ListSecretsResponse()
        org_id = current_caller().org_id
        missing = {*await self._reads.read(ValuesWithoutContent(org_id, PURPOSE))}
        for value in await self._reads.read(SealedValuesOf(org_id, PURPOSE)):
            secret = response.secrets.add(name=value.name, is_value_missing=value.id in missing)
            set_time(secret.created_at, value.created_at)
            set_time(secret.changed_at, value.changed_at)
        return response

    async def DeleteSecret(
        self, request: pb.DeleteSecretRequest, context: object
    ) -> pb.DeleteSecretResponse:
        caller = current_caller()
        place = place_of(caller.org_id, request.name)
        await self._commands.execute(DeleteSealed(place, caller.user_id))
        return pb.DeleteSecretResponse()
