"""Makes the messages of VersionService from versions of actions.

Follows actions/v1/versions.proto.
"""

from collections.abc import Mapping, Sequence

from actions.v1 import versions_pb2 as pb
from server.domain.history import ActionVersion
from server.services.messages import STATES, set_timeout
from server.services.page_tokens import page_token
from server.timestamps import set_time


def list_versions(
    versions: Sequence[ActionVersion], names: Mapping[str, str]
) -> pb.ListActionVersionsResponse:
    """Returns a page of versions, the newest first; the names are those of editors, by id."""
    lowest = versions[-1].action.sequence if versions else 1
    response = pb.ListActionVersionsResponse(next_page_token=page_token(lowest - 1))
    for version in versions:
        fill_version(response.versions.add(), version, names[version.editor])
    return response


def fill_version(message: pb.ActionVersion, version: ActionVersion, editor_name: str) -> None:
    action = version.action
    message.sequence = action.sequence
    set_time(message.changed_at, action.changed_at)
    message.event_type = version.event_type
    message.editor_id = version.editor
    message.editor_name = editor_name
    message.name = action.name
    message.script = action.script
    set_timeout(message.timeout, action)
    message.allowed_to_fail = action.allowed_to_fail
    message.state = STATES[action.state]
