"""Answers of functions: from effects, beside what targets before answered."""

from server.bridge.answers import answer_of, previous_answer
from server.scripts.contract import AttributeEffect, Effects, JsonValue, MetadataEffect
from tests.support.tables import cases

LOG = "urn:zitadel:iam:action:add:log"


def effects(
    claims: dict[str, JsonValue] | None = None,
    metadata: tuple[MetadataEffect, ...] = (),
    attributes: tuple[AttributeEffect, ...] = (),
) -> Effects:
    return Effects(
        claims=claims or {}, fields={}, metadata=metadata, grants=(), attributes=attributes
    )


@cases(
    "made, response, expected",
    {
        "nothing": (effects(), {}, {}),
        "claims": (
            effects({"a": 1, "b": {"c": [None]}}),
            {},
            {"append_claims": [{"key": "a", "value": 1}, {"key": "b", "value": {"c": [None]}}]},
        ),
        "logs": (
            effects({LOG: ["one", "two"], "urn:zitadel:iam:action:other:log": ["three"]}),
            {},
            {"append_log_claims": ["one", "two", "three"]},
        ),
        "metadata, as its octets": (
            effects(metadata=(MetadataEffect("k", b'"v"'),)),
            {},
            {"set_user_metadata": [{"key": "k", "value": "InYi"}]},
        ),
        "behind claims of a target before": (
            effects({"b": 2, LOG: ["two"]}),
            {"append_claims": [{"key": "a", "value": 1}], "append_log_claims": ["one"]},
            {
                "append_claims": [{"key": "a", "value": 1}, {"key": "b", "value": 2}],
                "append_log_claims": ["one", "two"],
            },
        ),
        "in place of a null of a target before": (
            effects({"a": 2}),
            {"append_claims": [{"key": "a", "value": None}]},
            {"append_claims": [{"key": "a", "value": 2}]},
        ),
        "metadata in place of that of a target before": (
            effects(metadata=(MetadataEffect("k", b"2"),)),
            {"set_user_metadata": [{"key": "k", "value": "MQ=="}, {"key": "l", "value": "MQ=="}]},
            {"set_user_metadata": [{"key": "l", "value": "MQ=="}, {"key": "k", "value": "Mg=="}]},
        ),
        "only what a target before answered": (
            effects(),
            {"append_claims": [{"key": "a", "value": 1}]},
            {"append_claims": [{"key": "a", "value": 1}]},
        ),
        "a response of another form": (
            effects({"a": 1}),
            {"append_claims": "x", "later": 1},
            {"append_claims": [{"key": "a", "value": 1}]},
        ),
        "entries of another form stay": (
            effects({"a": 1}),
            {"append_claims": [None, {"key": 1}]},
            {"append_claims": [None, {"key": 1}, {"key": "a", "value": 1}]},
        ),
    },
)
def test_the_answer_about_a_token_is(
    made: Effects, response: dict[str, JsonValue], expected: dict[str, JsonValue]
) -> None:
    assert answer_of(made, previous_answer(response), is_saml=False) == expected


@cases(
    "made, response, expected",
    {
        "attributes": (
            effects(attributes=(AttributeEffect("a", "f", ("1", "2")),)),
            {},
            {"append_attribute": [{"name": "a", "name_format": "f", "value": ["1", "2"]}]},
        ),
        "the attribute of a target before stays": (
            effects(
                attributes=(AttributeEffect("a", "f", ("2",)), AttributeEffect("b", "f", ("2",)))
            ),
            {"append_attribute": [{"name": "a", "name_format": "f", "value": ["1"]}]},
            {
                "append_attribute": [
                    {"name": "a", "name_format": "f", "value": ["1"]},
                    {"name": "b", "name_format": "f", "value": ["2"]},
                ]
            },
        ),
        "metadata": (
            effects(metadata=(MetadataEffect("k", b"1"),)),
            {},
            {"set_user_metadata": [{"key": "k", "value": "MQ=="}]},
        ),
    },
)
def test_the_answer_about_a_saml_response_is(
    made: Effects, response: dict[str, JsonValue], expected: dict[str, JsonValue]
) -> None:
    assert answer_of(made, previous_answer(response), is_saml=True) == expected
