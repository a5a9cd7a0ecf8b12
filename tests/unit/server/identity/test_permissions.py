"""Which role grants a permission; docs/api.md has those that methods ask for, and its test."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from server.domain.org import ROLES
from server.identity.permissions import ROLE_PERMISSIONS, public_methods, required_permissions
from zitadel import management_pb2

ALL = frozenset(
    {
        *("org.action.read", "org.action.write", "org.action.delete", "org.action.run"),
        *("org.flow.read", "org.flow.write", "org.flow.delete", "org.read", "org.global.read"),
    }
)
VIEW = frozenset({"org.action.read", "org.flow.read", "org.read"})


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        ("IAM_OWNER", ALL | {"iam.read", "iam.write"}),
        ("IAM_ORG_MANAGER", ALL),
        ("ORG_OWNER", ALL),
        ("IAM_OWNER_VIEWER", VIEW | {"iam.read"}),
        ("ORG_OWNER_VIEWER", VIEW),
        ("ORG_ACTION_RUNNER", {"org.action.run"}),
    ],
)
def test_role_grants(role: str, permissions: frozenset[str]) -> None:
    assert ROLE_PERMISSIONS[role] == permissions


def test_every_role_that_a_member_can_have_grants_something() -> None:
    assert set(ROLE_PERMISSIONS) == set(ROLES)


def test_methods_without_a_permission_are_public() -> None:
    services = management_pb2.DESCRIPTOR.services_by_name.values()
    assert public_methods(services) == ["zitadel.management.v1.ManagementService.Healthz"]


def test_method_without_permission_that_is_not_public_is_a_fault_of_the_proto() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="open.proto", package="open", syntax="proto3")
    file.message_type.add(name="Nothing")
    file.service.add(name="Gate").method.add(
        name="Enter", input_type=".open.Nothing", output_type=".open.Nothing"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    with pytest.raises(ValueError, match=r"^/open.Gate/Enter: expected auth_option"):
        required_permissions([pool.FindServiceByName("open.Gate")])
