"""Runs the command `transcoder`: prints the routes of services, and what is wrong with their rules.

A build can run it, so that an invalid rule is found before a server starts.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from google.protobuf.descriptor import FileDescriptor

from transcoder.call import Method
from transcoder.codec.codec import Codec
from transcoder.errors import SchemaError
from transcoder.registry import Registry, methods_of
from transcoder.routing.service_config import ServiceConfig

DISTRIBUTION: Final = "grpc-transcoder"
INVALID: Final = 1
MISUSED: Final = 2

_HEAD: Final = ("HTTP", "PATH", "METHOD", "SERVED AS")


class _Misused(Exception):
    """An argument is no module of generated code; the text names it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 if a rule is invalid, 2 if an argument is."""
    given = _parser().parse_args(arguments)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  as `python -m` has it
    try:
        services = [service for name in given.modules for service in _services_of(name)]
        lines = _routes(services, given.service_config, given.prefix)
    except _Misused as error:
        sys.stderr.write(f"error: {error}\n")
        return MISUSED
    except SchemaError as error:
        sys.stderr.write(f"error: {error}\n")
        return INVALID
    if not given.check:
        _print([_HEAD, *lines])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="transcoder",
        description="Print the routes of services, or all that is wrong with their rules.",
        epilog="Example: transcoder library_pb2 --prefix /v1 --service-config routes.yaml",
    )
    parser.add_argument(
        "modules", nargs="+", metavar="MODULE", help="generated code, as library_pb2"
    )
    parser.add_argument(
        "--service-config", metavar="FILE", help="a google.api.Service in YAML or JSON"
    )
    parser.add_argument("--prefix", default="", metavar="PATH", help="before all routes, as /v1")
    parser.add_argument("--check", action="store_true", help="print nothing but errors")
    parser.add_argument("--version", action="version", version=f"{DISTRIBUTION} {_version()}")
    return parser


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "of a checkout, not installed"


def _services_of(name: str) -> list[str]:
    """Returns the full names of the services in generated code.

    Raises:
        _Misused: there is no such module, or it has no services.
    """
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name != name:
            raise _Misused(f"module {name}: it needs {error.name}, which cannot be found") from None
        raise _Misused(f"module {name}: not found here or among installed packages") from None
    descriptor = getattr(module, "DESCRIPTOR", None)
    if not isinstance(descriptor, FileDescriptor) or not descriptor.services_by_name:
        raise _Misused(f"module {name}: expected generated code with a service, as library_pb2")
    return [service.full_name for service in descriptor.services_by_name.values()]


def _routes(
    services: Sequence[str], service_config: str | None, prefix: str
) -> list[tuple[str, str, str, str]]:
    """Returns a line for each route, by path.

    Raises:
        SchemaError: lists what is wrong with the rules of a service.
    """
    config = None if service_config is None else ServiceConfig(service_config)
    registry = Registry(Codec(), config=config, strict=False)
    lines = []
    for service in services:
        for route in registry.add(methods_of(service), prefix=prefix):
            path = f"{route.prefix}{route.template.text}"
            lines.append(_line(route.verb, path, route.target.method))
    registry.require_selected()
    return sorted(lines, key=lambda line: (line[1], line[0]))


def _line(verb: str, path: str, method: Method) -> tuple[str, str, str, str]:
    served = ["JSON"]
    if not method.client_streaming:
        served.append("gRPC-Web")
    if path == method.path:
        served.append("Connect")
    return verb, path, method.descriptor.full_name, ", ".join(served)


def _print(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        sys.stdout.write(f"{'  '.join(padded).rstrip()}\n")
