"""Runs the command `transcoder`: serves gRPC servers, or prints the routes of services.

A build can run it on generated code, so that an invalid rule is found before a server starts.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from google.protobuf.descriptor import FileDescriptor

from transcoder.app import Transcoder
from transcoder.backends.reflection import UnansweredError
from transcoder.cli.arguments import parse
from transcoder.cli.certificates import channel_credentials, listener_certificates
from transcoder.cli.errors import MisusedError
from transcoder.cli.options import Options, read_options
from transcoder.descriptor_sets import read_set, services_in
from transcoder.errors import SchemaError
from transcoder.gateway import Server, asked, serve
from transcoder.options import OpenApi

INVALID: Final = 1
MISUSED: Final = 2

_NOWHERE: Final = "dns:///no.server.invalid:1"
"""The server of services whose routes are only printed; nothing calls it."""
_HEAD: Final = ("HTTP", "PATH", "METHOD", "SERVED AS")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status.

    It is 1 if a rule is invalid, or what the network is asked for fails; 2 if an argument does not
    fit.
    """
    try:
        given = parse(arguments)
        options = read_options(vars(given), os.environ)
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  as `python -m` has it
        return _run(given, options)
    except MisusedError as error:
        sys.stderr.write(f"error: {error}\n")
        return MISUSED
    except (SchemaError, UnansweredError) as error:
        sys.stderr.write(f"error: {error}\n")
        return INVALID


def _run(given: argparse.Namespace, options: Options) -> int:
    targets = [each for each in given.sources if ":" in each]
    files = [_file_of(name) for name in given.sources if name not in targets]
    if options.descriptor_set:
        files += read_set(options.descriptor_set)
    if len(targets) > 1:
        both = " and ".join(targets)
        raise MisusedError(f"expected one server, got {both}: name services of others by --route")
    if not (targets or files or options.route):
        expected = "expected a server, as localhost:50051, or generated code, as library_pb2"
        raise MisusedError(f"{expected}; --help lists all options")
    servers = _servers(targets, files, options)
    if options.listen and not (given.routes or given.check):
        return _serve(servers, options)
    if files and not targets:
        servers += _servers([_NOWHERE], files, options)[-1:]
    lines = _routes(servers, options)
    if not given.check:
        _print([_HEAD, *lines])
    return 0


def _servers(
    targets: Sequence[str], files: Sequence[FileDescriptor], options: Options
) -> list[Server]:
    """Returns the servers, each with the services it has.

    A server whose services no file declares is asked for them.
    """
    declared = list(services_in(files))
    by_target: dict[str, list[str]] = {}
    for service, target in options.route:
        by_target.setdefault(target, []).append(service)
    servers = []
    for target, services in by_target.items():
        known = [each for each in services if each in declared]
        asked = [each for each in services if each not in declared]
        servers += [Server(target, known, files)] if known else []
        servers += [Server(target, asked, ())] if asked else []
    if targets:
        routed = {each.service for each in options.route}
        rest = [each for each in declared if each not in routed]
        servers.append(Server(targets[0], rest, files if rest else ()))
    return servers


def _serve(servers: Sequence[Server], options: Options) -> int:
    if not servers:
        raise MisusedError("--listen: expected the address of a server too, as localhost:50051")
    certificates = listener_certificates(options)
    try:
        serve(_transcoder(servers, options), options.listen, certificates)
    except OSError as error:
        sys.stderr.write(f"error: --listen {options.listen}: {error.strerror or error}\n")
        return INVALID
    return 0


def _transcoder(servers: Sequence[Server], options: Options) -> Transcoder:
    """Returns a transcoder in front of servers.

    Raises:
        SchemaError: a service of theirs cannot be served.
    """
    document = OpenApi(
        title=options.openapi_title,
        version=options.openapi_version,
        descriptor_set=options.descriptor_set or b"",
    )
    transcoder = Transcoder(
        service_config=options.service_config or None,
        json=options.json,
        strict=options.strict,
        cors_origins=options.cors_origins,
        trusted_proxies=options.trusted_proxies,
        openapi=document if options.openapi else None,
        limits=options.limits,
    )
    credentials = channel_credentials(options)
    for server in servers:
        transcoder.forward(
            server.target,
            credentials=credentials,
            files=server.files,
            services=server.services,
            prefix=options.prefix,
            keepalive_s=options.server_keepalive_s,
        )
    return transcoder


def _file_of(name: str) -> FileDescriptor:
    """Returns the descriptor of generated code.

    Raises:
        MisusedError: there is no such module, or it has no services.
    """
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name != name:
            raise MisusedError(
                f"module {name}: it needs {error.name}, which cannot be found"
            ) from None
        raise MisusedError(f"module {name}: not found here or among installed packages") from None
    descriptor = getattr(module, "DESCRIPTOR", None)
    if not isinstance(descriptor, FileDescriptor) or not descriptor.services_by_name:
        raise MisusedError(f"module {name}: expected generated code with a service, as library_pb2")
    return descriptor


def _routes(servers: Sequence[Server], options: Options) -> list[tuple[str, str, str, str]]:
    """Returns a line for each route, by path.

    Raises:
        SchemaError: lists what is wrong with the rules of a service.
        UnansweredError: a server does not tell its services.
    """
    credentials = channel_credentials(options)
    named = {each.service for each in options.route}
    known = [
        server if server.files else asked(server, credentials, not_of=named) for server in servers
    ]
    transcoder = _transcoder([each for each in known if each.services], options)
    return [
        (route.verb, route.path, route.method[1:].replace("/", "."), ", ".join(route.forms))
        for route in transcoder.routes()
    ]


def _print(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        sys.stdout.write(f"{'  '.join(padded).rstrip()}\n")
