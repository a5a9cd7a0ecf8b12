"""Parses the arguments of the command `transcoder`, and makes its `--help`.

Rule: values of options are texts here; `options` reads them.
"""

import argparse
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NoReturn

from transcoder.cli.errors import MisusedError
from transcoder.cli.options import ACTION, GROUPS, OPTIONS, SERVICES, Option

DISTRIBUTION: Final = "grpc-transcoder"
_WIDTH: Final = 100
_EXAMPLES: Final = """\
examples:
  transcoder localhost:50051 --listen 127.0.0.1:8080
  transcoder localhost:50051 --route shop.v1.Shop=localhost:50052 --listen :8443 \\
    --tls-cert server.pem --tls-key server.key
  transcoder library_pb2 --prefix /v1 --service-config routes.yaml

An option with a value is a variable, too: TRANSCODER_TLS_CERT for --tls-cert; so is a switch, with
true or false. A flag wins. SIGTERM and SIGINT let calls in flight end, a second one ends them.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise MisusedError(f"{message}; --help lists all options")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Returns what is given: `sources`, `routes`, `check`, and options by their names.

    Raises:
        MisusedError: there is no such option, or it lacks its value.
    """
    return parser().parse_args(arguments)


def parser() -> argparse.ArgumentParser:
    """Returns the arguments of the command, with their texts."""
    made = _Parser(
        prog="transcoder",
        usage="transcoder [SERVER] [MODULE ...] [options]",
        description="Serve gRPC servers as JSON, gRPC-Web, Connect and WebSocket;\n"
        "or print the routes of services, or all that is wrong with their rules.",
        epilog=_EXAMPLES,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=_WIDTH),
        allow_abbrev=False,
    )
    groups = {name: made.add_argument_group(name) for name in GROUPS}
    groups[SERVICES].add_argument(
        "sources",
        nargs="*",
        metavar="SERVER|MODULE",
        help="a gRPC server, as localhost:50051 or dns:///shop:50051, which is asked by reflection "
        "for its services; or generated code with them, as library_pb2; or both",
    )
    action = groups[ACTION].add_mutually_exclusive_group()
    for option in OPTIONS:
        _add(action if option.group == ACTION else groups[option.group], option)
    action.add_argument("--routes", action="store_true", help="print the routes: the default")
    action.add_argument("--check", action="store_true", help="print nothing but errors")
    made.add_argument("--version", action="version", version=f"{DISTRIBUTION} {_version()}")
    return made


def _add(group: argparse._ArgumentGroup, option: Option) -> None:
    text = option.meaning.replace("%", "%%")
    if not option.kind.metavar:
        default = "on" if option.default else "off"
        group.add_argument(
            option.flag,
            action=argparse.BooleanOptionalAction,
            default=None,
            help=f"{text} (default: {default})",
        )
        return
    if option.default not in ("", ()):
        text += f" (default: {option.default})"
    is_repeated = option.name == "route"
    group.add_argument(
        option.flag,
        dest=option.name,
        metavar=option.kind.metavar,
        action="append" if is_repeated else "store",
        help=text,
    )


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "of a checkout, not installed"
