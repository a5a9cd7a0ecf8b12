"""docs/api.md "Reads and lists", over each protocol.

What each text method finds is tested without a protocol: tests/contract/test_action_lists.py.
"""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.api_client import REST_PREFIX, Caller
from tests.support.prepared import action
from tests.support.tables import cases
from zitadel import action_pb2, object_pb2
from zitadel import management_pb2 as pb

SUBJECT = "Reads and lists"

METHODS = object_pb2.TextQueryMethod
NAME, ID, STATE = (
    action_pb2.ACTION_FIELD_NAME_NAME,
    action_pb2.ACTION_FIELD_NAME_ID,
    action_pb2.ACTION_FIELD_NAME_STATE,
)
NONE = action_pb2.ACTION_FIELD_NAME_UNSPECIFIED
IN_FLIGHT = 40
"""Less than half of the calls that a connection may have."""
NAMES = ["greet", "Ägreet", "GREETING", "gr%t", "a\0b"]


def named(name: str, method: str = "EQUALS") -> pb.ActionQuery:
    number = METHODS.Value(f"TEXT_QUERY_METHOD_{method}")
    return pb.ActionQuery(action_name_query=action_pb2.ActionNameQuery(name=name, method=number))


def with_id(id: str) -> pb.ActionQuery:
    return pb.ActionQuery(action_id_query=action_pb2.ActionIDQuery(id=id))


def in_state(state: action_pb2.ActionState.ValueType) -> pb.ActionQuery:
    return pb.ActionQuery(action_state_query=action_pb2.ActionStateQuery(state=state))


def asked(
    *queries: pb.ActionQuery, offset: int = 0, limit: int = 0, asc: bool = False, column: int = NONE
) -> pb.ListActionsRequest:
    return pb.ListActionsRequest(
        query=object_pb2.ListQuery(offset=offset, limit=limit, asc=asc),
        sorting_column=column,  # type: ignore[arg-type]  # any number may arrive
        queries=queries,
    )


@pytest.fixture
async def ids(caller: Caller, stranger: Caller) -> dict[str, str]:
    """The ids of `NAMES`, created in that order; the last is inactive. Another has one, too."""
    made = {name: await action(caller, name) for name in NAMES}
    await caller.get(pb.DeactivateActionRequest(id=made["a\0b"]))
    await action(stranger, "greet")
    return made


async def listed(caller: Caller, protocol: str, request: pb.ListActionsRequest) -> list[str]:
    """The names that are answered, which are all that the total tells of."""
    answer = await caller.ask(protocol, request)
    assert answer.code == 0, answer
    names = [action.name for action in answer.response.result]
    assert answer.response.details.total_result == len(names)
    return names


@pytest.mark.parametrize(
    ("method", "text", "expected"),
    [
        ("EQUALS", "greet", ["greet"]),
        ("EQUALS_IGNORE_CASE", "äGREET", ["Ägreet"]),
        ("STARTS_WITH", "gre", ["greet"]),
        ("STARTS_WITH_IGNORE_CASE", "gRe", ["greet", "GREETING"]),
        ("CONTAINS", "ree", ["greet", "Ägreet"]),
        ("CONTAINS_IGNORE_CASE", "REE", ["greet", "Ägreet", "GREETING"]),
        ("ENDS_WITH", "eet", ["greet", "Ägreet"]),
        ("ENDS_WITH_IGNORE_CASE", "ING", ["GREETING"]),
    ],
)
async def test_every_text_method_is_served(
    caller: Caller, ids: dict[str, str], protocol: str, method: str, text: str, expected: list[str]
) -> None:
    assert await listed(caller, protocol, asked(named(text, method))) == expected


@cases(
    "queries, expected",
    {
        "wildcard": ([named("%", "CONTAINS")], ["gr%t"]),
        "another wildcard": ([named("gr_t", "CONTAINS")], []),
        "NUL": ([named("\0", "CONTAINS")], ["a\0b"]),
        "differs behind a NUL": ([named("a\0c")], []),
        "another normal form": ([named("A\u0308greet", "EQUALS_IGNORE_CASE")], []),
        "no text": ([named("", "CONTAINS")], NAMES),
        "inactive": ([in_state(action_pb2.ACTION_STATE_INACTIVE)], ["a\0b"]),
        "active": ([in_state(action_pb2.ACTION_STATE_ACTIVE)], NAMES[:4]),
        "unspecified state": ([in_state(action_pb2.ACTION_STATE_UNSPECIFIED)], []),
        "no id": ([with_id("")], []),
        "two filters": (
            [named("g", "STARTS_WITH"), in_state(action_pb2.ACTION_STATE_ACTIVE)],
            ["greet", "gr%t"],
        ),
        "two filters that nothing passes": (
            [named("g", "STARTS_WITH"), in_state(action_pb2.ACTION_STATE_INACTIVE)],
            [],
        ),
    },
)
async def test_all_filters_have_to_match(
    caller: Caller,
    ids: dict[str, str],
    protocol: str,
    queries: Sequence[pb.ActionQuery],
    expected: list[str],
) -> None:
    assert await listed(caller, protocol, asked(*queries)) == expected


async def test_id_filter_finds_one_of_this_organisation_alone(
    caller: Caller, stranger: Caller, ids: dict[str, str], protocol: str
) -> None:
    assert await listed(caller, protocol, asked(with_id(ids["gr%t"]))) == ["gr%t"]
    assert await listed(stranger, protocol, asked(with_id(ids["gr%t"]))) == []


@pytest.mark.parametrize(
    ("column", "asc", "expected"),
    [
        pytest.param(NONE, False, NAMES, id="in order of creation"),
        pytest.param(NONE, True, NAMES, id="in order of creation, asc"),
        pytest.param(99, True, NAMES, id="by a column that there is not"),
        pytest.param(-(2**31), True, NAMES, id="by the least number of an enum"),
        pytest.param(NAME, True, ["a\0b", "gr%t", "greet", "GREETING", "Ägreet"], id="name, asc"),
        pytest.param(NAME, False, ["Ägreet", "GREETING", "greet", "gr%t", "a\0b"], id="name"),
        pytest.param(ID, True, NAMES, id="id, asc"),
        pytest.param(ID, False, NAMES[::-1], id="id"),
        pytest.param(STATE, True, ["a\0b", *NAMES[:4]], id="state, asc"),
        pytest.param(STATE, False, [*NAMES[3::-1], "a\0b"], id="state"),
    ],
)
async def test_list_is_sorted_and_says_by_what(
    caller: Caller, ids: dict[str, str], protocol: str, column: int, asc: bool, expected: list[str]
) -> None:
    answer = await caller.ask(protocol, asked(column=column, asc=asc))
    assert [action.name for action in answer.response.result] == expected
    assert answer.response.sorting_column == (column if column in (NAME, ID, STATE) else NONE)


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [
        pytest.param(0, 2, NAMES[:2], id="first page"),
        pytest.param(2, 2, NAMES[2:4], id="second page"),
        pytest.param(4, 1000, NAMES[4:], id="last page, the largest limit"),
        pytest.param(5, 2, [], id="offset at the end"),
        pytest.param(2**64 - 1, 1, [], id="the largest offset"),
        pytest.param(2**63, 0, [], id="more than a signed number holds"),
    ],
)
@pytest.mark.parametrize(
    "queries",
    [
        pytest.param([], id="unfiltered"),
        pytest.param([named("", "ENDS_WITH_IGNORE_CASE")], id="filtered"),
    ],
)
async def test_page_has_the_total_of_all_matches(
    caller: Caller,
    ids: dict[str, str],
    protocol: str,
    queries: Sequence[pb.ActionQuery],
    offset: int,
    limit: int,
    expected: list[str],
) -> None:
    answer = await caller.ask(protocol, asked(*queries, offset=offset, limit=limit))
    assert [action.name for action in answer.response.result] == expected
    details = answer.response.details
    assert (details.total_result, details.processed_sequence) == (5, 0)
    assert details.view_timestamp.ToNanoseconds() > 0


async def test_list_without_a_limit_ends_at_1000(caller: Caller, protocol: str) -> None:
    """The answer is put together beside the loop: it is many actions."""
    # A new gRPC connection does not know yet how many calls it may have in flight; and a call that
    # was answered counts until the server is done with it.
    await caller.get(asked())
    names = [f"{number:04}" for number in range(1001)]
    for first in range(0, len(names), IN_FLIGHT):
        some = names[first : first + IN_FLIGHT]
        await asyncio.gather(*(action(caller, name) for name in some))
    answer = await caller.ask(protocol, asked())
    assert len({action.id for action in answer.response.result}) == 1000
    assert answer.response.details.total_result == 1001


@pytest.mark.parametrize(
    ("seconds", "nanos", "told"),
    [
        pytest.param(0, 0, 20_000_000_000, id="none"),
        pytest.param(20, 0, 20_000_000_000, id="the longest"),
        pytest.param(19, 999_999_999, 19_999_999_999, id="one less"),
        pytest.param(0, 1, 1, id="the shortest"),
    ],
)
async def test_reader_sees_the_timeout_in_effect(
    caller: Caller, protocol: str, seconds: int, nanos: int, told: int
) -> None:
    request = pb.CreateActionRequest(name="n", script="s")
    request.timeout.seconds, request.timeout.nanos = seconds, nanos
    id = (await caller.get(request)).id
    answer = await caller.ask(protocol, pb.GetActionRequest(id=id))
    assert answer.response.action.timeout.ToNanoseconds() == told


async def test_removed_action_is_gone_from_all_reads(
    caller: Caller, ids: dict[str, str], protocol: str
) -> None:
    await caller.ask(protocol, pb.DeleteActionRequest(id=ids["greet"]))
    assert await listed(caller, protocol, asked()) == NAMES[1:]
    assert (await caller.ask(protocol, pb.GetActionRequest(id=ids["greet"]))).code == 5


@pytest.mark.parametrize(
    "body",
    [
        '{"query":{"offset":"18446744073709551616"}}',
        '{"query":{"offset":-1}}',
        '{"query":{"limit":4294967296}}',
        '{"query":{"limit":1.5}}',
    ],
)
async def test_number_that_no_message_holds_is_refused_by_name(caller: Caller, body: str) -> None:
    headers = {"authorization": f"Bearer {caller.token}", "content-type": "application/json"}
    url = f"http://{caller.api.http}{REST_PREFIX}/actions/_search"
    async with caller.api.session.post(url, data=body, headers=headers) as answer:
        status = await answer.json()
    assert (answer.status, status["code"]) == (400, 3)
    assert status["message"].startswith(f"query.{'offset' if 'offset' in body else 'limit'}")
