"""Measures the CPU of validating a valid request, in this process."""

import functools
from collections.abc import Callable
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from server.rpc.validation.message_checks import checks_of
from tests.bench.load import WrongAnswer
from tests.bench.loops import Loop
from zitadel import management_pb2 as pb
from zitadel.action_pb2 import ActionNameQuery

ASKED_US: Final = 3.0
_SCRIPT: Final = "function greet(ctx, api) { api.setFirstName('Ada') }\n" * 20


def _check(right: Message, wrong: Message) -> Callable[[], object]:
    service = pb.DESCRIPTOR.services_by_name["ManagementService"]
    method = type(right).__name__.removesuffix("Request")
    check = checks_of([service])[f"/{service.full_name}/{method}"]
    if check(right) is not None or check(wrong) is None:
        raise WrongAnswer("validation lets all pass, or nothing")
    return functools.partial(check, right)


_UPDATE: Final = pb.UpdateActionRequest(
    id="381029384756019283", name="greet", script=_SCRIPT, timeout=Duration(seconds=10)
)
_SEARCH: Final = pb.ListActionsRequest(
    queries=[pb.ActionQuery(action_name_query=ActionNameQuery(name="greet"))]
)
VALIDATIONS: Final = (
    Loop(
        "validate-update",
        "validation, UpdateAction with a script of 1 KiB",
        functools.partial(_check, _UPDATE, pb.UpdateActionRequest()),
    ),
    Loop(
        "validate-list",
        "validation, ListActions with a filter by name",
        functools.partial(_check, _SEARCH, pb.ListActionsRequest(queries=[pb.ActionQuery()])),
    ),
)
