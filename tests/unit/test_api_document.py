"""docs/api.md has each RPC with route, fields and permission, each enum, each id of an error."""

import ast
import re
from typing import Final

import pytest
from google.api.annotations_pb2 import http
from google.protobuf.descriptor import EnumDescriptor, MethodDescriptor

from actions.v1 import admin_pb2 as accounts_pb2
from actions.v1 import execution_pb2, secrets_pb2, versions_pb2
from server.identity.permissions import required_permissions
from server.services.accounts import AccountsService
from server.services.admin import AdminService
from server.services.execution import ExecutionService
from server.services.management import ManagementService
from server.services.secrets import SecretService
from server.services.versions import VersionService
from tests.support.documents import ROOT, files, headings
from zitadel import action_pb2, admin_pb2, management_pb2, object_pb2, org_pb2

PAGE: Final = ROOT / "docs/api.md"
TEXT: Final = PAGE.read_text("utf-8")
SERVICES: Final = [
    management_pb2.DESCRIPTOR.services_by_name["ManagementService"],
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    execution_pb2.DESCRIPTOR.services_by_name["ExecutionService"],
    versions_pb2.DESCRIPTOR.services_by_name["VersionService"],
    secrets_pb2.DESCRIPTOR.services_by_name["SecretService"],
    accounts_pb2.DESCRIPTOR.services_by_name["AdminService"],
]
SERVICERS: Final[dict[str, type]] = {
    "zitadel.management.v1.ManagementService": ManagementService,
    "zitadel.admin.v1.AdminService": AdminService,
    "actions.v1.ExecutionService": ExecutionService,
    "actions.v1.VersionService": VersionService,
    "actions.v1.SecretService": SecretService,
    "actions.v1.AdminService": AccountsService,
}
METHODS: Final = [method for service in SERVICES for method in service.methods]
PERMISSIONS: Final = required_permissions(SERVICES)
ENUMS: Final = [
    *action_pb2.DESCRIPTOR.enum_types_by_name.values(),
    object_pb2.TextQueryMethod.DESCRIPTOR,
    *org_pb2.DESCRIPTOR.enum_types_by_name.values(),
    *execution_pb2.DESCRIPTOR.enum_types_by_name.values(),
    *accounts_pb2.DESCRIPTOR.enum_types_by_name.values(),
]
ID: Final = re.compile(r"[A-Z][A-Z0-9]*-[A-Za-z0-9]{5}")


def row_of(first: str) -> list[str]:
    """Returns the cells of the one row that begins with the text."""
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| {first} | `")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def routes_of(method: MethodDescriptor) -> str:
    rule = method.GetOptions().Extensions[http]
    rules = [rule, *rule.additional_bindings]
    return ", ".join(
        f"`{kind.upper()}{rule.body} {getattr(rule, kind)}`"
        for rule in rules
        if (kind := rule.WhichOneof("pattern"))
    )


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_an_rpc_has_its_route_and_permission(method: MethodDescriptor) -> None:
    path = f"/{method.containing_service.full_name}/{method.name}"
    _, routes, permission, *_ = row_of(method.name)
    assert routes == routes_of(method)
    assert permission.strip("`") == PERMISSIONS.get(path, "public")


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_an_rpc_has_its_fields(method: MethodDescriptor) -> None:
    *_, request, answer = row_of(method.name)
    assert sorted(re.findall(r"`(\w+)`", answer)) == sorted(method.output_type.fields_by_name)
    if method.name != "UpdateAction":  # which says "what CreateAction takes"
        assert sorted(re.findall(r"`(\w+)`", request)) == sorted(method.input_type.fields_by_name)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_an_rpc_is_implemented(method: MethodDescriptor) -> None:
    # What generated code answers for a method that is left out is UNIMPLEMENTED.
    assert method.name in vars(SERVICERS[method.containing_service.full_name])


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.full_name)
def test_an_enum_has_its_numbers(enum: EnumDescriptor) -> None:
    values = ", ".join(f"{value.number} `{value.name}`" for value in enum.values)
    assert f"| `{enum.full_name}` | {values} |" in TEXT


def test_every_id_of_an_error_is_explained() -> None:
    explained = set(ID.findall(TEXT + (ROOT / "docs/execution.md").read_text("utf-8")))
    unexplained = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for path in files(".py", folder=ROOT / "server")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if ID.fullmatch(node.value) and node.value not in explained
    ]
    assert unexplained == []


def test_the_subjects_of_tests_are_headings() -> None:
    tests = files(".py", folder=ROOT / "tests/integration/api")
    found = [
        re.search(r'^SUBJECT = "(.+)"$', path.read_text("utf-8"), re.MULTILINE) for path in tests
    ]
    subjects = {match[1] for match in found if match}
    assert len(subjects) > 5
    assert subjects <= set(headings(PAGE))
