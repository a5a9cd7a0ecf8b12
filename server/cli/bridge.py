"""Runs `bridge`: targets, which a ZITADEL calls, also while the service runs.

Rule: signing keys and credentials come by standard input, and are never shown.
"""

import sys
from typing import Final

import click

from server.cli.encryption_keys import key_commands
from server.cli.failures import Misused
from server.cli.performing import AS_JSON, created, ended, keyed, listed, perform, stored

_KEY_MAX_CHARS: Final = 200
_CREDENTIAL_MAX_CHARS: Final = 16_384


def _pairs(_context: click.Context, _option: click.Parameter, pairs: tuple[str, ...]) -> object:
    """Parses "THEIRS=OURS" to organisations here by those there."""
    orgs: dict[str, str] = {}
    for pair in pairs:
        theirs, separator, ours = pair.partition("=")
        if not separator or not theirs:
            raise click.BadParameter(f"expected THEIRS=OURS, two ids, got {pair[:40]!r}")
        orgs[theirs] = ours
    return orgs


ORGS: Final = click.option(
    "--org",
    "orgs",
    multiple=True,
    callback=_pairs,
    metavar="THEIRS=OURS",
    help="Run the actions of OURS for users of the organisation THEIRS in ZITADEL; repeatable.",
)
TIMEOUT: Final = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.001, 270),
    metavar="SECONDS",
    help="Time limit of the target in ZITADEL.",
)
_PAYLOAD: Final = click.option(
    "--payload",
    type=click.Choice(("json", "jwt", "jwe")),
    help="Form of the payloads, the payloadType of the target in ZITADEL.",
)
_ISSUER: Final = click.option(
    "--issuer",
    metavar="URL",
    help="The ZITADEL whose keys sign payloads; needed for jwt and jwe.",
)


@click.group("bridge", short_help="Run actions at the logins of a ZITADEL.")
def bridge_commands() -> None:
    """Serve a ZITADEL: run actions at its logins, as a target of its Actions v2."""


@bridge_commands.group("target")
def target_commands() -> None:
    """Manage targets, which a ZITADEL calls."""


target_commands.add_command(key_commands)


@target_commands.command(
    "create",
    short_help="Create a target.",
    epilog="Example: python -m server bridge target create production --org 100=200",
)
@click.argument("name")
@ORGS
@TIMEOUT
@_PAYLOAD
@_ISSUER
@click.option("--ignore-failures", is_flag=True, help="Let logins go on without a run that failed.")
@AS_JSON
@keyed
@stored
def target_create(
    name: str,
    orgs: dict[str, str],
    timeout_s: float | None,
    payload: str | None,
    issuer: str | None,
    ignore_failures: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Create a target called NAME, and show its path.

    Make a target with this path in ZITADEL, then give its signing key to `bridge target key`.
    """
    from actions.v1 import bridge_pb2 as pb

    request = pb.CreateTargetRequest(
        name=name, orgs=orgs, ignores_failures=ignore_failures, issuer=issuer or ""
    )
    if payload is not None:
        request.payload_type = pb.PayloadType.Value(f"PAYLOAD_TYPE_{payload.upper()}")
    if timeout_s is not None:
        request.timeout.FromMilliseconds(int(timeout_s * 1000))
    created(request, as_json, flags)


@target_commands.command(
    "update",
    short_help="Change a target.",
    epilog="Example: python -m server bridge target update 381029384756019283 --org 101=201",
)
@click.argument("target_id")
@ORGS
@TIMEOUT
@_PAYLOAD
@_ISSUER
@click.option(
    "--ignore-failures/--fail",
    default=None,
    help="Let logins go on without a run that failed, or fail, too.",
)
@AS_JSON
@keyed
@stored
def target_update(
    target_id: str,
    orgs: dict[str, str],
    timeout_s: float | None,
    payload: str | None,
    issuer: str | None,
    ignore_failures: bool | None,
    as_json: bool,
    **flags: object,
) -> None:
    """Change what is given of TARGET_ID; the rest stays. `--org THEIRS=` unbinds."""
    from actions.v1 import bridge_pb2 as pb

    request = pb.UpdateTargetRequest(
        target_id=target_id, orgs=orgs, ignores_failures=ignore_failures, issuer=issuer
    )
    if payload is not None:
        request.payload_type = pb.PayloadType.Value(f"PAYLOAD_TYPE_{payload.upper()}")
    if timeout_s is not None:
        request.timeout.FromMilliseconds(int(timeout_s * 1000))
    created(request, as_json, flags)


@target_commands.command(
    "key",
    short_help="Set the signing key of a target.",
    epilog="Example: python -m server bridge target key 381029384756019283 < signing-key",
)
@click.argument("target_id")
@AS_JSON
@keyed
@stored
def target_key(target_id: str, as_json: bool, **flags: object) -> None:
    """Set the signing key of TARGET_ID, one line of standard input, in place of an earlier one."""
    from actions.v1 import bridge_pb2 as pb

    key = sys.stdin.read(_KEY_MAX_CHARS + 2).strip()
    if not 0 < len(key) <= _KEY_MAX_CHARS or len(key.split()) != 1:
        raise Misused(
            f"standard input: expected a signing key, one word of at most {_KEY_MAX_CHARS} "
            f"characters, got {len(key)} characters"
        )
    created(pb.UpdateTargetRequest(target_id=target_id, signing_key=key), as_json, flags)


@target_commands.command(
    "account",
    short_help="Set the service account of a target.",
    epilog="Example: python -m server bridge target account 381029384756019283 "
    "--issuer https://zitadel.example < key.json",
)
@click.argument("target_id")
@click.option("--issuer", default="", metavar="URL", help="The ZITADEL, which calls the target.")
@click.option("--drop", is_flag=True, help="Use no account any more.")
@AS_JSON
@keyed
@stored
def target_account(target_id: str, issuer: str, drop: bool, as_json: bool, **flags: object) -> None:
    """Set the service account of TARGET_ID, by which metadata is read from its ZITADEL.

    Standard input has the file of a machine key, or a personal access token.
    """
    from actions.v1 import bridge_pb2 as pb

    if drop == bool(issuer):
        raise Misused("expected --issuer URL, or --drop")
    request = pb.UpdateTargetRequest(target_id=target_id)
    if drop:
        request.drops_account = True
    else:
        credential = sys.stdin.read(_CREDENTIAL_MAX_CHARS + 1)
        if not credential.strip() or len(credential) > _CREDENTIAL_MAX_CHARS:
            raise Misused(
                "standard input: expected a key file (JSON) or a token of at most "
                f"{_CREDENTIAL_MAX_CHARS} characters, got {len(credential)} characters"
            )
        request.account.issuer, request.account.credential = issuer, credential
    created(request, as_json, flags)


@target_commands.command("list", epilog="Example: python -m server bridge target list")
@AS_JSON
@keyed
@stored
def target_list(as_json: bool, **flags: object) -> None:
    """List targets, without their signing keys."""
    from actions.v1 import bridge_pb2 as pb

    columns = (
        "id",
        "name",
        "path",
        "signing_key",
        "timeout",
        "ignores_failures",
        "account",
        "orgs",
    )
    listed(pb.ListTargetsRequest(), as_json, flags, *columns)


@target_commands.command(
    "delete", epilog="Example: python -m server bridge target delete 381029384756019283"
)
@click.argument("target_id")
@AS_JSON
@keyed
@stored
def target_delete(target_id: str, as_json: bool, **flags: object) -> None:
    """Delete TARGET_ID; its calls are refused from now on."""
    from actions.v1 import bridge_pb2 as pb

    perform(pb.DeleteTargetRequest(target_id=target_id), flags)
    ended("deleted target", target_id, as_json)
