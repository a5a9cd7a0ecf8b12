import pytest

from server.scripts.contract import BadContext, JsonValue
from server.scripts.host import contexts
from server.scripts.host.context_schema import TokenCreation
from server.triggers import ALL_TRIGGERS, Trigger
from tests.support.contexts_by_kind import read_as_json
from tests.support.tables import by_outcome


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


INVALID: dict[str, dict[str, JsonValue]] = {
    "context: expected an object, got an array": {"array": []},
    "context: expected an object, got 'x'": {"text": "x"},
    "context.user.id: expected a string, got true": {"bool": {"user": {"id": True}}},
    "context.user.sequence: expected an integer from 0 to 9223372036854775807, got 'x'": {
        "integer": {"user": {"sequence": "x"}}
    },
    "context.user.sequence: expected an integer from 0 to 9223372036854775807, got 1.5": {
        "fraction": {"user": {"sequence": 1.5}}
    },
    "context.user.sequence: expected an integer from 0 to 9223372036854775807, got ": {
        "digit of another script": {"user": {"sequence": "\u0663"}}
    },
    "context.user.changeDate: expected a date as in 2025-03-04T05:06:07Z, got ": {
        "date with a digit of another script": {
            "user": {"changeDate": "2025-03-04T05:06:07.\uff11Z"}
        },
        "date of no zone": {"user": {"changeDate": "2025-03-04T05:06:07+01:99"}},
    },
    "context.user.human.gender: expected an integer from 0 to 3, got 4": {
        "enumeration": {"user": {"human": {"gender": 4}}}
    },
    "context.user.creationDate: expected a date as in 2025-03-04T05:06:07Z,"
    " got '2025-13-04T05:06:07Z'": {"date": {"user": {"creationDate": "2025-13-04T05:06:07Z"}}},
    "context.user: expected one of human and machine, got both": {
        "both kinds of user": {"user": {"human": {}, "machine": {}}}
    },
    "context.userGrants.grants[1].roles[0]: expected a string, got 5": {
        "inside lists": {"userGrants": {"grants": [{}, {"roles": [5]}]}}
    },
    "context.user.human.isEmailVerified: expected true or false, got 'true'": {
        "flag": {"user": {"human": {"isEmailVerified": "true"}}}
    },
}


@by_outcome("context, text", INVALID)
def test_an_error_names_the_path(context: JsonValue, text: str) -> None:
    with pytest.raises(BadContext) as raised:
        contexts.read_context(2, 4, context)
    assert str(raised.value).startswith(text)


def test_an_error_inside_maps_names_the_path() -> None:
    with pytest.raises(BadContext) as raised:
        contexts.read_context(1, 1, {"httpRequest": {"headers": {"A": "x"}}})
    text = "context.httpRequest.headers.A: expected an array, got 'x'"
    assert str(raised.value).startswith(text)


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        pytest.param(
            1 << 70, "context: expected JSON, got a value that JSON does not have", id="number"
        ),
        pytest.param(
            "\ud800", "context: expected JSON, got a value that JSON does not have", id="text"
        ),
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
