"""Writes by one connection, one transaction at a time: load, decide, write; then commit.

All but the commit is Python that holds the interpreter's lock, so it gains nothing from another
thread, and loses the way there and back. The commit waits for the disk without the lock, in a
thread; so does what waits for other programs (`_waiting`).
Rule: a failure leaves nothing written and its connection thrown away; the next batch opens another,
so writing works again as soon as storage does.
"""

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from server.clock import Clock
from server.domain.action import Action
from server.domain.aggregates import Key, State
from server.domain.flow import Flow
from server.domain.sealed import Sealed
from server.store.engine import AS_USUAL, Opening, Progress, StoredContent
from server.store.files import check, make
from server.store.folder import DataFolder
from server.store.forms import event_row
from server.store.log import Decide, LoadedFacts, Needs, Writes
from server.store.runs import ActionCounts, LoggedRun
from server.store.signing_keys import SigningKey
from server.store.sqlite import action_counts, schema, state_tables
from server.store.sqlite import contents as sealed_contents
from server.store.sqlite import runs as run_log
from server.store.sqlite.connect import (
    BUSY_TIMEOUT_S,
    Access,
    access_to,
    connect,
    errors_of,
    is_busy,
    set_busy_timeout,
)
from server.store.sqlite.damage import check_quickly, check_whole
from server.store.sqlite.position_file import PositionFile, last_position
from server.store.sqlite.presence import Presence
from server.store.sqlite.rebuild import rebuild
from server.store.sqlite.tables import INSERT_EVENTS, MACHINE_IDS, ORGS_OF_ACTIONS, chunks

RECENT_MAX: Final = 1_024
"""Max states kept after they were written; as nobody else writes, a load would find the same."""

RECENT_MAX_CHARS: Final = 8 << 10
"""Max characters of a kept script: all together take 8 MiB, not a gigabyte."""

RECENT_MAX_IDS: Final = RECENT_MAX_CHARS >> 7
"""Max ids of actions in a kept flow: each takes about 128 bytes."""


class Writer:
    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._errors = errors_of(path)
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._presence: Presence | None = None
        self._last_position = PositionFile(path.parent)
        self.access = Access.SHARED
        self.migrations: tuple[str, ...] = ()
        self._recent: dict[Key, State] = {}
        self._position = 0

    def open(self, *, opening: Opening = AS_USUAL) -> None:
        """Makes the database if it is missing (mode 0600), and brings its schema up to date.

        Where nothing can be written, a database that is up to date is opened as `access` says.

        Raises:
            StorageError: it cannot be used, is damaged, or lacks events that it had.
        """
        with self._errors:
            if not check(self._path):
                os.close(make(self._path, os.O_RDWR))
            self.access = access_to(self._path)
            connection = connect(self._path, writes=True, access=self.access)
            try:
                version = schema.version_of(connection, str(self._path))
                look = check_whole if opening.checks_whole and version else check_quickly
                look(connection, self._path)
                self._last_position.require(
                    last_position(connection) if version else 0,
                    database=self._path,
                    accept_loss=opening.accepts_loss,
                )
                now = self._clock()
                applied = schema.bring_up_to_date(connection, path=str(self._path), now=now)
                self.migrations = tuple(applied)
            finally:
                connection.close()
            self._connected()

    def stay_with(self, presence: Presence) -> None:
        """Writes only while these files are where they were."""
        self._presence = presence

    def begin(self) -> sqlite3.Connection | None:
        """Begins a transaction; None, with none begun, while another program is in one."""
        try:
            with self._errors:
                self._require_presence()
                connection = self._connected()
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if is_busy(error):
                        return None
                    raise
        except BaseException:
            self.close()
            raise
        return connection

    def begin_waiting(self) -> sqlite3.Connection:
        """Begins a transaction once no other program is in one; waits `BUSY_TIMEOUT_S` for that."""
        with self._waiting() as connection:
            connection.execute("BEGIN IMMEDIATE")
        return connection

    def write(self, begun: sqlite3.Connection, needs: Needs, decide: Decide) -> Writes:
        """Loads, decides and writes in a transaction that was begun; `commit` must follow."""
        try:
            with self._errors:
                loaded = self._load(begun, needs)
            writes = decide(loaded)
            with self._errors:
                self._write(begun, loaded, writes)
        except BaseException:
            self.close()
            raise
        return writes

    def commit(self, writes: Writes) -> None:
        """Makes the writes durable; takes as long as the disk does."""
        try:
            with self._errors:
                self._connected().execute("COMMIT")
        except BaseException:
            self.close()
            raise
        if writes.events:
            self._remember(writes.states)
            self._position = writes.events[-1].position

    def append_runs(
        self,
        runs: Sequence[LoggedRun],
        counts: Sequence[ActionCounts],
        *,
        since: int,
        max_bytes: int,
    ) -> bool:
        rows_max = run_log.PRUNED_MIN + 2 * len(runs)
        with self._waiting() as connection:
            connection.execute("BEGIN IMMEDIATE")
            run_log.append(connection, runs)
            action_counts.add(connection, counts)
            more = run_log.prune(
                connection, since=since, now=self._clock(), max_bytes=max_bytes, rows_max=rows_max
            )
            connection.execute("COMMIT")
        return more

    def claim_machine_id(self) -> int:
        with self._waiting() as connection:
            connection.execute("UPDATE machine_ids SET last = (last + 1) % ?", (MACHINE_IDS,))
            (claimed,) = connection.execute("SELECT last FROM machine_ids").fetchone()
        return int(claimed)

    def publish_signing_key(self, key: SigningKey, now: int) -> None:
        with self._waiting() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM signing_keys WHERE expires_at < ?", (now,))
            row = (key.id, key.public_key, key.expires_at)
            connection.execute("INSERT INTO signing_keys VALUES (?, ?, ?)", row)
            connection.execute("COMMIT")

    def contents(self, after: str, limit: int) -> Sequence[StoredContent]:
        """Returns contents of sealed values, in order of their ids."""
        with self._waiting() as connection:
            return sealed_contents.read(connection, after, limit)

    def replace(self, contents: Sequence[tuple[StoredContent, Sealed]]) -> None:
        """Replaces contents of sealed values, in one transaction."""
        with self._waiting() as connection:
            sealed_contents.replace(connection, contents)

    def rebuild(self, progress: Progress) -> int:
        """Makes the current states anew from the events; returns how many there are."""
        self._recent.clear()
        with self._waiting() as connection:
            return rebuild(connection, progress)

    def check(self) -> None:
        """Keeps the last position beside the database, if all files are where they were.

        Raises:
            FileGone: one is not.
        """
        if self._presence is not None:
            self._presence.require_each()
        self._last_position.note(self._position)

    def _require_presence(self) -> None:
        if self._presence is not None:
            self._presence.require()

    def close(self) -> None:
        self._recent.clear()
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = connect(self._path, writes=True, access=self.access)
            try:
                set_busy_timeout(connection, 0)
                self._position = last_position(connection)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[sqlite3.Connection]:
        """Yields the connection, which waits for other programs; a failure inside closes it."""
        try:
            with self._errors:
                self._require_presence()
                connection = self._connected()
                set_busy_timeout(connection, BUSY_TIMEOUT_S)
                yield connection
                set_busy_timeout(connection, 0)
        except BaseException:
            self.close()
            raise

    def _load(self, connection: sqlite3.Connection, needs: Needs) -> LoadedFacts:
        recent = self._recent
        states: dict[Key, State | None] = {key: recent.get(key) for key in needs.aggregates}
        unknown = [key for key, state in states.items() if state is None]
        if unknown:
            states.update(state_tables.load_states(connection, unknown))
        if needs.dependants_of:
            states.update(state_tables.load_dependants(connection, needs.dependants_of))
        absent = [key for key in unknown if states[key] is None]
        return LoadedFacts(
            states,
            state_tables.load_sequences(connection, absent) if absent else {},
            state_tables.load_owners(connection, needs.names) if needs.names else {},
            self._position,
            self._clock(),
            _orgs_of_actions(connection, needs.actions) if needs.actions else {},
        )

    def _write(self, connection: sqlite3.Connection, loaded: LoadedFacts, writes: Writes) -> None:
        events = [event_row(event) for event in writes.events]
        state_tables.insert(connection, INSERT_EVENTS, events)
        state_tables.write(connection, loaded.states, writes)
        states = writes.states.items()
        if removed := [id_ for (kind, id_), state in states if state is None and kind == "action"]:
            action_counts.remove(connection, removed)

    def _remember(self, states: Mapping[Key, State | None]) -> None:
        recent = self._recent
        for key, state in states.items():
            recent.pop(key, None)
            if state is not None and not _is_long(state):
                recent[key] = state
        while len(recent) > RECENT_MAX:
            del recent[next(iter(recent))]


@contextlib.contextmanager
def only_writer(folder: Path, name: str, clock: Clock) -> Iterator[Writer]:
    """Claims a data folder, and yields the open writer of its database, made if it is missing.

    Raises:
        DataFolderInUse: another process has the folder.
        StorageError: the database cannot be used.
    """
    claimed = DataFolder.claim(folder)
    writer = Writer(folder / name, clock)
    try:
        writer.open()
        yield writer
    finally:
        writer.close()
        claimed.release()


def _orgs_of_actions(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, str | None]:
    orgs: dict[str, str | None] = dict.fromkeys(ids)
    for some in chunks([*orgs]):
        orgs.update(connection.execute(ORGS_OF_ACTIONS[len(some)], some))
    return orgs


def _is_long(state: State) -> bool:
    if isinstance(state, Flow):
        # What was last set has all that a trigger runs, and what was removed since.
        return sum(len(ids) for _, ids in state.last_set) > RECENT_MAX_IDS
    return isinstance(state, Action) and len(state.script) > RECENT_MAX_CHARS
