"""Runs `call`: calls a method over JSON, gRPC or gRPC-Web, as any client does."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from server.cli import output
from server.cli.failures import FAILED, Failed, Misused
from server.cli.owner_file import REMEDY
from server.cli.settings import CALLER_TOKEN, CONFIG, DATA_DIR, settings
from server.config import NO_ADDRESS, OWNER_TOKEN_FILE, Address, Config, SocketPath, listening

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message

    from server.cli.client import Tls

NOTICE_MAX_CHARS: Final = 200
"""Max characters shown of a file that has no token."""

TIMEOUT_MIN_S: Final = 0.001
TIMEOUT_MAX_S: Final = 86400
"""Bounds of the timeout of a call, in seconds."""

PROTOCOL_NAMES: Final = ("json", "grpc", "grpc-web")

_EPILOG: Final = """
\b
Examples:
  python -m server call ListActions
  python -m server call ReactivateAction '{"id":"381029384756019283"}' --protocol grpc-web
  python -m server call RunTrigger '{"flowType":"2","triggerType":"4","context":{}}'
"""


def _seconds(_context: click.Context, _option: click.Parameter, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not TIMEOUT_MIN_S <= seconds <= TIMEOUT_MAX_S:
        raise click.BadParameter(
            f"expected seconds from {TIMEOUT_MIN_S} to {TIMEOUT_MAX_S}, got {text[:40]!r}"
        )
    return seconds


@click.command(epilog=_EPILOG, short_help="Call a method over JSON, gRPC or gRPC-Web.")
@click.argument("method")
@click.argument("message", default="{}", metavar="[JSON]")
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOL_NAMES),
    default="json",
    show_default=True,
    help="Protocol of the call.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Address of the service, or unix:PATH; where serve listens, if not given.",
)
@click.option("--tls", "is_tls", is_flag=True, help="Call over TLS, as where serve has TLS.")
@click.option(
    "--ca",
    metavar="FILE",
    help="Certificates to trust, in PEM, in place of the system's; implies --tls.",
)
@click.option(
    "--cert",
    metavar="FILE",
    help="Certificate of the caller, in PEM, where the service asks for one; implies --tls.",
)
@click.option("--key", metavar="FILE", help="Its private key, if that is in another file.")
@CALLER_TOKEN
@click.option(
    "--org", metavar="ID", help="Organisation of the call; the caller's own, if not given."
)
@click.option(
    "--timeout",
    "timeout_s",
    callback=_seconds,
    default="10",
    show_default=True,
    metavar="SECONDS",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as it always does.")
@DATA_DIR
@CONFIG
def call(
    method: str,
    message: str,
    protocol: str,
    address: str | None,
    is_tls: bool,
    ca: str | None,
    cert: str | None,
    key: str | None,
    token: str | None,
    org: str | None,
    timeout_s: float,
    as_json: bool,  # noqa: ARG001  scripts may pass it to every command
    **flags: object,
) -> None:
    """Call METHOD with the message JSON ("-" reads it from standard input).

    Print the answer as JSON. A call that fails prints its google.rpc.Status and exits 1.
    """
    from google.protobuf.message import DecodeError

    from server.cli import client

    config = settings(flags).config
    descriptor = _method(method)
    at = _address(address, config, protocol)
    file = config.data_dir / OWNER_TOKEN_FILE if token is None else None
    sent = _owner_token(file) if file is not None else token or ""
    request = client.ClientCall(
        at,
        descriptor,
        _message(descriptor, message),
        _headers(sent, org),
        timeout_s,
        _tls(is_tls or (address is None and bool(config.tls_cert)), ca, cert, key),
    )
    try:
        output.as_json(client.PROTOCOLS[protocol](request))
    except client.CallFailed as failed:
        output.as_json(failed.status)
        if file is not None and sent and failed.is_unauthenticated:
            remedy = REMEDY.format(user_id="USER_ID")
            click.echo(f"the token in {file} was revoked or has expired: {remedy}", err=True)
        raise click.exceptions.Exit(FAILED) from failed
    except OSError as error:
        raise Failed(f"{at}: {error.strerror or error}") from error
    except (ValueError, DecodeError) as error:
        raise Failed(f"{at}: expected an answer over {protocol}, got something else") from error


def _method(name: str) -> "MethodDescriptor":
    from server.cli.client import METHODS

    if name not in METHODS:
        raise Misused(f"unknown method {name[:40]!r}: expected one of {', '.join(METHODS)}")
    return METHODS[name]


def _message(method: "MethodDescriptor", text: str) -> "Message":
    from google.protobuf import json_format
    from google.protobuf.message_factory import GetMessageClass

    if text == "-":
        text = sys.stdin.buffer.read().decode(errors="surrogateescape")
    wanted = f"expected a {method.input_type.name} as JSON"
    if text.lstrip()[:1] != "{":  # json_format takes [] for {}
        raise Misused(f"{wanted}: expected an object, got {text[:40]!r}")
    message_type = GetMessageClass(method.input_type)
    try:
        message = json_format.Parse(text, message_type())
        json_format.MessageToDict(message)  # raises for NaN in a Struct, which Parse accepts
        return message
    except (json_format.Error, RecursionError):
        try:
            return _decode_as_service(message_type, text)
        except ValueError as error:
            raise Misused(f"{wanted}: {error}") from error


def _decode_as_service(message_type: "type[Message]", text: str) -> "Message":
    """Parses JSON that json_format refuses, as the service does.

    Raises:
        ValueError: the JSON is invalid; the text is the one that the service would answer.
    """
    from transcoder.codec.codec import Codec
    from transcoder.errors import TranscodeError

    try:
        return Codec(strict=True).decode(message_type, text.encode(errors="surrogateescape"))
    except TranscodeError as error:
        raise ValueError(error.message) from error


def _address(given: str | None, config: Config, protocol: str) -> Address | SocketPath:
    try:
        has_own = protocol == "grpc" and config.grpc_listen != NO_ADDRESS
        configured = config.grpc_listen if has_own else config.listen
        return listening(configured if given is None else given).reachable
    except ValueError:
        raise Misused(f"--address: expected host:port or unix:path, got {given!r}") from None


def _tls(
    is_wanted: bool, authorities: str | None, certificate: str | None, key: str | None
) -> "Tls | None":
    """Returns whom to trust and who calls; None for a call without TLS."""
    from server.cli.client import Tls

    if key and not certificate:
        raise Misused("--key: expected --cert to be given, too")
    if not (is_wanted or authorities or certificate):
        return None
    return Tls(_readable(authorities), _readable(certificate), _readable(key))


def _readable(file: str | None) -> Path | None:
    if not file:
        return None
    try:
        with Path(file).open("rb"):
            return Path(file)
    except OSError as error:
        raise Failed(f"cannot read {file}: {error.strerror}") from error


def _headers(token: str, org: str | None) -> dict[str, str]:
    headers = {}
    if token:
        headers["authorization"] = _header("--token", f"Bearer {token}")
    if org:
        headers["x-zitadel-orgid"] = _header("--org", org)
    return headers


def _owner_token(path: Path) -> str:
    """Returns the token in the file; empty if there is no file: then the call has no token."""
    try:
        text = path.read_text("ascii").strip()
        if len(text.split()) > 1:
            raise Failed(f"{path}: {text[:NOTICE_MAX_CHARS]}; give --token")
        return text
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        why = error.strerror
    except UnicodeDecodeError:
        why = "not ASCII"
    raise Failed(f"cannot read {path}: {why}; give --token, or --token '' to call without one")


def _header(option: str, value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise Misused(f"{option}: expected printable ASCII")
    return value
