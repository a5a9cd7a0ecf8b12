"""Makes the messages of ExecutionService from results of runs."""

from typing import Final

from actions.v1 import execution_pb2 as pb
from server.scripts.contract import ActionResult, Effects, Failure, JsonValue, RunResult
from server.scripts.host.claims import OVERRIDABLE
from server.services.page_tokens import page_token
from server.services.values import fill_value
from server.store.runs import RunsPage
from server.timestamps import set_duration

LARGE_COUNT: Final = 1000
"""Max claim values, log lines or actions of which messages are made on the loop; more take ms."""

_INT32: Final = 2**32

_PROTO_FIELDS: Final = {
    "firstName": "first_name",
    "lastName": "last_name",
    "nickName": "nick_name",
    "displayName": "display_name",
    "preferredLanguage": "preferred_language",
    "preferredUsername": "preferred_username",
    "username": "username",
    "gender": "gender",
    "email": "email",
    "isEmailVerified": "is_email_verified",
    "phone": "phone",
    "isPhoneVerified": "is_phone_verified",
}
_LEVELS: Final = {
    "debug": pb.LOG_LEVEL_DEBUG,
    "info": pb.LOG_LEVEL_INFO,
    "warn": pb.LOG_LEVEL_WARN,
    "error": pb.LOG_LEVEL_ERROR,
}


def fill_effects(message: pb.Effects, effects: Effects) -> None:
    """Writes effects into a message.

    Raises:
        NotRepresentable: a claim does not fit into a Value.
    """
    for key, claim in effects.claims.items():
        fill_value(message.claims[key], claim)
        if key in OVERRIDABLE:
            message.overridable_claims.append(key)
    for name, value in effects.fields.items():
        if name == "gender":
            # Wrapped to an int32, as in ZITADEL: a script may set any number.
            value = (int(value) + _INT32 // 2) % _INT32 - _INT32 // 2
        setattr(message.user, _PROTO_FIELDS[name], value)
    for entry in effects.metadata:
        message.metadata.add(key=entry.key, value=entry.value)
    for grant in effects.grants:
        message.user_grants.add(
            project_id=grant.project_id,
            project_grant_id=grant.project_grant_id,
            roles=grant.roles,
        )
    for attribute in effects.attributes:
        message.saml_attributes.add(
            name=attribute.name, name_format=attribute.name_format, values=attribute.values
        )


def is_large(result: RunResult) -> bool:
    """True if making messages of the result would hold up other calls."""
    left = LARGE_COUNT - sum(len(action.logs) for action in result.actions)
    waiting: list[JsonValue] = [*result.effects.claims.values()]
    while waiting and left > 0:
        left -= 1
        value = waiting.pop()
        if isinstance(value, list | dict):
            left -= len(value)
            if left > 0:
                waiting += value.values() if isinstance(value, dict) else value
    return left <= 0


def action_result(result: ActionResult, *, allowed_to_fail: bool) -> pb.ActionResult:
    message = pb.ActionResult(
        action_id=result.action_id,
        name=result.name,
        state=pb.ACTION_STATE_SUCCEEDED,
        allowed_to_fail=allowed_to_fail,
    )
    if result.failure is not None:
        message.state = pb.ACTION_STATE_FAILED
        fill_failure(message.failure, result.failure)
    set_duration(message.duration, result.duration_us)
    set_duration(message.queue_time, result.queue_us)
    for line in result.logs:
        message.logs.add(level=_LEVELS[line.level], text=line.text)
    return message


def list_runs(page: RunsPage) -> pb.ListRunsResponse:
    response = pb.ListRunsResponse(next_page_token=page_token(page.next))
    for content in page.contents:
        response.runs.add().MergeFromString(content)
    return response


def fill_failure(message: pb.Failure, failure: Failure) -> None:
    message.text = failure.text
    message.line = failure.line
    message.column = failure.column
    message.timed_out = failure.timed_out
    message.killed = failure.killed
