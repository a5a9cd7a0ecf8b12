"""Connect calls the API as JSON does: the same answers, refusals, details and HTTP statuses."""

from google.protobuf.message import Message

from tests.support.api_client import CONNECT, JSON, Caller
from tests.support.prepared import action
from tests.support.tables import cases
from zitadel import management_pb2 as pb


async def test_an_action_is_made_and_read_by_connect(caller: Caller) -> None:
    made = await caller.ask(CONNECT, pb.CreateActionRequest(name="greet", script="s"))
    assert made.code == 0
    read = await caller.ask(CONNECT, pb.GetActionRequest(id=made.response.id))
    assert read.response.action.name == "greet"
    assert (
        read.response == (await caller.ask(JSON, pb.GetActionRequest(id=made.response.id))).response
    )


@cases(
    "request_, status",
    {
        "a rule": (pb.CreateActionRequest(name=""), 400),
        "unknown": (pb.GetActionRequest(id="1"), 404),
        "a name that is taken": (pb.CreateActionRequest(name="taken", script="s"), 409),
    },
)
async def test_a_refusal_is_that_of_json(caller: Caller, request_: Message, status: int) -> None:
    await action(caller, name="taken")
    by_connect, by_json = [await caller.ask(each, request_) for each in (CONNECT, JSON)]
    assert by_connect.refusal == by_json.refusal
    assert (by_connect.http_status, by_json.http_status) == (status, status)


async def test_a_caller_without_a_token_is_refused_before_the_body_is_read(caller: Caller) -> None:
    answer = await caller.api.call(CONNECT, pb.CreateActionRequest(name=""))
    assert (answer.code, answer.http_status) == (16, 401)
    assert answer.metadata["www-authenticate"] == "Bearer"
