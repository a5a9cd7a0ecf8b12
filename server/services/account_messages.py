"""Fills messages of AdminService, and reads its requests.

Follows actions/v1/admin.proto.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from actions.v1 import admin_pb2 as pb
from server.clock import exact_text_of
from server.domain.machine_key import KeyKind, MachineKey
from server.domain.org import Member, Org
from server.domain.refusals import Refusal, invalid
from server.domain.user import Token, User
from server.store.read_model import EndedOrg, Footprint
from server.timestamps import set_time

GIVEN_MAX_CHARS: Final = 40
"""Max characters of a request's field in the text of a refusal."""

_TYPES: Final = {
    KeyKind.JSON: pb.KEY_TYPE_JSON,
    KeyKind.CLIENT_SECRET: pb.KEY_TYPE_CLIENT_SECRET,
}
_KINDS: Final = {type_: kind for kind, type_ in _TYPES.items()}

_US: Final = 1_000_000
_NS: Final = 1_000_000_000
_TIME_MIN_S: Final = -62_135_596_800
_TIME_END_S: Final = 253_402_300_800
"""Seconds at the years 1 and 10000 in UTC, the bounds of google/protobuf/timestamp.proto."""


@contextlib.contextmanager
def naming(request: Message) -> Iterator[None]:
    """Adds the fields of the request to a refusal inside, as values for its text."""
    try:
        yield
    except Refusal as refusal:
        refusal.values = {**_given(request), **refusal.values}
        raise


def expiry_of(request: pb.CreateTokenRequest | pb.CreateKeyRequest) -> int | None:
    """Returns the expiry in microseconds since the epoch; None for never.

    Raises:
        Refusal: it is outside the years 1 to 9999, or has invalid nanos.
    """
    if not request.HasField("expires_at"):
        return None
    at = request.expires_at
    if not (_TIME_MIN_S <= at.seconds < _TIME_END_S and 0 <= at.nanos < _NS):
        raise invalid("Errors.Token.ExpiryInvalid", "ADMIN-Te4nv")
    return _microseconds(at)


def kind_of(request: pb.CreateKeyRequest) -> KeyKind:
    return _KINDS.get(request.type, KeyKind.JSON)


def fill_org(message: pb.Org, org: Org) -> None:
    message.id = org.id
    message.name = org.name
    message.state = pb.ORG_STATE_ACTIVE
    set_time(message.created_at, org.created_at)


def fill_contents(message: pb.OrgContents, contents: Footprint) -> None:
    message.actions = contents.actions
    message.users = contents.users
    message.members = contents.members
    message.tokens = contents.tokens
    message.keys = contents.keys
    message.SetInParent()


def fill_user(message: pb.User, user: User) -> None:
    message.id = user.id
    message.org_id = user.org_id
    message.name = user.name
    message.language = user.language
    message.subject = user.subject
    set_time(message.created_at, user.created_at)


def fill_member(message: pb.Member, member: Member, user_name: str) -> None:
    message.org_id = member.org_id
    message.user_id = member.user_id
    message.user_name = user_name
    message.roles.extend(member.roles)
    set_time(message.created_at, member.created_at)


def fill_token(message: pb.Token, token: Token) -> None:
    message.id = token.id
    message.user_id = token.user_id
    message.description = token.description
    if token.expires_at is not None:
        set_time(message.expires_at, token.expires_at)
    set_time(message.created_at, token.created_at)


def fill_key(message: pb.Key, key: MachineKey) -> None:
    message.id = key.id
    message.user_id = key.user_id
    message.type = _TYPES[KeyKind(key.kind)]
    if key.expires_at is not None:
        set_time(message.expires_at, key.expires_at)
    set_time(message.created_at, key.created_at)


def orgs_of(orgs: Sequence[Org | EndedOrg]) -> pb.ListAllOrgsResponse:
    response = pb.ListAllOrgsResponse()
    for org in orgs:
        if isinstance(org, Org):
            fill_org(response.orgs.add(), org)
        else:
            message = response.orgs.add(id=org.id, state=pb.ORG_STATE_REMOVED)
            set_time(message.created_at, org.created_at)
    return response


def users_of(users: Sequence[User]) -> pb.ListUsersResponse:
    response = pb.ListUsersResponse()
    for user in users:
        fill_user(response.users.add(), user)
    return response


def members_of(members: Sequence[tuple[Member, str]]) -> pb.ListMembersResponse:
    response = pb.ListMembersResponse()
    for member, user_name in members:
        fill_member(response.members.add(), member, user_name)
    return response


def tokens_of(tokens: Sequence[Token]) -> pb.ListTokensResponse:
    response = pb.ListTokensResponse()
    for token in tokens:
        fill_token(response.tokens.add(), token)
    return response


def keys_of(keys: Sequence[MachineKey]) -> pb.ListKeysResponse:
    response = pb.ListKeysResponse()
    for key in keys:
        fill_key(response.keys.add(), key)
    return response


def time_text(at: Timestamp) -> str:
    """Returns a time in ISO 8601 with microseconds, as the command line prints it."""
    return exact_text_of(_microseconds(at))


def _given(request: Message) -> dict[str, str]:
    """Returns the fields of the request as values of a text."""
    given = {}
    for field in request.DESCRIPTOR.fields:
        value = getattr(request, field.name)
        if isinstance(value, str):
            given[field.name] = repr(value[:GIVEN_MAX_CHARS])
        elif isinstance(value, Timestamp):
            given[field.name] = _shown(value)
    return given


def _shown(at: Timestamp) -> str:
    try:
        return time_text(at)
    except OverflowError:
        return f"{at.seconds} s"


def _microseconds(at: Timestamp) -> int:
    return at.seconds * _US + at.nanos // 1000
