"""Scripts whose runs tell what happened, and the requests that run them."""

from google.protobuf import json_format

from actions.v1 import execution_pb2 as run
from tests.support.api_client import Caller
from tests.support.prepared import action

# What was there before an action, by the claims that it finds.
NOTES = "function {0}(ctx, api) {{ api.v1.claims.setClaim('{0}', Object.keys(ctx.v1.claims)) }}"
THROWS = "function {0}(ctx, api) {{\n  throw new Error('no')\n}}"
LOOPS = "function {0}() {{ for (;;) {{}} }}"


async def noting(caller: Caller, name: str) -> str:
    return await action(caller, name, script=NOTES.format(name))


def run_request(flow: str = "2", trigger: str = "4", **context: object) -> run.RunTriggerRequest:
    request = run.RunTriggerRequest(flow_type=flow, trigger_type=trigger)
    json_format.ParseDict(context, request.context)
    return request


def a_test(script: str, **more: object) -> run.TestActionRequest:
    request = run.TestActionRequest(flow_type="2", trigger_type="4")
    request.script.name, request.script.script = "f", script
    json_format.ParseDict(more, request)
    return request
