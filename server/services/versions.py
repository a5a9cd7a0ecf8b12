"""Serves actions.v1.VersionService: the versions of an action, and restores one.

Follows docs/api.md "Versions". A version never changes, so it is read before the command that
restores it, and outside of its transaction.
"""

from collections.abc import Sequence
from typing import Final

from actions.v1 import versions_pb2 as pb
from actions.v1.versions_pb2_grpc import VersionServiceServicer
from server.commands.actions import RestoreAction
from server.commands.base import Commands
from server.domain.action import Action
from server.domain.conditions import Condition
from server.domain.history import ActionVersion
from server.domain.refusals import Kind, Refusal, invalid, not_found
from server.rpc.call_info import current_call, current_caller
from server.services import messages, version_messages
from server.services.action_history import ActionHistory
from server.services.if_match import if_match
from server.services.kept_actions import KeptActions
from server.services.management import INLINE_MAX_CHARS
from server.services.no_change import allow_noop
from server.services.page_tokens import number_of
from server.store.engine import Store
from server.store.read_model import UserById
from server.threads import ThreadPool

PAGE: Final = 50
"""Max versions on a page if the request sets no limit."""

PAGE_MAX: Final = 100
"""Max versions on a page; a larger limit is refused."""

PAGE_MAX_CHARS: Final = 512 << 10
"""Max characters of scripts on a page of several versions: clients of gRPC accept 4 MiB."""

_ALL: Final = 2**63


class VersionService(VersionServiceServicer):
    def __init__(
        self, store: Store, actions: KeptActions, commands: Commands, *, threads: ThreadPool
    ) -> None:
        self._store = store
        self._history = ActionHistory(store)
        self._actions = actions
        self._commands = commands
        self._threads = threads

    async def ListActionVersions(
        self, request: pb.ListActionVersionsRequest, context: object
    ) -> pb.ListActionVersionsResponse:
        if request.limit > PAGE_MAX:
            raise invalid("Errors.Query.LimitExceeded", "VERSION-Lx4ce")
        token = request.page_token
        before = number_of(token, "VERSION-Pt6gh") + 1 if token else _ALL
        action = await self._action(request.action_id)
        limit = request.limit or PAGE
        versions = _fitting(await self._history.page(action, before=before, limit=limit))
        names = {version.editor: "" for version in versions}
        for id in names:
            names[id] = await self._user_name(id)
        make = version_messages.list_versions
        if _chars_of(versions) > INLINE_MAX_CHARS:
            return await self._threads.run(action.org_id, make, versions, names)
        return make(versions, names)

    async def GetActionVersion(
        self, request: pb.GetActionVersionRequest, context: object
    ) -> pb.GetActionVersionResponse:
        version = await self._version(request.action_id, request.sequence)
        name = await self._user_name(version.editor)
        response = pb.GetActionVersionResponse()
        version_messages.fill_version(response.version, version, name)
        return response

    async def RestoreActionVersion(
        self, request: pb.RestoreActionVersionRequest, context: object
    ) -> pb.RestoreActionVersionResponse:
        caller = current_caller()
        old = (await self._version(request.action_id, request.sequence)).action
        action = await self._commands.execute(
            RestoreAction(
                org_id=caller.org_id,
                action_id=old.id,
                name=old.name,
                script=old.script,
                timeout_ns=old.timeout_ns,
                allowed_to_fail=old.allowed_to_fail,
                editor=caller.user_id,
                state=old.state,
                if_sequence=_condition(request),
            ),
            allow_noop=allow_noop(),
        )
        current_call().sequence = action.sequence
        response = pb.RestoreActionVersionResponse()
        messages.fill_details(response.details, action)
        return response

    async def _action(self, action_id: str) -> Action:
        action = await self._actions.by_id(current_caller().org_id, action_id)
        if action is None:
            raise not_found("Errors.Action.NotFound", "VERSION-Na3yh")
        return action

    async def _version(self, action_id: str, sequence: int) -> ActionVersion:
        version = await self._history.version(await self._action(action_id), sequence)
        if version is None:
            raise not_found("Errors.Action.VersionNotFound", "VERSION-Nv8rs")
        return version

    async def _user_name(self, user_id: str) -> str:
        user = await self._store.read(UserById(user_id)) if user_id else None
        return "" if user is None else user.name


def _condition(request: pb.RestoreActionVersionRequest) -> Condition:
    """Returns the sequences that both the field and the header accept.

    Raises:
        Refusal: there is none, or the header is malformed.
    """
    by_header = if_match()
    if not request.HasField("if_sequence"):
        return by_header
    if by_header is not None and request.if_sequence not in by_header:
        text = f"if_sequence: expected a sequence of if-match, got {request.if_sequence}"
        raise Refusal(Kind.INVALID_ARGUMENT, text)
    return frozenset({request.if_sequence})


def _fitting(versions: Sequence[ActionVersion]) -> Sequence[ActionVersion]:
    """Returns the first versions whose scripts fit into a page; one at least."""
    chars = 0
    for number, version in enumerate(versions):
        chars += len(version.action.script)
        if chars > PAGE_MAX_CHARS and number:
            return versions[:number]
    return versions


def _chars_of(versions: Sequence[ActionVersion]) -> int:
    return sum(len(version.action.script) for version in versions)
