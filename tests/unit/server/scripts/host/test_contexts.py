import pytest

from server.scripts.contract import BadContext, JsonValue
from server.scripts.host import contexts
from server.scripts.host.context_schema import TokenCreation
from server.scripts.triggers import ALL_TRIGGERS, Trigger
from tests.support.contexts_by_kind import read_as_json


@pytest.mark.parametrize("trigger", ALL_TRIGGERS)
def test_an_example_is_complete(trigger: Trigger) -> None:
    example = contexts.example(*trigger)
    read = read_as_json(trigger, example)
    assert read == example
    assert list(read) == list(example)


@pytest.mark.parametrize("trigger", ALL_TRIGGERS)
@pytest.mark.parametrize("context", [None, {}, {"unknown": 1}])
def test_missing_values_are_as_unset(trigger: Trigger, context: JsonValue) -> None:
    read = read_as_json(trigger, context)
    assert list(read) == list(contexts.example(*trigger))


def test_reading_changes_nothing_that_was_given() -> None:
    claims: dict[str, JsonValue] = {"a": 1}
    read = contexts.read_context(2, 4, {"claims": claims})
    assert isinstance(read, TokenCreation)
    read.claims["b"] = 2
    assert claims == {"a": 1}


@pytest.mark.parametrize(
    ("trigger", "context", "text"),
    [
        pytest.param((2, 4), [], "context: expected an object, got an array", id="array"),
        pytest.param((2, 4), "x", "context: expected an object, got 'x'", id="text"),
        pytest.param(
            (2, 4),
            {"user": {"id": True}},
            "context.user.id: expected a string, got true",
            id="bool",
        ),
        pytest.param(
            (2, 4),
            {"user": {"sequence": "x"}},
            "context.user.sequence: expected an integer from 0 to 9223372036854775807, got 'x'",
            id="integer",
        ),
        pytest.param(
            (2, 4),
            {"user": {"sequence": 1.5}},
            "context.user.sequence: expected an integer from 0 to 9223372036854775807, got 1.5",
            id="fraction",
        ),
        pytest.param(
            (2, 4),
            {"user": {"sequence": "\u0663"}},
            "context.user.sequence: expected an integer from 0 to 9223372036854775807, got ",
            id="digit of another script",
        ),
        pytest.param(
            (2, 4),
            {"user": {"changeDate": "2025-03-04T05:06:07.\uff11Z"}},
            "context.user.changeDate: expected a date as in 2025-03-04T05:06:07Z, got ",
            id="date with a digit of another script",
        ),
        pytest.param(
            (2, 4),
            {"user": {"changeDate": "2025-03-04T05:06:07+01:99"}},
            "context.user.changeDate: expected a date as in 2025-03-04T05:06:07Z, got ",
            id="date of no zone",
        ),
        pytest.param(
            (2, 4),
            {"user": {"human": {"gender": 4}}},
            "context.user.human.gender: expected an integer from 0 to 3, got 4",
            id="enumeration",
        ),
        pytest.param(
            (2, 4),
            {"user": {"creationDate": "2025-13-04T05:06:07Z"}},
            "context.user.creationDate: expected a date as in 2025-03-04T05:06:07Z,"
            " got '2025-13-04T05:06:07Z'",
            id="date",
        ),
        pytest.param(
            (2, 4),
            {"user": {"human": {}, "machine": {}}},
            "context.user: expected one of human and machine, got both",
            id="both kinds of user",
        ),
        pytest.param(
            (2, 4),
            {"userGrants": {"grants": [{}, {"roles": [5]}]}},
            "context.userGrants.grants[1].roles[0]: expected a string, got 5",
            id="inside lists",
        ),
        pytest.param(
            (1, 1),
            {"httpRequest": {"headers": {"A": "x"}}},
            "context.httpRequest.headers.A: expected an array, got 'x'",
            id="inside maps",
        ),
        pytest.param(
            (2, 4),
            {"user": {"human": {"isEmailVerified": "true"}}},
            "context.user.human.isEmailVerified: expected true or false, got 'true'",
            id="flag",
        ),
    ],
)
def test_an_error_names_the_path(trigger: Trigger, context: JsonValue, text: str) -> None:
    with pytest.raises(BadContext) as raised:
        contexts.read_context(*trigger, context)
    assert str(raised.value).startswith(text)


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        pytest.param(1 << 70, "context: expected JSON, got what has no form in it", id="number"),
        pytest.param("\ud800", "context: expected JSON, got what has no form in it", id="text"),
        pytest.param("x" * (1 << 20), "context: expected at most 1048576 bytes, got ", id="large"),
    ],
)
def test_a_context_that_is_not_json_or_too_large_is_refused(claim: JsonValue, text: str) -> None:
    with pytest.raises(BadContext) as raised:
        contexts.pack(2, 4, {"claims": {"a": claim}})
    assert str(raised.value).startswith(text)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        pytest.param("2025-03-04T05:06:07Z", "2025-03-04T05:06:07Z", id="UTC"),
        pytest.param("2025-03-04t05:06:07z", "2025-03-04T05:06:07Z", id="small letters"),
        pytest.param("2025-03-04T05:06:07.1200Z", "2025-03-04T05:06:07.12Z", id="zeros"),
        pytest.param("2025-03-04T05:06:07.000Z", "2025-03-04T05:06:07Z", id="only zeros"),
        pytest.param("2025-03-04T05:06:07.5+02:00", "2025-03-04T03:06:07.5Z", id="offset"),
        pytest.param("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", id="zero"),
        pytest.param(None, "0001-01-01T00:00:00Z", id="missing"),
    ],
)
def test_a_date_is_read_as_utc(given: JsonValue, read: str) -> None:
    found = read_as_json((2, 4), {"user": {"creationDate": given}})["user"]
    assert isinstance(found, dict)
    assert found["creationDate"] == read


def test_integers_may_be_digits_and_whole_fractions() -> None:
    human: JsonValue = {"gender": "2"}
    found = read_as_json((2, 4), {"user": {"sequence": 7.0, "human": human}})["user"]
    assert isinstance(found, dict)
    assert isinstance(found["human"], dict)
    assert (found["sequence"], found["human"]["gender"]) == (7, 2)


def test_a_list_of_metadata_may_be_given_by_its_entries() -> None:
    found = read_as_json((4, 6), {"userMetadata": [{"key": "a", "value": {"b": 1}}]})
    assert found["userMetadata"] == {
        "count": 1,
        "sequence": 0,
        "timestamp": "0001-01-01T00:00:00Z",
        "metadata": [
            {
                "creationDate": "0001-01-01T00:00:00Z",
                "changeDate": "0001-01-01T00:00:00Z",
                "resourceOwner": "",
                "sequence": 0,
                "key": "a",
                "value": '{"b":1}',
            }
        ],
    }
