"""Contents are resealed part by part: what stops in the middle goes on where it was."""

from collections.abc import Sequence

import pytest

from server.domain.sealed import Place, Sealed
from server.sealing.keys import SecretKey
from server.sealing.sealer import CannotOpen, Sealer
from server.sealing.stored import CONTENTS_AT_ONCE, faults_of, reseal
from server.store.engine import StoredContent

OLD, NEW, LOST = (SecretKey.of(bytes([number]) * 32) for number in (1, 2, 3))
BOTH = Sealer([NEW, OLD])
COUNT = 2 * CONTENTS_AT_ONCE + 5


class Killed(Exception):
    """Stands for the end of the process."""


class Contents:
    """Holds contents in memory; `replace` ends the process before its turn `killed_at`."""

    def __init__(self, sealer: Sealer, *, killed_at: int = -1) -> None:
        places = (Place("o", "secret", f"K{number:03}") for number in range(COUNT))
        self.held = {place.id: sealer.seal(place, place.name.encode()) for place in places}
        self.killed_at = killed_at

    def contents(self, after: str, limit: int) -> Sequence[StoredContent]:
        return sorted(item for item in self.held.items() if item[0] > after)[:limit]

    def replace(self, contents: Sequence[tuple[StoredContent, Sealed]]) -> None:
        if self.killed_at == 0:
            raise Killed
        self.killed_at -= 1
        for (id_, old), new in contents:
            assert self.held[id_] == old
            self.held[id_] = new

    def opened_by(self, key: SecretKey) -> int:
        """Returns how many open by the key alone, with their values."""
        sealer, count = Sealer([key]), 0
        for id_, sealed in self.held.items():
            place = Place.of(id_)
            if sealed.key_id == key.id:
                assert sealer.open(place, sealed) == place.name.encode()
                count += 1
        return count


def unheard(_done: int, _total: int) -> None: ...


@pytest.mark.parametrize("killed_at", [0, 1, 2])
def test_a_rotation_that_is_killed_goes_on_and_every_value_opens(killed_at: int) -> None:
    contents = Contents(Sealer([OLD]), killed_at=killed_at)
    with pytest.raises(Killed):
        reseal(contents, BOTH, unheard)
    done = killed_at * CONTENTS_AT_ONCE
    assert (contents.opened_by(NEW), contents.opened_by(OLD)) == (done, COUNT - done)
    contents.killed_at = -1
    assert reseal(contents, BOTH, unheard) == COUNT - done
    assert contents.opened_by(NEW) == COUNT
    assert reseal(contents, BOTH, unheard) == 0


def test_a_content_that_does_not_open_stops_the_rotation_and_is_found() -> None:
    contents = Contents(Sealer([OLD]))
    place = Place("o", "secret", "K150")
    contents.held[place.id] = Sealer([LOST]).seal(place, b"K150")
    fault = f"o:secret:K150: sealed by the key {LOST.id}, which is not given"
    with pytest.raises(CannotOpen, match=fault):
        reseal(contents, BOTH, unheard)
    assert [*faults_of(contents, BOTH)] == [fault]
