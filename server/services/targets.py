"""Administers targets, which ZITADEL calls: part of actions.v1.AdminService.

Follows docs/bridge.md.
Rule: no answer has a signing key, or the credential of a service account.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from google.protobuf.duration_pb2 import Duration

from actions.v1 import bridge_pb2 as pb
from server.bridge import targets
from server.bridge.encryption_keys import KEYS_MAX, EncryptionKey, KeyType, new_key
from server.bridge.service_accounts import BadAccount, ServiceAccount, read_account
from server.bridge.targets import PayloadType, Target
from server.clock import Clock, wall_clock
from server.commands.base import Commands
from server.commands.sealed import DeleteSealed, SetSealed
from server.domain.refusals import Kind, Refusal, invalid, not_found
from server.domain.sealed import SealedValue
from server.ids import IdGenerator
from server.rpc.call_info import current_caller
from server.sealing.key_ring import KeyRing
from server.services.account_messages import GIVEN_MAX_CHARS
from server.services.kept_targets import TARGETS_MAX, KeptTargets, place_of
from server.store.engine import Store
from server.store.read_model import OrgById
from server.threads import ThreadPool
from server.timestamps import set_duration, set_time
from server.urls import may_be_fetched

TIMEOUT_MS: Final = 10_000
"""Milliseconds of a target's time limit where none is given, as ZITADEL's console proposes."""

TIMEOUT_MAX_MS: Final = 270_000
ORGS_MAX: Final = 1000
"""Max organisations that are bound at one target."""

_MS_NS: Final = 1_000_000

_TYPES: Final = {
    PayloadType.JSON: pb.PAYLOAD_TYPE_JSON,
    PayloadType.JWT: pb.PAYLOAD_TYPE_JWT,
    PayloadType.JWE: pb.PAYLOAD_TYPE_JWE,
}
_PAYLOADS: Final = {
    pb.PAYLOAD_TYPE_UNSPECIFIED: PayloadType.JSON,
    **{type_: payload for payload, type_ in _TYPES.items()},
}
_KEY_TYPES: Final = {
    pb.ENCRYPTION_KEY_TYPE_UNSPECIFIED: KeyType.RSA,
    pb.ENCRYPTION_KEY_TYPE_RSA: KeyType.RSA,
    pb.ENCRYPTION_KEY_TYPE_EC: KeyType.EC,
}


class TargetAdministration:
    """Makes, changes, lists and deletes targets."""

    def __init__(
        self,
        store: Store,
        queue: Commands,
        ids: IdGenerator,
        keys: KeyRing,
        *,
        threads: ThreadPool,
        clock: Clock = wall_clock,
    ) -> None:
        """Takes the parts that it needs.

        Args:
            store: has the targets.
            queue: runs commands.
            ids: of targets and their keys.
            keys: seal targets.
            threads: make keys.
            clock: says when a key was made.
        """
        self._store = store
        self._queue = queue
        self._ids = ids
        self._keys = keys
        self._threads = threads
        self._clock = clock
        self._targets = KeptTargets(store, keys)
        self._turn = asyncio.Lock()

    async def create(self, request: pb.CreateTargetRequest) -> pb.CreateTargetResponse:
        if len(await self._targets.all()) >= TARGETS_MAX:
            raise _too_many()
        target = Target(
            id=self._ids.next(),
            name=request.name,
            signing_key=request.signing_key,
            timeout_ms=_timeout_ms(request.timeout) if request.HasField("timeout") else TIMEOUT_MS,
            ignores_failures=request.ignores_failures,
            orgs=await self._bound({}, request.orgs),
            payload=_PAYLOADS[request.payload_type],
            issuer=_issuer(request.issuer),
        )
        _require_issuer(target)
        response = pb.CreateTargetResponse()
        _fill(response.target, await self._store_it(target), target)
        return response

    async def update(self, request: pb.UpdateTargetRequest) -> pb.UpdateTargetResponse:
        async with self._turn:
            value, kept = await self._found(request.target_id)
            target = replace(kept, orgs=await self._bound(kept.orgs, request.orgs))
            if request.HasField("signing_key"):
                target = replace(target, signing_key=request.signing_key)
            if request.HasField("timeout"):
                target = replace(target, timeout_ms=_timeout_ms(request.timeout))
            if request.HasField("ignores_failures"):
                target = replace(target, ignores_failures=request.ignores_failures)
            if request.HasField("payload_type"):
                target = replace(target, payload=_PAYLOADS[request.payload_type])
            if request.HasField("issuer"):
                target = replace(target, issuer=_issuer(request.issuer))
            _require_issuer(target)
            if request.HasField("account"):
                target = replace(target, account=_account(request.account))
            elif request.drops_account:
                target = replace(target, account=None)
            if target != kept:
                value = await self._store_it(target)
            response = pb.UpdateTargetResponse()
            _fill(response.target, value, target)
            return response

    async def list(self) -> pb.ListTargetsResponse:
        response = pb.ListTargetsResponse()
        for value, target in await self._targets.all():
            _fill(response.targets.add(), value, target)
        return response

    async def delete(self, request: pb.DeleteTargetRequest) -> pb.DeleteTargetResponse:
        async with self._turn:
            if not any(value.name == request.target_id for value, _ in await self._targets.all()):
                raise _not_found(request.target_id)
            await self._queue.execute(DeleteSealed(place_of(request.target_id), _editor()))
            return pb.DeleteTargetResponse()

    async def create_key(
        self, request: pb.CreateEncryptionKeyRequest
    ) -> pb.CreateEncryptionKeyResponse:
        async with self._turn:
            _, target = await self._found(request.target_id)
            if len(target.keys) >= KEYS_MAX:
                raise _too_many_keys()
            type_, now = _KEY_TYPES[request.type], self._clock()
            key = await self._threads.run("", new_key, self._ids.next(), type_, created_at=now)
            await self._store_it(replace(target, keys=(*target.keys, key)))
            response = pb.CreateEncryptionKeyResponse()
            _fill_key(response.key, key)
            return response

    async def list_keys(
        self, request: pb.ListEncryptionKeysRequest
    ) -> pb.ListEncryptionKeysResponse:
        _, target = await self._found(request.target_id)
        response = pb.ListEncryptionKeysResponse()
        for key in target.keys:
            _fill_key(response.keys.add(), key)
        return response

    async def delete_key(
        self, request: pb.DeleteEncryptionKeyRequest
    ) -> pb.DeleteEncryptionKeyResponse:
        async with self._turn:
            _, target = await self._found(request.target_id)
            left = tuple(key for key in target.keys if key.id != request.key_id)
            if len(left) == len(target.keys):
                values = {"key_id": _shown(request.key_id)}
                raise not_found("Errors.Target.KeyNotFound", "TARGET-Ek2nf", values=values)
            await self._store_it(replace(target, keys=left))
            return pb.DeleteEncryptionKeyResponse()

    async def _found(self, target_id: str) -> tuple[SealedValue, Target]:
        for value, target in await self._targets.all():
            if value.name == target_id and target is not None:
                return value, target
        raise _not_found(target_id)

    async def _bound(
        self, orgs: Mapping[str, str], changes: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Returns organisations with these changes; an empty id here unbinds."""
        for ours in {*changes.values()} - {""}:
            if await self._store.read(OrgById(ours)) is None:
                raise not_found(
                    "Errors.Org.NotFound", "TARGET-Oc4nf", values={"org_id": _shown(ours)}
                )
        bound = {theirs: ours for theirs, ours in {**orgs, **changes}.items() if ours}
        if len(bound) > ORGS_MAX:
            raise invalid(
                "Errors.Target.TooManyOrgs", "TARGET-Om8ny", values={"most": str(ORGS_MAX)}
            )
        return bound

    async def _store_it(self, target: Target) -> SealedValue:
        place = place_of(target.id)
        sealed = await self._keys.seal(place, targets.write(target))
        return await self._queue.execute(SetSealed(place, sealed, TARGETS_MAX, _editor()))


def _too_many() -> Refusal:
    values = {"most": str(TARGETS_MAX)}
    return Refusal(Kind.RESOURCE_EXHAUSTED, "Errors.Target.TooMany", "TARGET-Tm7ny", values=values)


def _too_many_keys() -> Refusal:
    values = {"most": str(KEYS_MAX)}
    return Refusal(
        Kind.RESOURCE_EXHAUSTED, "Errors.Target.TooManyKeys", "TARGET-Ek1my", values=values
    )


def _not_found(target_id: str) -> Refusal:
    values = {"target_id": _shown(target_id)}
    return not_found("Errors.Target.NotFound", "TARGET-Nf1nd", values=values)


def _account(given: pb.ServiceAccount) -> ServiceAccount:
    try:
        return read_account(given.issuer, given.credential)
    except BadAccount as error:
        values = {"reason": str(error)}
        raise invalid("Errors.Target.AccountInvalid", "TARGET-Ac7iv", values=values) from None


def _shown(id: str) -> str:
    return repr(id[:GIVEN_MAX_CHARS])


def _editor() -> str:
    return current_caller().user_id


def _timeout_ms(timeout: Duration) -> int:
    """Returns a time limit in milliseconds.

    Raises:
        Refusal: it is not within ZITADEL's bounds.
    """
    ms = timeout.seconds * 1000 + timeout.nanos // _MS_NS
    if not 0 < ms <= TIMEOUT_MAX_MS:
        values = {"timeout": f"{ms} ms"}
        raise invalid("Errors.Target.TimeoutInvalid", "TARGET-Ti6me", values=values)
    return ms


def _issuer(url: str) -> str:
    """Returns the URL of an issuer as it is stored; empty for none.

    Raises:
        Refusal: keys are not fetched from such a URL.
    """
    if url and not may_be_fetched(url):
        raise invalid("Errors.Target.IssuerInvalid", "TARGET-Is2nv", values={"issuer": _shown(url)})
    return url.rstrip("/")


def _require_issuer(target: Target) -> None:
    """Refuses a target that has no issuer and needs one."""
    if target.payload is not PayloadType.JSON and not target.issuer:
        raise invalid("Errors.Target.IssuerMissing", "TARGET-Is3ms")


def _fill_key(message: pb.EncryptionKey, key: EncryptionKey) -> None:
    message.id = key.id
    is_rsa = key.type is KeyType.RSA
    message.type = pb.ENCRYPTION_KEY_TYPE_RSA if is_rsa else pb.ENCRYPTION_KEY_TYPE_EC
    message.public_key = key.public_pem()
    set_time(message.created_at, key.created_at)


def _fill(message: pb.Target, value: SealedValue, target: Target | None) -> None:
    message.id = value.name
    set_time(message.created_at, value.created_at)
    set_time(message.changed_at, value.changed_at)
    if target is None:
        return
    message.name = target.name
    message.has_signing_key = bool(target.signing_key)
    set_duration(message.timeout, target.timeout_ms * 1000)
    message.ignores_failures = target.ignores_failures
    message.payload_type = _TYPES[target.payload]
    message.issuer = target.issuer
    for theirs, ours in target.orgs.items():
        message.orgs[theirs] = ours
    if target.account is not None:
        message.account_issuer = target.account.issuer
        message.account_user_id = target.account.user_id
