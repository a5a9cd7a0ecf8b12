"""Converts answers of AdminService to rows that commands print.

Follows actions/v1/admin.proto.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message

from actions.v1 import admin_pb2 as pb
from actions.v1 import bridge_pb2
from server.cli.output import OutputRow
from server.services.account_messages import time_text

_KEY_TYPES: Final = {pb.KEY_TYPE_JSON: "json", pb.KEY_TYPE_CLIENT_SECRET: "client-secret"}
_PAYLOADS: Final = {
    bridge_pb2.PAYLOAD_TYPE_JSON: "json",
    bridge_pb2.PAYLOAD_TYPE_JWT: "jwt",
    bridge_pb2.PAYLOAD_TYPE_JWE: "jwe",
}
_ENCRYPTION_KEYS: Final = {
    bridge_pb2.ENCRYPTION_KEY_TYPE_RSA: "rsa",
    bridge_pb2.ENCRYPTION_KEY_TYPE_EC: "ec",
}
_STATES: Final = {pb.ORG_STATE_ACTIVE: "active", pb.ORG_STATE_REMOVED: "removed"}


def rows_of(answer: Message) -> list[OutputRow]:
    """Returns a row for each object of an answer; none for an answer without objects."""
    make = _ROWS.get(type(answer))
    return [] if make is None else make(answer)


def _org(org: pb.Org) -> OutputRow:
    created_at = time_text(org.created_at)
    return {"id": org.id, "name": org.name, "state": _STATES[org.state], "created_at": created_at}


def _contents(contents: pb.OrgContents) -> OutputRow:
    return {
        "actions": contents.actions,
        "users": contents.users,
        "members": contents.members,
        "tokens": contents.tokens,
        "keys": contents.keys,
    }


def _user(user: pb.User) -> OutputRow:
    return {
        "id": user.id,
        "org_id": user.org_id,
        "name": user.name,
        "language": user.language,
        "subject": user.subject,
        "created_at": time_text(user.created_at),
    }


def _member(member: pb.Member) -> OutputRow:
    return {
        "org_id": member.org_id,
        "user_id": member.user_id,
        "user_name": member.user_name,
        "roles": list(member.roles),
        "created_at": time_text(member.created_at),
    }


def _token(token: pb.Token) -> OutputRow:
    return {
        "id": token.id,
        "user_id": token.user_id,
        "description": token.description,
        "expires_at": time_text(token.expires_at) if token.HasField("expires_at") else None,
        "created_at": time_text(token.created_at),
    }


def _key(key: pb.Key) -> OutputRow:
    return {
        "id": key.id,
        "user_id": key.user_id,
        "type": _KEY_TYPES[key.type],
        "expires_at": time_text(key.expires_at) if key.HasField("expires_at") else None,
        "created_at": time_text(key.created_at),
    }


def _new_key(answer: pb.CreateKeyResponse) -> OutputRow:
    return {**_key(answer.key), "file": answer.key_file, "client_secret": answer.client_secret}


def _target(target: bridge_pb2.Target) -> OutputRow:
    return {
        "id": target.id,
        "name": target.name,
        "path": f"/targets/{target.id}",
        "signing_key": "set" if target.has_signing_key else "missing",
        "timeout": f"{target.timeout.ToMilliseconds() / 1000:g}s",
        "ignores_failures": target.ignores_failures,
        "payload": _PAYLOADS.get(target.payload_type, ""),
        "issuer": target.issuer,
        "account": target.account_issuer or None,
        "account_user_id": target.account_user_id or None,
        "orgs": [f"{theirs}={ours}" for theirs, ours in sorted(target.orgs.items())],
        "created_at": time_text(target.created_at),
    }


def _encryption_key(key: bridge_pb2.EncryptionKey) -> OutputRow:
    return {
        "id": key.id,
        "type": _ENCRYPTION_KEYS[key.type],
        "created_at": time_text(key.created_at),
        "public_key": key.public_key,
    }


def _contents_of(answer: pb.GetOrgContentsResponse) -> OutputRow:
    return {"id": answer.org_id, "name": answer.name, **_contents(answer.contents)}


_ROWS: Final[Mapping[type[Message], Callable[[Any], list[OutputRow]]]] = {
    pb.CreateOrgResponse: lambda answer: [_org(answer.org)],
    pb.RenameOrgResponse: lambda answer: [_org(answer.org)],
    pb.ListAllOrgsResponse: lambda answer: [*map(_org, answer.orgs)],
    pb.GetOrgContentsResponse: lambda answer: [_contents_of(answer)],
    pb.ClearOrgResponse: lambda answer: [_contents(answer.contents)],
    pb.CreateUserResponse: lambda answer: [_user(answer.user)],
    pb.UpdateUserResponse: lambda answer: [_user(answer.user)],
    pb.ListUsersResponse: lambda answer: [*map(_user, answer.users)],
    pb.AddMemberResponse: lambda answer: [_member(answer.member)],
    pb.SetMemberRolesResponse: lambda answer: [_member(answer.member)],
    pb.ListMembersResponse: lambda answer: [*map(_member, answer.members)],
    pb.CreateTokenResponse: lambda answer: [{**_token(answer.token), "token": answer.secret}],
    pb.ListTokensResponse: lambda answer: [*map(_token, answer.tokens)],
    pb.CreateKeyResponse: lambda answer: [_new_key(answer)],
    pb.ListKeysResponse: lambda answer: [*map(_key, answer.keys)],
    bridge_pb2.CreateTargetResponse: lambda answer: [_target(answer.target)],
    bridge_pb2.UpdateTargetResponse: lambda answer: [_target(answer.target)],
    bridge_pb2.ListTargetsResponse: lambda answer: [*map(_target, answer.targets)],
    bridge_pb2.CreateEncryptionKeyResponse: lambda answer: [_encryption_key(answer.key)],
    bridge_pb2.ListEncryptionKeysResponse: lambda answer: [*map(_encryption_key, answer.keys)],
    pb.FindTokenResponse: lambda answer: [_token(answer.token)] if answer.HasField("token") else [],
}
"""Makers of rows; other types of answers have no objects."""
