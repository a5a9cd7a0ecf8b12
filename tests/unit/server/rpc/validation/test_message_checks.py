"""Valid values of each field of the API's requests, and the errors of others."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from server.domain.refusals import Kind, Refusal
from server.rpc.chain import Chain
from server.rpc.interceptors.overload import Overload
from server.rpc.open_calls import Places, Receiving
from server.rpc.validation.interceptor import Validation
from server.rpc.validation.message_checks import checks_of
from tests.support.tables import by_outcome, cases
from zitadel import action_pb2
from zitadel import management_pb2 as pb

CHECKS = checks_of([pb.DESCRIPTOR.services_by_name["ManagementService"]])
PATH = "/zitadel.management.v1.ManagementService/"
ASTRAL, COMBINING = "\U0001f600", "e\u0301"  # 1 code point of 4 bytes; 2 of 3 bytes


def fault_of(request: Message) -> str | None:
    return CHECKS[PATH + type(request).__name__.removesuffix("Request")](request)


def created(**fields: Any) -> pb.CreateActionRequest:
    return pb.CreateActionRequest(**({"name": "a", "script": "s"} | fields))


def updated(**fields: Any) -> pb.UpdateActionRequest:
    return pb.UpdateActionRequest(**({"id": "1", "name": "a", "script": "s"} | fields))


def listed(*queries: pb.ActionQuery) -> pb.ListActionsRequest:
    return pb.ListActionsRequest(queries=queries)


def by_id(id: str) -> pb.ListActionsRequest:
    return listed(pb.ActionQuery(action_id_query=action_pb2.ActionIDQuery(id=id)))


def by_name(name: str) -> pb.ListActionsRequest:
    return listed(pb.ActionQuery(action_name_query=action_pb2.ActionNameQuery(name=name)))


RUNES_1_200 = "value length must be between 1 and 200 runes, inclusive"
RUNES_200 = "value length must be at most 200 runes"
NESTED = "invalid ListActionsRequest.Queries[0]: embedded message failed validation | caused by: "


TEXTS: dict[str, dict[str, Callable[[str], Message]]] = {
    f"invalid CreateActionRequest.Name: {RUNES_1_200}": {
        "CreateActionRequest.name": lambda text: created(name=text)
    },
    f"invalid UpdateActionRequest.Name: {RUNES_1_200}": {
        "UpdateActionRequest.name": lambda text: updated(name=text)
    },
    f"invalid UpdateActionRequest.Id: {RUNES_1_200}": {
        "UpdateActionRequest.id": lambda text: updated(id=text)
    },
    f"{NESTED}invalid ActionQuery.ActionIdQuery: embedded message failed validation"
    f" | caused by: invalid ActionIDQuery.Id: {RUNES_200}": {"ActionIDQuery.id": by_id},
    f"{NESTED}invalid ActionQuery.ActionNameQuery: embedded message failed validation"
    f" | caused by: invalid ActionNameQuery.Name: {RUNES_200}": {"ActionNameQuery.name": by_name},
}


@by_outcome("make, fault", TEXTS)
@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("a", True, id="1 rune"),
        pytest.param("\0", True, id="NUL"),
        pytest.param("a" * 199, True, id="199 runes"),
        pytest.param("a" * 200, True, id="200 runes"),
        pytest.param("a" * 201, False, id="201 runes"),
        pytest.param("\u00e9" * 200, True, id="200 runes of 2 bytes"),
        pytest.param("\u00e9" * 201, False, id="201 runes of 2 bytes"),
        pytest.param(ASTRAL * 200, True, id="200 runes of 4 bytes"),
        pytest.param(ASTRAL * 201, False, id="201 runes of 4 bytes"),
        pytest.param(COMBINING * 100, True, id="100 combined characters"),
        pytest.param(COMBINING * 100 + "a", False, id="100 combined characters and one more"),
    ],
)
def test_text_is_counted_in_runes(
    make: Callable[[str], Message], fault: str, text: str, is_right: bool | None
) -> None:
    if is_right is None:  # where the rule has no least
        is_right = "between" not in fault
    assert fault_of(make(text)) == (None if is_right else fault)


@pytest.mark.parametrize("make", [created, updated])
@cases(
    "script, reason",
    {
        "nothing": ("", "value length must be at least 1 runes"),
        "1 byte": ("a", None),
        "39,999 bytes": ("a" * 39_999, None),
        "40,000 bytes": ("a" * 40_000, None),
        "40,001 bytes": ("a" * 40_001, "value length must be at most 40000 bytes"),
        "40,000 bytes of 2 a rune": ("\u00e9" * 20_000, None),
        "one byte more": ("\u00e9" * 20_000 + "a", "value length must be at most 40000 bytes"),
        "40,000 bytes of 4 a rune": (ASTRAL * 10_000, None),
        "one more of them": (ASTRAL * 10_000 + "a", "value length must be at most 40000 bytes"),
        "40,000 bytes of combined characters": (COMBINING * 13_333 + "a", None),
        "40,002 of them": (COMBINING * 13_334, "value length must be at most 40000 bytes"),
    },
)
def test_script_is_counted_in_bytes(
    make: Callable[..., Message], script: str, reason: str | None
) -> None:
    request = make(script=script)
    said = f"invalid {type(request).__name__}.Script: {reason}"
    assert fault_of(request) == (reason and said)


INVALID = "value is not a valid duration | caused by: proto: duration "
OUTSIDE = "value must be inside range [0s, 20s]"


@pytest.mark.parametrize("make", [created, updated])
@pytest.mark.parametrize(
    ("seconds", "nanos", "reason"),
    [
        (0, 0, None),
        (0, 1, None),
        (0, -1, OUTSIDE),
        (-1, 0, OUTSIDE),
        (20, 0, None),
        (19, 999_999_999, None),
        (20, 1, OUTSIDE),
        (10_000_000_000, 0, OUTSIDE),  # more than 64 bits of nanoseconds
        (315_576_000_000, 999_999_999, OUTSIDE),
        (315_576_000_001, 0, f"{INVALID}(seconds:315576000001) exceeds +10000 years"),
        (-315_576_000_001, 0, f"{INVALID}(seconds:-315576000001) exceeds -10000 years"),
        (2**63 - 1, 1, f"{INVALID}(seconds:9223372036854775807 nanos:1) exceeds +10000 years"),
        (-(2**63), 0, f"{INVALID}(seconds:-9223372036854775808) exceeds -10000 years"),
        (1, 1_000_000_000, f"{INVALID}(seconds:1 nanos:1000000000) has out-of-range nanos"),
        (0, -1_000_000_000, f"{INVALID}(nanos:-1000000000) has out-of-range nanos"),
        (0, 2**31 - 1, f"{INVALID}(nanos:2147483647) has out-of-range nanos"),
        (1, -1, f"{INVALID}(seconds:1 nanos:-1) has seconds and nanos with different signs"),
        (-1, 1, f"{INVALID}(seconds:-1 nanos:1) has seconds and nanos with different signs"),
    ],
)
def test_timeout_is_a_duration_within_its_bounds(
    make: Callable[..., Message], seconds: int, nanos: int, reason: str | None
) -> None:
    request = make(timeout=Duration(seconds=seconds, nanos=nanos))
    said = f"invalid {type(request).__name__}.Timeout: {reason}"
    assert fault_of(request) == (reason and said)


def test_timeout_may_be_left_out() -> None:
    assert fault_of(created()) is None


def in_state(number: Any) -> pb.ActionQuery:
    return pb.ActionQuery(action_state_query=action_pb2.ActionStateQuery(state=number))


def compared_by(number: Any) -> pb.ActionQuery:
    return pb.ActionQuery(action_name_query=action_pb2.ActionNameQuery(method=number))


QUERIES: dict[str | None, dict[str, object]] = {
    None: {"state 0": in_state(0), "state 2": in_state(2), "method 7": compared_by(7)},
    "invalid ActionQuery.ActionStateQuery: embedded message failed validation | caused by: "
    "invalid ActionStateQuery.State: value must be one of the defined enum values": {
        "state 3": in_state(3),
        "state -1": in_state(-1),
    },
    "invalid ActionQuery.ActionNameQuery: embedded message failed validation | caused by: "
    "invalid ActionNameQuery.Method: value must be one of the defined enum values": {
        "method 8": compared_by(8)
    },
    "invalid ActionQuery.Query: value is required": {"none": pb.ActionQuery()},
}


@by_outcome("query, fault", QUERIES)
def test_query_is_one_that_there_is(query: pb.ActionQuery, fault: str | None) -> None:
    assert fault_of(listed(query)) == (fault and NESTED + fault)


def test_fault_names_the_item() -> None:
    good = pb.ActionQuery(action_id_query=action_pb2.ActionIDQuery(id="1"))
    assert fault_of(listed(good, good, pb.ActionQuery())) == (
        "invalid ListActionsRequest.Queries[2]: embedded message failed validation | caused by: "
        "invalid ActionQuery.Query: value is required"
    )


def test_list_has_at_most_100_queries() -> None:
    good = pb.ActionQuery(action_id_query=action_pb2.ActionIDQuery(id="1"))
    assert fault_of(listed(*[good] * 100)) is None
    assert fault_of(listed(*[good] * 101)) == (
        "invalid ListActionsRequest.Queries: value must contain no more than 100 item(s)"
    )


def test_number_of_a_column_has_no_rule() -> None:
    request = pb.ListActionsRequest(sorting_column=9)  # type: ignore[arg-type]
    assert fault_of(request) is None


def test_first_field_in_the_order_of_the_proto_is_named() -> None:
    assert fault_of(pb.UpdateActionRequest()) == f"invalid UpdateActionRequest.Id: {RUNES_1_200}"
    assert fault_of(pb.UpdateActionRequest(id="1", timeout=Duration(seconds=-1))) == (
        f"invalid UpdateActionRequest.Name: {RUNES_1_200}"
    )


def test_only_methods_whose_requests_have_rules_are_checked() -> None:
    with_rules = {
        *("GetOrgByDomainGlobal", "ListActions", "CreateAction", "UpdateAction"),
        "SetTriggerActions",
    }
    without = {
        *("Healthz", "GetMyOrg", "GetAction", "DeactivateAction", "ReactivateAction"),
        *("DeleteAction", "ListFlowTypes", "ListFlowTriggerTypes", "GetFlow", "ClearFlow"),
    }
    checked = {path.removeprefix(PATH) for path in CHECKS}
    assert checked & (with_rules | without) == with_rules


# --- the interceptor


def test_refused_request_reaches_no_handler() -> None:
    async def reached(_request: object, _context: object) -> None:
        raise AssertionError

    method = PATH + "CreateAction"
    handler: Any = grpc.unary_unary_rpc_method_handler(reached, pb.CreateActionRequest.FromString)
    checked = Validation(CHECKS).wrap(method, handler, reached)
    context: Any = None
    with pytest.raises(Refusal) as refused:
        checked(pb.CreateActionRequest(), context)
    refusal = refused.value
    assert (refusal.kind, refusal.key, refusal.id) == (
        Kind.INVALID_ARGUMENT,
        f"invalid CreateActionRequest.Name: {RUNES_1_200}",
        "",
    )


def test_method_without_rules_costs_nothing() -> None:
    async def get(_request: object, _context: object) -> None: ...

    handler: Any = grpc.unary_unary_rpc_method_handler(get, pb.GetActionRequest.FromString)
    assert Validation(CHECKS).wrap(PATH + "GetAction", handler, get) is get


def test_the_interceptor_that_decodes_messages_comes_first() -> None:
    outer, validation, decoding = Overload(1), Validation({}), Receiving(Places(1, 1, print))
    chain = Chain(outer, inner=(validation,)).with_inner(decoding)
    assert (chain.outer, chain.inner) == ((outer,), (decoding, validation))
