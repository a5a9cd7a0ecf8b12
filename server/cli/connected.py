"""Runs `bridge status|test|disconnect`: what connects a ZITADEL with a target here."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from server.cli import output
from server.cli.both_sides import (
    DRY_RUN,
    FUNCTIONS,
    LOGIN_V2,
    TOKEN_FILE,
    ZITADEL,
    Sides,
    both_sides,
    show,
)
from server.cli.failures import FAILED, Failed
from server.cli.output import OutputRow
from server.cli.performing import AS_JSON, keyed, stored

if TYPE_CHECKING:
    from server.connecting.faults import Found
    from server.connecting.probe import ProbeAnswer


_NONE: Final = "none"


@click.command(
    "status",
    short_help="Say what is wrong between a ZITADEL and this service.",
    epilog="Example: python -m server bridge status https://zitadel.example --token-file token",
)
@ZITADEL
@TOKEN_FILE
@FUNCTIONS
@LOGIN_V2
@AS_JSON
@keyed
@stored
def status(
    zitadel: str,
    token_file: Path,
    functions: tuple[str, ...],
    has_login_v2: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Compare both sides, call the target through its public URL, and say what is wrong.

    Changes nothing. Exits with 1 if something is wrong.
    """
    import asyncio

    async def compared() -> list[str]:
        async with both_sides(zitadel, token_file, flags) as sides:
            return await _status(sides, functions, as_json, has_login_v2=has_login_v2)

    if asyncio.run(compared()):
        click.get_current_context().exit(FAILED)


async def _status(
    sides: Sides, functions: tuple[str, ...], as_json: bool, *, has_login_v2: bool
) -> list[str]:
    """Shows the state, and returns what is wrong."""
    from server.connecting.by_hand import active_there
    from server.connecting.conditions import conditions_of
    from server.connecting.faults import Found, faults_of

    connection = sides.connection
    link, there = await connection.read(sides.name)
    found = Found(
        link=link,
        there=there,
        conditions=conditions_of(functions, there, has_login_v2=has_login_v2),
        orgs_here=await connection.orgs_here(),
        orgs_there=await sides.zitadel.org_ids(),
        answer=None if link.there is None else await connection.tried(link.there),
    )
    wrong = faults_of(found)
    if link.here is not None and link.there is not None:
        known = link.here.orgs.keys() & found.orgs_there
        wrong += await active_there(sides.zitadel, known, found.conditions)
    if as_json:
        output.as_json({**_state(found), "wrong": wrong})
    else:
        output.record(_state(found))
        show("wrong", wrong)
        if not wrong:
            click.echo("nothing is wrong")
    return wrong


def _state(found: "Found") -> OutputRow:
    here, there = found.link.here, found.link.there
    answer = found.answer
    return {
        "here": _NONE if here is None else here.id,
        "there": _NONE if there is None else there.id,
        "endpoint": _NONE if there is None else there.endpoint,
        "organisations": 0 if here is None else len(here.orgs),
        "call": "not tried" if answer is None else answer.fault or "proved",
    }


@click.command(
    "test",
    short_help="Call each target as a ZITADEL does.",
    epilog="Example: python -m server bridge test https://zitadel.example --token-file token",
)
@ZITADEL
@TOKEN_FILE
@click.option(
    "--org",
    "org_ids",
    multiple=True,
    metavar="ID",
    help="Only users of this organisation in ZITADEL; repeatable.  [default: all that are bound]",
)
@AS_JSON
@keyed
@stored
def try_targets(
    zitadel: str, token_file: Path, org_ids: tuple[str, ...], as_json: bool, **flags: object
) -> None:
    """Call each target here that the ZITADEL calls, through its public URL, with its signing key.

    Says if the call is proved, whose actions run for users of each organisation, which, and if the
    target's service account may read metadata there. Runs none, and changes nothing. Exits with 1
    if a call fails, an organisation is not bound, or its metadata cannot be read.
    """
    import asyncio

    async def called() -> bool:
        async with both_sides(zitadel, token_file, flags) as sides:
            return await _test(sides, org_ids, as_json)

    if not asyncio.run(called()):
        click.get_current_context().exit(FAILED)


async def _test(sides: Sides, org_ids: tuple[str, ...], as_json: bool) -> bool:
    """Shows the answers; returns True if all are as they should be."""
    links = await sides.connection.links()
    if not links:
        raise Failed("no target here is called by this ZITADEL: run bridge connect")
    rows: list[OutputRow] = []
    are_fine = True
    for here, there in links:
        for org_id in dict.fromkeys(org_ids or sorted(here.orgs)) or [""]:
            answer = await sides.connection.tried(there, org_id)
            rows.append(_row(here.id, org_id, answer))
            are_fine &= answer is None or answer.is_fine
    if as_json:
        output.as_json(rows)
    else:
        output.table(rows, *rows[0])
    return are_fine


def _row(target_id: str, org_id: str, answer: "ProbeAnswer | None") -> OutputRow:
    """Returns what a call for users of an organisation was answered."""
    row: OutputRow = {"target": target_id, "organisation": org_id or _NONE}
    if answer is None:
        return {
            **row,
            "call": "not tried: its key is not shown",
            "organisation_here": "",
            "actions": [],
            "metadata": "",
        }
    actions = [f"{at}: {' '.join(names)}" for at, names in answer.actions.items()]
    here = answer.org_id or _NONE
    call = answer.fault or "proved"
    metadata = "" if answer.fault else answer.metadata
    return {
        **row,
        "call": call,
        "organisation_here": here,
        "actions": actions,
        "metadata": metadata,
    }


@click.command(
    "disconnect",
    short_help="Have a ZITADEL run no actions here any more.",
    epilog="Example: python -m server bridge disconnect https://zitadel.example --token-file token",
)
@ZITADEL
@TOKEN_FILE
@DRY_RUN
@AS_JSON
@keyed
@stored
def disconnect(
    zitadel: str, token_file: Path, dry_run: bool, as_json: bool, **flags: object
) -> None:
    """Take out what `bridge connect` made, on both sides.

    Takes the target out of ZITADEL's executions, where those of others keep their places, then
    deletes it there and here. Shows the plan first. Actions and organisations here stay.
    """
    import asyncio

    async def disconnected() -> None:
        async with both_sides(zitadel, token_file, flags) as sides:
            await _disconnect(sides, as_json, is_dry=dry_run)

    asyncio.run(disconnected())


async def _disconnect(sides: Sides, as_json: bool, *, is_dry: bool) -> None:
    from server.connecting.removal import removal_of

    removal = removal_of(*await sides.connection.read(sides.name))
    if not as_json:
        show("plan", removal.lines or ["nothing to change"])
    if not is_dry:
        await sides.connection.disconnect(removal)
    result = "dry run" if is_dry else "disconnected" if removal.lines else "unchanged"
    if as_json:
        output.as_json({"result": result, "changes": [*removal.lines]})
    elif result == "disconnected":
        click.echo("disconnected; reactivate in ZITADEL what it is to run itself")
