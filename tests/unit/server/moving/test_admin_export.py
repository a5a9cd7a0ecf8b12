"""Organisations in the JSON that a ZITADEL exports."""

import json
from pathlib import Path

import pytest

from server.moving import admin_export
from server.moving.source import SourceError
from server.triggers import FlowType
from tests.support.tables import cases

EXPORT = {
    "orgs": [
        {
            "orgId": "100000000000000001",
            "org": {"name": "Acme"},
            "humanUsers": [{"userId": "1"}],
            "actions": [
                {
                    "actionId": "381029384756019283",
                    "action": {"name": "b", "script": "s", "timeout": "2.5s"},
                },
                {
                    "actionId": "281029384756019283",
                    "action": {"name": "a", "script": "t", "allowedToFail": True},
                },
            ],
            "triggerActions": [
                {
                    "flowType": "1",
                    "triggerType": "TRIGGER_TYPE_POST_AUTHENTICATION",
                    "actionIds": ["281029384756019283"],
                }
            ],
        },
        {"orgId": "2", "org": {"name": "empty"}},
    ]
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "export.json"


@pytest.mark.parametrize("document", [EXPORT, {"dataOrgs": EXPORT}, {"data_orgs": EXPORT}])
def test_an_export_is_read(file: Path, document: object) -> None:
    file.write_text(json.dumps(document))
    acme, empty = admin_export.read(file, [])
    assert (acme.id, acme.name) == ("100000000000000001", "Acme")
    assert [(a.name, a.timeout_ns, a.allowed_to_fail) for a in acme.actions] == [
        ("a", 0, True),
        ("b", 2_500_000_000, False),
    ]
    assert {a.state for a in acme.actions} == {None}
    assert acme.triggers == {(1, 1): ("281029384756019283",)}
    assert acme.flows == {FlowType.EXTERNAL_AUTHENTICATION, FlowType.INTERNAL_AUTHENTICATION}
    assert (empty.actions, empty.triggers) == ([], {})
    assert [org.id for org in admin_export.read(file, ["2"])] == ["2"]


@cases(
    "document, text",
    {
        "no file": (None, "No such file"),
        "no JSON": ("{", "expected JSON"),
        "no object": ("[]", "expected an export of a ZITADEL"),
        "no organisations": ("{}", "expected an export of a ZITADEL"),
        "action": (
            '{"orgs":[{"orgId":"1","actions":[{"actionId":"7"}]}]}',
            "action '7': expected an",
        ),
        "timeout": (
            '{"orgs":[{"orgId":"1","actions":[{"actionId":"7","action":{"timeout":"x"}}]}]}',
            "expected a CreateActionRequest",
        ),
        "trigger": (
            '{"orgs":[{"orgId":"1","triggerActions":[{"flowType":"9","triggerType":"1"}]}]}',
            "organisation '1': expected a flow and one of its triggers",
        ),
    },
)
def test_a_faulty_export_is_named(file: Path, document: str | None, text: str) -> None:
    if document is not None:
        file.write_text(document)
    with pytest.raises(SourceError) as raised:
        admin_export.read(file, [])
    assert text in str(raised.value)
    assert str(file) in str(raised.value)


def test_an_organisation_that_is_not_there_is_named(file: Path) -> None:
    file.write_text(json.dumps(EXPORT))
    with pytest.raises(SourceError, match="has no organisation 3, 4"):
        admin_export.read(file, ["2", "3", "4"])
