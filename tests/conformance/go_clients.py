"""Runs clients in Go against the service: the snippet of docs/clients.md, and grpc-go by TLS, too.

grpc-go is tests/conformance/go/life.go, with the messages that zitadel-go has. By service_user.go
zitadel-go gets its tokens itself. The versions of all that they need are in
tests/conformance/go/go.mod. By actions.go zitadel-go makes targets at the stand-in for a ZITADEL
that tests of `bridge connect` stand on, whose answers are then held to the messages of zitadel-go.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from tests.conformance.clients_page import ClientFailed, printed_program, require_activation
from tests.support.action_service import ActionMessages, CheckedActions, action_service
from tests.support.certificates import Authority
from tests.support.golang import GoFolder
from tests.support.processes import ROOT
from tests.support.real_server import ONE_PORT, RealServer
from tests.support.upstream_api import TOKEN

_SOURCES: Final = Path(__file__).parent / "go"
_RUN_S: Final = 30.0
_LIFE: Final = """\
create ACTION_STATE_ACTIVE
deactivate ACTION_STATE_INACTIVE
reactivate ACTION_STATE_ACTIVE
delete NotFound
"""


_ACTIONS: Final = """\
functions [preuserinfo preaccesstoken presamlresponse]
execution preuserinfo true
target of go true 2.5s https://actions.example/targets/1 PAYLOAD_TYPE_JSON true
renewed true
deleted NotFound
"""


def run() -> None:
    """Builds the programs, and has them read or change actions, at each address of gRPC.

    Raises:
        ClientFailed: one does something else.
        GoError: one cannot be built, or fails.
    """
    folder = GoFolder(ROOT / "build" / "zitadel-go", sources=_SOURCES)
    (folder.path / "main.go").write_text(printed_program("zitadel-go", "go"), encoding="utf-8")
    client = folder.build("client", "main.go")
    life = folder.build("life", "life.go")
    _list_as_service_user(folder, folder.build("service_user", "service_user.go"))
    asyncio.run(_make_targets(folder, folder.build("actions", "actions.go")))
    for options in ((), ONE_PORT):
        _activate(folder, client, options)
        for has_tls in (False, True):
            _live(folder, life, options, has_tls=has_tls)


def _live(folder: GoFolder, program: Path, options: tuple[str, ...], *, has_tls: bool) -> None:
    """Has grpc-go make, change and delete an action, at a service with the options.

    Raises:
        ClientFailed: a state is not what the step before it made.
        GoError: it fails.
    """
    said: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="grpc-go-") as data:
        if has_tls:
            authority = Authority(Path(data))
            options = (*options, *authority.pair().options)
            said["TRUSTED"] = str(authority.path)
        with RealServer(Path(data) / "data", *options) as server:
            said |= {"GRPC_ADDRESS": server.grpc, "TOKEN": server.token}
            done = folder.run([str(program)], said, timeout_s=_RUN_S)
    if done != _LIFE:
        raise ClientFailed(f"grpc-go with {options}: expected {_LIFE!r}, got {done!r}")


def _activate(folder: GoFolder, client: Path, options: tuple[str, ...]) -> None:
    """Has the program make an inactive action active, at a service with the options.

    Raises:
        ClientFailed: it does not.
        GoError: it fails.
    """
    with (
        tempfile.TemporaryDirectory(prefix="zitadel-go-") as data,
        RealServer(Path(data) / "data", *options) as server,
    ):
        host, _, port = server.grpc.rpartition(":")
        said = {"GRPC_HOST": host, "GRPC_PORT": port, "TOKEN": server.token}
        require_activation(
            "zitadel-go",
            server,
            lambda: folder.run([str(client)], said, timeout_s=_RUN_S),
        )


def _list_as_service_user(folder: GoFolder, program: Path) -> None:
    """Has zitadel-go list actions with tokens for a key file, and for a client secret.

    Raises:
        ClientFailed: it lists something else.
        GoError: it fails.
    """
    with tempfile.TemporaryDirectory(prefix="zitadel-go-") as data:
        key_file = Path(data) / "key.json"
        with RealServer(Path(data) / "data", *ONE_PORT) as server:
            server.new_action("greet")
            user_id = server.command("user", "create", "service user")["id"]
            server.command("member", "add", user_id, "ORG_OWNER_VIEWER")
            server.command("key", "create", user_id, "--output", str(key_file))
            secret = server.command("key", "create", user_id, "--type", "client-secret")
            host, _, port = server.http.rpartition(":")
            said = {
                "HOST": host,
                "PORT": port,
                "KEY_FILE": str(key_file),
                "CLIENT_ID": secret["client_id"],
                "CLIENT_SECRET": secret["client_secret"],
            }
            done = folder.run([str(program)], said, timeout_s=_RUN_S)
    if done != "key file greet\nclient secret greet\n":
        raise ClientFailed(f"zitadel-go as a service user printed {done!r}")


async def _make_targets(folder: GoFolder, program: Path) -> None:
    """Has zitadel-go make a target and delete it, at the stand-in for a ZITADEL.

    Raises:
        ClientFailed: it reads something else.
        GoError: it fails.
    """
    actions = CheckedActions()
    encoded = await asyncio.to_thread(folder.run, [str(program)], {"HOST": ""})
    actions.messages = ActionMessages("v2", encoded)
    async with action_service(actions, TOKEN) as address:
        host, _, port = address.rpartition(":")
        said = {"HOST": host, "PORT": port, "TOKEN": TOKEN}
        done = await asyncio.to_thread(folder.run, [str(program)], said, timeout_s=_RUN_S)
    if done != _ACTIONS or actions.targets:
        raise ClientFailed(f"zitadel-go as an administrator of targets printed {done!r}")
