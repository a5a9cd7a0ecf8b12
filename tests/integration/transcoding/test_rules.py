"""docs/transcoding.md, "Rules": a test for each of its lines, over a real Transcoder."""

from typing import Any

import grpc
from google.longrunning import operations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool

from tests.support.everything_fixture import (
    Exchange,
    Refusal,
    Row,
    not_allowed,
    refused,
    run,
)
from tests.support.tables import cases
from tests.support.transcoder_client import client_of
from transcoder import Transcoder

PART = '{"first": "a", "size": 3}'
CONFIG = b"""
type: google.api.Service
apis: [{name: everything.v1.Everythings}]
http:
  rules:
  - selector: everything.v1.Everythings.NoRule
    get: /v2/none/{name}
    additional_bindings:
    - post: /v2/none
      body: part
      response_body: part
  - selector: everything.v1.Everythings.Verbs
    get: /v2/verbs
"""


async def descriptors_alone() -> None:
    """A service that no code was ever generated for."""
    file = descriptor_pb2.FileDescriptorProto(
        name="made.proto",
        package="made",
        syntax="proto3",
        dependency=["google/longrunning/operations.proto"],
    )
    request = ".google.longrunning.GetOperationRequest"
    file.service.add(name="Made").method.add(name="Get", input_type=request, output_type=request)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())

    async def get(
        request: operations_pb2.GetOperationRequest, context: object
    ) -> operations_pb2.GetOperationRequest:
        return request

    handler: Any = grpc.unary_unary_rpc_method_handler(get)
    config = b"http: {rules: [{selector: made.Made.Get, get: '/made/{name}'}]}"
    transcoder = Transcoder(service_config=config)
    transcoder.add_registered_method_handlers("made.Made", {"Get": handler})
    async with client_of(transcoder) as session, session.get("/made/x") as answer:
        assert (answer.status, await answer.json()) == (200, {"name": "x"})


def body(kind: str, sent: str, answer: object) -> Exchange:
    return Exchange(f"POST /v1/body/{kind}", answer, body=sent, by="Bodies")


def response(kind: str, sent: str, answer: object) -> Exchange:
    return Exchange(f"POST /v1/response/{kind}", answer, body=sent)


ROWS = {
    "get, put, post, delete, patch": (
        Exchange("GET /v1/verbs", {}, by="Verbs"),
        Exchange("PUT /v1/verbs", {}, by="Verbs"),
        Exchange("POST /v1/verbs", {}, by="Verbs"),
        Exchange("DELETE /v1/verbs", {}, by="Verbs"),
        Exchange("PATCH /v1/verbs", {}, by="Verbs"),
        not_allowed("LOCK /v1/verbs", "DELETE, GET, HEAD, PATCH, POST, PUT"),
    ),
    "custom kind": (
        Exchange("LOCK /v1/custom", {}, by="CustomVerbs"),
        Exchange("TRACE /v1/custom", {}, by="CustomVerbs"),
        Exchange("OPTIONS /v1/custom", {}, by="CustomVerbs"),
        Exchange("HEAD /v1/custom", None),
        not_allowed("GET /v1/custom", "HEAD, LOCK, OPTIONS, TRACE"),
        Refusal("custom: {path: /a}", "{rule}: expected an HTTP method as custom kind, got ''"),
    ),
    "custom kind *": (
        Exchange("POST /v1/any/x", {"name": "x"}, by="AnyVerb"),
        Exchange("LOCK /v1/any/x", {"name": "x"}, by="AnyVerb"),
        Exchange("OPTIONS /v1/any/x", {"name": "x"}, by="AnyVerb"),
        Exchange("GET /v1/any/x", {"name": "x"}, by="AnyButGet"),
    ),
    "HEAD from GET": (Exchange("HEAD /v1/read/x", None), not_allowed("POST /v1/read", "GET, HEAD")),
    "additional_bindings": (
        Exchange("GET /v1/read/x", {"name": "x"}, by="Read"),
        Exchange("GET /v1/read", {}, by="Read"),
        Refusal(
            "get: /a, additional_bindings: [{get: /b, additional_bindings: [{get: /c}]}]",
            "{rule}: additional_bindings within additional_bindings",
        ),
    ),
    'body "*"': (
        Exchange("POST /v1/write", {"name": "x"}, body='{"name": "x"}', by="Write"),
        Exchange("PUT /v1/write/x", {"name": "x", "part": {"size": 1}}, body='{"part":{"size":1}}'),
        refused("POST /v1/write", "body: expected an object, got an array", body="[]"),
    ),
    'body "*" beside a query': (
        Exchange("POST /v1/write?an_int32=5&%zz", {}, body="{}"),
        refused(
            "POST /v1/write?an_int32=5",
            "query: expected none, as the body is the whole request",
            body="{}",
            strict=True,
        ),
    ),
    "body: a message": (
        Exchange(
            "PUT /v1/part/x?an_int32=5",
            {"name": "x", "anInt32": 5, "part": {"first": "a", "size": 3}},
            body=PART,
            by="WritePart",
        ),
        Exchange(
            "PUT /v1/part/x/first/b", {"name": "x", "part": {"first": "b", "size": 3}}, body=PART
        ),
        refused("PUT /v1/part/x", "part.size: expected int32, got 'a'", body='{"size": "a"}'),
        Refusal(
            "put: '/a/{name}', body: name",
            "{rule}: PUT /a/{name}: 'name' is both the body and a variable",
        ),
    ),
    "body: a field of a field": (
        Refusal(
            "put: /a, body: part.inner",
            "{rule}: PUT /a: body 'part.inner' is not a field of everything.v1.Everything",
        ),
    ),
    "body: a scalar, a list, a map, a well-known type": (
        body("text", '"a"', {"text": "a"}),
        body("int64", '"9007199254740993"', {"anInt64": "9007199254740993"}),
        body("double", "-0.5", {"aDouble": -0.5}),
        body("bool", "true", {"aBool": True}),
        body("bytes", '"_-8"', {"someBytes": "/+8="}),
        body("color", '"COLOR_RED"', {"color": "COLOR_RED"}),
        body("color", "-2", {"color": "COLOR_BLUE"}),
        body("maybe", "0", {"maybeInt32": 0}),
        body("tags", '["a", "b"]', {"tags": ["a", "b"]}),
        body("colors", '["COLOR_RED", 1]', {"colors": ["COLOR_RED", "COLOR_RED"]}),
        body("parts", '[{"size": 1}, {}]', {"parts": [{"size": 1}, {}]}),
        body("labels", '{"a": "b"}', {"labels": {"a": "b"}}),
        body("by_key", '{"a": {"size": 1}}', {"partsByKey": {"a": {"size": 1}}}),
        body("timestamp", '"1970-01-01T00:00:00Z"', {"timestamp": "1970-01-01T00:00:00Z"}),
        body("struct", '{"a": [1]}', {"struct": {"a": [1]}}),
        body("value", "null", {"value": None}),
        body("value", '"a"', {"value": "a"}),
        body("list", "[1, {}]", {"list": [1, {}]}),
        body(
            "any",
            '{"@type": "type.googleapis.com/everything.v1.Part", "size": 1}',
            {"any": {"@type": "type.googleapis.com/everything.v1.Part", "size": 1}},
        ),
        body("wrapped", '"0"', {"wrappedInt64": "0"}),
        body("empty", "{}", {"empty": {}}),
        refused("POST /v1/body/int64", "anInt64: expected int64, got true", body="true"),
        refused("POST /v1/body/parts", "parts[1]: expected an object, got 1", body="[{}, 1]"),
    ),
    "a body that no rule reads": (
        Exchange("POST /v1/read/x", {"name": "x"}, body='{"anInt32": 5}'),
        Exchange("POST /v1/read/x", {"name": "x"}, body="no JSON", content_type="text/plain"),
    ),
    "GET and DELETE with a body": (
        Exchange("GET /v1/write", {"anInt32": 5}, body='{"anInt32": 5}', by="Write"),
        Exchange("DELETE /v1/write/x", {"name": "x", "part": {"size": 3}}, body='{"size": 3}'),
    ),
    "an empty body": (
        Exchange("POST /v1/write", {}),
        Exchange("PUT /v1/part/x", {"name": "x"}),
        Exchange("POST /v1/body/tags", {}),
    ),
    "more behind the JSON of a body": (
        refused("POST /v1/write", "body: expected JSON, got '.' at line 1, column 3", body="{}."),
        refused(
            "POST /v1/write", "body: expected JSON, got '{}' at line 1, column 4", body="{} {}"
        ),
    ),
    "response_body": (
        response("text", '{"text": "a"}', "a"),
        response("text", "{}", ""),
        response("int64", '{"anInt64": 5}', "5"),
        response("double", '{"aDouble": 0.5}', 0.5),
        response("bool", "{}", False),
        response("bytes", '{"someBytes": "_-8"}', "/+8="),
        response("color", '{"color": 1}', "COLOR_RED"),
        response("color", '{"color": 7}', 7),
        response("maybe", '{"maybeInt32": 5}', 5),
        response("tags", '{"tags": ["a"]}', ["a"]),
        response("tags", "{}", []),
        response("colors", '{"colors": [0, 1]}', ["COLOR_UNSPECIFIED", "COLOR_RED"]),
        response("part", '{"part": {"size": 1}}', {"size": 1}),
        response("part", "{}", {}),
        response("parts", '{"parts": [{"size": 1}]}', [{"size": 1}]),
        response("labels", '{"labels": {"a": "b"}}', {"a": "b"}),
        response("by_key", '{"partsByKey": {"a": {"size": 1}}}', {"a": {"size": 1}}),
        response("timestamp", '{"timestamp": "1970-01-01T00:00:00Z"}', "1970-01-01T00:00:00Z"),
        response("struct", '{"struct": {"a": 1}}', {"a": 1}),
        response("value", '{"value": [1]}', [1]),
        response("list", '{"list": [1]}', [1]),
        response("any", "{}", None),
        response("wrapped", '{"wrappedInt64": 5}', "5"),
        response("wrapped", "{}", None),
        response("empty", '{"empty": {}}', {}),
        Refusal(
            "get: /a, response_body: nope",
            "{rule}: GET /a: response_body 'nope' is not a field of everything.v1.Everything",
        ),
    ),
    "response_body in a stream": (
        Exchange("GET /v1/watch?part.size=3", {"result": {"size": 3}}),
        Exchange("GET /v1/watch", {"result": {}}),
    ),
    "rules from YAML": (
        Exchange("GET /v2/none/x", {"name": "x"}, by="NoRule", config=CONFIG),
        Exchange("POST /v2/none", {"size": 3}, body='{"size": 3}', config=CONFIG),
        Exchange("GET /v2/verbs", {}, by="Verbs", config=CONFIG),
        refused("GET /v1/verbs", "Not Found", status=404, config=CONFIG),
        Exchange("GET /v1/read", {}, by="Read", config=CONFIG),
    ),
    "a method without a rule": (
        Exchange("POST /everything.v1.Everythings/NoRule", {"anInt32": 5}, body='{"anInt32": 5}'),
        not_allowed("GET /everything.v1.Everythings/NoRule", "POST"),
    ),
    "descriptors without generated code": (descriptors_alone,),
    "path variables of a client stream": (
        # Upload answers with the last message.
        Exchange(
            "POST /v1/upload/x", {"name": "x", "anInt32": 2}, body='[{"name":"y"},{"anInt32":2}]'
        ),
        Exchange("POST /v1/upload/x?an_int32=5", {"name": "x"}, body="[{}]"),
        refused(
            "POST /v1/upload/x?an_int32=5",
            "message 1: query: expected none, as the body is the whole request",
            body="[{}]",
            strict=True,
        ),
    ),
}


@cases("row", ROWS)
async def test_rules(row: Row) -> None:
    await run(row)
