"""Measures without a server: the codec on three messages, the router on many routes.

Rule 1: json_format is called as its users call it, for JSON on one line.
Rule 2: what is compared gives the same: equal JSON one way, equal messages the other.
Rule 3: a router is asked for all of its routes in turn, so that a large one finds no more of itself
in the processor's caches than it would in a server.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from google.protobuf import json_format
from google.protobuf.message import Message

from tests.bench.callers import constant_message
from tests.bench.load import WrongAnswer
from tests.bench.loops import Loop
from tests.proto.kinds_pb2 import COLOR_GREEN, COLOR_RED, Kinds, Point
from transcoder.codec.codec import Codec
from transcoder.routing.router import Router
from transcoder.routing.template import PathTemplate
from zitadel import action_pb2, management_pb2

ACTIONS: Final = 1000
FEW_ROUTES: Final = 10
MANY_ROUTES: Final = 1000


@dataclass(frozen=True, slots=True)
class Case:
    """A message that the codec is measured on.

    Attributes:
        asked, stretch: how many times less CPU than json_format.
    """

    name: str
    title: str
    message: Callable[[], Message]
    asked: float
    stretch: float | None = None


def thirty_fields() -> Kinds:
    """A message with all of its fields set but one: the other of a oneof."""
    message = Kinds(
        double_value=51.4779,
        float_value=0.5,
        int32_value=-2_000_000_000,
        int64_value=-9_000_000_000_000_000_000,
        uint32_value=4_000_000_000,
        uint64_value=18_000_000_000_000_000_000,
        sint32_value=-7,
        sint64_value=-70_000_000_000,
        fixed32_value=7,
        fixed64_value=70_000_000_000,
        sfixed32_value=-7,
        sfixed64_value=-70_000_000_000,
        bool_value=True,
        string_value="a text of some length, größer than ASCII",
        bytes_value=bytes(range(32)),
        color=COLOR_RED,
        maybe_number=0,
        maybe_text="",
        point=Point(latitude=51.4779, longitude=-0.0015, label="Greenwich"),
        numbers=[1, 2, 3, 5, 8],
        tags=["red", "green", "blue"],
        colors=[COLOR_RED, COLOR_GREEN],
        path=[Point(latitude=1.5, longitude=2.5), Point(latitude=3.5, longitude=4.5)],
        labels={"team": "blue", "tier": "1"},
        places={7: Point(latitude=5.5, longitude=6.5, label="seven")},
        name="the choice",
    )
    message.changed_at.FromJsonString("2026-01-02T03:04:05.678901Z")
    message.timeout.FromJsonString("2.500s")
    message.nickname.value = "Nick"
    return message


def actions() -> management_pb2.ListActionsResponse:
    """A whole page: the answer to ListActions without a limit."""
    answer = management_pb2.ListActionsResponse()
    answer.details.total_result = ACTIONS
    answer.details.view_timestamp.FromJsonString("2026-01-04T03:04:05.678901Z")
    details = constant_message().details
    for number in range(ACTIONS):
        name = f"action{number}"
        action = answer.result.add(
            id=f"{123456789012345678 + number}",
            details=details,
            state=action_pb2.ACTION_STATE_ACTIVE,
            name=name,
            script=f"function {name}(ctx, api) {{\n  api.v1.claims.setClaim('n', {number});\n}}",
            allowed_to_fail=bool(number % 2),
        )
        action.timeout.seconds = 20
    return answer


CASES: Final = (
    Case("thirty", "30 fields", thirty_fields, asked=6, stretch=10),
    Case("answer", "the answer to a reactivation", constant_message, asked=1),
    Case("list", f"a list of {ACTIONS:,} actions", actions, asked=1),
)


def _encode(case: Case, *, is_ours: bool) -> Callable[[], object]:
    message = case.message()
    encode = Codec().encoder(type(message))
    theirs = functools.partial(json_format.MessageToJson, message, indent=None)
    if json.loads(encode(message)) != json.loads(theirs()):
        raise WrongAnswer(f"{case.title}: not the JSON that json_format writes")
    return functools.partial(encode, message) if is_ours else theirs


def _decode(case: Case, *, is_ours: bool) -> Callable[[], object]:
    message = case.message()
    message_type = type(message)
    decode = Codec().decoder(message_type)
    text = Codec().encode(message)

    def theirs() -> Message:
        return json_format.Parse(text, message_type())

    if not decode(text) == theirs() == message:
        raise WrongAnswer(f"{case.title}: not the message that was written")
    return functools.partial(decode, text) if is_ours else theirs


def _route(count: int) -> Callable[[], object]:
    """Five routes a resource, and one request for each of them."""
    router: Router[str] = Router()
    requests: list[tuple[str, str]] = []
    for number in range(count // 5):
        things = f"/v1/things{number}"
        for verb, path, end in (
            ("GET", things, ""),
            ("POST", things, ""),
            ("GET", f"{things}/{{id}}", ""),
            ("DELETE", f"{things}/{{id}}", ""),
            ("POST", f"{things}/{{id}}", "/_publish"),
        ):
            template = path + end
            target = f"{verb} {template}"
            router.add(verb, PathTemplate.parse(template), target, prefix="/api", origin=target)
            requests.append((verb, f"/api{path.replace('{id}', '123456789012345678')}{end}"))
            if router.match(*requests[-1]).target != target:
                raise WrongAnswer(f"{target}: another route takes its requests")
    match = router.match
    asked = requests * (MANY_ROUTES // count)

    def all_requests() -> None:
        for verb, path in asked:
            match(verb, path)

    return all_requests


LOOPS: Final = (
    *(
        Loop(
            f"{way}-{case.name}" + ("" if is_ours else "-json-format"),
            f"{way}, {case.title}" + ("" if is_ours else ", json_format"),
            functools.partial(prepare, case, is_ours=is_ours),
        )
        for case in CASES
        for way, prepare in (("encode", _encode), ("decode", _decode))
        for is_ours in (True, False)
    ),
    *(
        Loop(
            f"routes-{count}",
            f"a match among {count:,} routes",
            functools.partial(_route, count),
            parts=MANY_ROUTES,
        )
        for count in (FEW_ROUTES, MANY_ROUTES)
    ),
)
