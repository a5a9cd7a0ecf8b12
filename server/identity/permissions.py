"""Defines the permission that each method requires, and the permissions that each role grants.

A method declares its permission in `zitadel.v1.auth_option`. The service does not start if a method
declares none and is not listed here as public.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from google.protobuf.descriptor import ServiceDescriptor

from zitadel.options_pb2 import auth_option

PUBLIC_METHODS: Final = frozenset(
    {
        "/zitadel.management.v1.ManagementService/Healthz",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/List",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)

_READ: Final = frozenset({"org.action.read", "org.flow.read", "org.read"})
_ALL: Final = _READ | {
    "org.action.write",
    "org.action.delete",
    "org.flow.write",
    "org.flow.delete",
    "org.action.run",
    "org.global.read",
}
_READ_INSTANCE: Final = frozenset({"iam.read"})
_ALL_INSTANCE: Final = _READ_INSTANCE | {"iam.write"}

ROLE_PERMISSIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "IAM_OWNER": _ALL | _ALL_INSTANCE,
        "IAM_ORG_MANAGER": _ALL,
        "ORG_OWNER": _ALL,
        "IAM_OWNER_VIEWER": _READ | _READ_INSTANCE,
        "ORG_OWNER_VIEWER": _READ,
        # Not a role of ZITADEL: it is for an identity provider, which only runs actions.
        "ORG_ACTION_RUNNER": frozenset({"org.action.run"}),
    }
)

_NO_PERMISSIONS: Final[frozenset[str]] = frozenset()


def is_instance_wide(role: str) -> bool:
    """True if the role counts in every organisation, not only in that of the membership."""
    return role.startswith("IAM_")


def granted_by(roles: Iterable[str]) -> frozenset[str]:
    return _NO_PERMISSIONS.union(*(ROLE_PERMISSIONS.get(role, _NO_PERMISSIONS) for role in roles))


def required_permissions(services: Iterable[ServiceDescriptor]) -> Mapping[str, str]:
    """Returns the permission of each method that requires one, by path ("/package.Service/Method").

    Raises:
        ValueError: a method declares no permission and is not listed as public.
    """
    required: dict[str, str] = {}
    for service in services:
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            permission = method.GetOptions().Extensions[auth_option].permission
            if permission:
                required[path] = permission
            elif path not in PUBLIC_METHODS:
                raise ValueError(f"{path}: expected auth_option, as it is not listed as public")
    return required


def public_methods(services: Iterable[ServiceDescriptor]) -> list[str]:
    """Returns the full names of the methods that require no permission."""
    services = list(services)
    required = required_permissions(services)
    return [
        method.full_name
        for service in services
        for method in service.methods
        if f"/{service.full_name}/{method.name}" not in required
    ]
