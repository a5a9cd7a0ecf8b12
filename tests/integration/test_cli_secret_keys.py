"""secret-key, check and serve with sealed values: the right keys, wrong ones, and none."""

import asyncio
import json
from pathlib import Path

import pytest

from server.commands.orgs import CreateOrg
from server.commands.sealed import SetSealed
from server.domain.sealed import Place
from server.sealing.keys import SecretKey, read_keys
from server.sealing.sealer import Sealer
from server.store.opening import open_store
from tests.contract.stores import commit
from tests.support.commandline import Outcome, Server, run
from tests.support.postgresql import shared_server

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another

OLD, NEW = SecretKey.of(b"\x01" * 32), SecretKey.of(b"\x02" * 32)
OLD_TEXT, NEW_TEXT = "01" * 32, "02" * 32
SECRETS = 205


async def fill(folder: Path, *, database: str = "") -> None:
    """Makes an organisation with more values than one transaction reseals."""
    store = await open_store(folder, database=database)
    await commit(store, CreateOrg("o", "Acme", ""))
    sealer = Sealer([OLD])
    places = [Place("o", "secret", f"KEY{number}") for number in range(SECRETS)]
    await commit(
        store,
        *(SetSealed(place, sealer.seal(place, b"value"), SECRETS, "") for place in places),
    )
    await store.close()


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url = "" if request.param == "SQLite" else asyncio.run(shared_server().new_database())
    asyncio.run(fill(tmp_path / "data", database=url))
    return url


def asked(*command: str, folder: Path, database: str, keys: str = "") -> Outcome:
    environment = {"ACTIONS_DATABASE": database, "ACTIONS_SECRET_KEY": keys}
    return run(*command, folder=folder, environment=environment)


def test_all_values_are_resealed_by_the_first_key(tmp_path: Path, database: str) -> None:
    both = f"{NEW_TEXT},{OLD_TEXT}"
    done = asked("secret-key", "rotate", "--json", folder=tmp_path, database=database, keys=both)
    assert json.loads(done.out) == {"key": NEW.id, "resealed": SECRETS}
    again = asked("secret-key", "rotate", folder=tmp_path, database=database, keys=both)
    assert again.out == f"resealed 0 values; all are sealed by the key {NEW.id}\n"
    checked = asked("check", "--json", folder=tmp_path, database=database, keys=NEW_TEXT)
    assert json.loads(checked.out) == {"faults": []}


def test_check_names_each_value_that_does_not_open(tmp_path: Path, database: str) -> None:
    checked = asked("check", folder=tmp_path, database=database, keys=NEW_TEXT)
    assert checked.status == 1
    lines = checked.out.splitlines()
    assert len(lines) == SECRETS
    assert lines[0] == f"o:secret:KEY0: sealed by the key {OLD.id}, which is not given"
    right = asked("check", "--json", folder=tmp_path, database=database, keys=OLD_TEXT)
    assert json.loads(right.out) == {"faults": []}


def test_a_rotation_without_the_old_key_changes_nothing(tmp_path: Path, database: str) -> None:
    failed = asked("secret-key", "rotate", folder=tmp_path, database=database, keys=NEW_TEXT)
    assert (failed.status, failed.out) == (1, "")
    assert failed.err.splitlines()[-1] == (
        f"error: o:secret:KEY0: sealed by the key {OLD.id}, which is not given"
    )
    none = asked("secret-key", "rotate", folder=tmp_path, database=database)
    assert none.err == "error: expected --secret-key-file or ACTIONS_SECRET_KEY, got no key\n"


def test_a_wrong_key_stops_the_start(tmp_path: Path, database: str) -> None:
    failed = asked(
        *("serve", "--listen", "127.0.0.1:0", "--grpc-listen", "none"),
        folder=tmp_path,
        database=database,
        keys=NEW_TEXT,
    )
    assert failed.status == 1
    assert failed.err.splitlines()[-1] == (
        f"error: stored values are sealed by the key {OLD.id}, got {NEW.id}: "
        "give that key, too, in --secret-key-file or ACTIONS_SECRET_KEY"
    )
    assert NEW_TEXT not in failed.err


def test_a_server_without_a_key_says_so_and_serves(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path / "data"))
    with Server(folder=tmp_path) as server:
        server.stop()
    assert "sealed values cannot be opened, as there is no key" in server.log()
    assert not (tmp_path / "data/secret.key").exists()


def test_a_new_key_is_one_that_the_settings_take(tmp_path: Path) -> None:
    made = run("secret-key", "new", folder=tmp_path)
    assert len(read_keys(made.out)) == 1
    (tmp_path / "key").write_text(made.out)
    (tmp_path / "link").symlink_to(tmp_path / "key")
    checked = run("serve", "--check-config", "--secret-key-file", "link", folder=tmp_path)
    assert 'secret_key_file = "link"  # --secret-key-file' in checked.out


def test_a_key_is_never_printed(tmp_path: Path) -> None:
    shown = run("serve", "--check-config", "--secret-key", OLD_TEXT, folder=tmp_path)
    assert 'secret_key = "(secret)"  # --secret-key' in shown.out
    assert OLD_TEXT not in shown.out + shown.err
    wrong = run("serve", "--secret-key", OLD_TEXT[1:], folder=tmp_path)
    assert wrong.err == (
        "error: --secret-key: expected 32 bytes in base64 or hex, "
        "several separated by commas, got (secret)\n"
    )
