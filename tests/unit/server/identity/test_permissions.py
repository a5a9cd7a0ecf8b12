"""Which permission a method asks for, and which role grants it."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from actions.v1 import admin_pb2 as accounts_pb2
from actions.v1 import execution_pb2
from server.domain.org import ROLES
from server.identity.permissions import ROLE_PERMISSIONS, required_permissions
from zitadel import admin_pb2, management_pb2

SERVICE = management_pb2.DESCRIPTOR.services_by_name["ManagementService"]

ALL = frozenset(
    {
        "org.action.read",
        "org.action.write",
        "org.action.delete",
        "org.flow.read",
        "org.flow.write",
        "org.flow.delete",
        "org.action.run",
        "org.read",
        "org.global.read",
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


def test_permissions_are_those_of_the_proto() -> None:
    required = required_permissions([SERVICE])
    prefix = "/zitadel.management.v1.ManagementService/"
    assert {path.removeprefix(prefix): required[path] for path in required} == {
        "GetMyOrg": "org.read",
        "GetOrgByDomainGlobal": "org.global.read",
        "ListActions": "org.action.read",
        "GetAction": "org.action.read",
        "CreateAction": "org.action.write",
        "UpdateAction": "org.action.write",
        "DeactivateAction": "org.action.write",
        "ReactivateAction": "org.action.write",
        "DeleteAction": "org.action.delete",
        "ListFlowTypes": "org.flow.read",
        "ListFlowTriggerTypes": "org.flow.read",
        "GetFlow": "org.flow.read",
        "ClearFlow": "org.flow.delete",
        "SetTriggerActions": "org.flow.write",
    }


def test_permissions_of_the_admin_service_are_those_of_the_proto() -> None:
    required = required_permissions([admin_pb2.DESCRIPTOR.services_by_name["AdminService"]])
    prefix = "/zitadel.admin.v1.AdminService/"
    assert {path.removeprefix(prefix): required[path] for path in required} == {
        "GetDefaultOrg": "iam.read",
        "GetOrgByID": "iam.read",
        "ListOrgs": "iam.read",
    }


def test_permissions_of_accounts_are_those_of_the_proto() -> None:
    required = required_permissions([accounts_pb2.DESCRIPTOR.services_by_name["AdminService"]])
    prefix = "/actions.v1.AdminService/"
    assert {path.removeprefix(prefix): required[path] for path in required} == {
        "CreateOrg": "iam.write",
        "RenameOrg": "iam.write",
        "ListAllOrgs": "iam.read",
        "GetOrgContents": "iam.read",
        "RemoveOrg": "iam.write",
        "ClearOrg": "iam.write",
        "CreateUser": "iam.write",
        "UpdateUser": "iam.write",
        "RemoveUser": "iam.write",
        "ListUsers": "iam.read",
        "AddMember": "iam.write",
        "SetMemberRoles": "iam.write",
        "RemoveMember": "iam.write",
        "ListMembers": "iam.read",
        "CreateToken": "iam.write",
        "ListTokens": "iam.read",
        "FindToken": "iam.read",
        "RevokeToken": "iam.write",
    }


def test_permissions_to_run_are_those_of_the_proto() -> None:
    required = required_permissions([execution_pb2.DESCRIPTOR.services_by_name["ExecutionService"]])
    prefix = "/actions.v1.ExecutionService/"
    assert {path.removeprefix(prefix): required[path] for path in required} == {
        "RunTrigger": "org.action.run",
        "TestAction": "org.action.write",
        "CheckScript": "org.action.write",
        "GetExampleContext": "org.action.read",
        "ListRuns": "org.action.read",
        "ListActionMetrics": "org.action.read",
    }


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
