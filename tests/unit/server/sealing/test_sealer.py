"""A sealed value opens by its key, in its place, as long as nothing of it is changed."""

import pytest

from server.domain.sealed import Place, Sealed
from server.sealing.keys import SecretKey
from server.sealing.sealer import CannotOpen, Sealer
from tests.support.tables import cases

OLD, NEW = SecretKey.of(b"\x01" * 32), SecretKey.of(b"\x02" * 32)
PLACE = Place("org", "secret", "KEY")
VALUE = b"correct horse battery staple"
SEALER = Sealer([NEW, OLD])


@cases(
    "value", {"text": VALUE, "empty": b"", "long": b"x" * 16384, "any octets": bytes(range(256))}
)
def test_a_value_is_read_back(value: bytes) -> None:
    sealed = SEALER.seal(PLACE, value)
    assert SEALER.open(PLACE, sealed) == value
    assert sealed.key_id == NEW.id
    assert len(sealed.content) == len(value) + 28


def test_a_value_that_is_sealed_twice_looks_different() -> None:
    assert SEALER.seal(PLACE, VALUE).content != SEALER.seal(PLACE, VALUE).content


def test_a_value_of_an_older_key_opens() -> None:
    assert SEALER.open(PLACE, Sealer([OLD]).seal(PLACE, VALUE)) == VALUE


@cases(
    "place",
    {
        "another organisation": Place("gro", "secret", "KEY"),
        "another purpose": Place("org", "signing", "KEY"),
        "another name": Place("org", "secret", "KEZ"),
        "the instance": Place("", "secret", "KEY"),
    },
)
def test_a_value_opens_in_no_other_place(place: Place) -> None:
    with pytest.raises(CannotOpen) as caught:
        SEALER.open(place, SEALER.seal(PLACE, VALUE))
    assert str(caught.value) == f"{place.id}: changed, or moved from another place"


def test_a_changed_content_does_not_open_whichever_bit_is_changed() -> None:
    sealed = SEALER.seal(PLACE, VALUE)
    for index in range(len(sealed.content)):
        changed = bytearray(sealed.content)
        changed[index] ^= 1
        with pytest.raises(CannotOpen):
            SEALER.open(PLACE, Sealed(sealed.key_id, bytes(changed)))


@pytest.mark.parametrize("length", [0, 5, 12, 20, 27])
def test_a_content_that_is_cut_does_not_open(length: int) -> None:
    sealed = SEALER.seal(PLACE, VALUE)
    with pytest.raises(CannotOpen):
        SEALER.open(PLACE, Sealed(sealed.key_id, sealed.content[:length]))


def test_a_value_of_a_key_that_is_not_given_names_it() -> None:
    with pytest.raises(CannotOpen) as caught:
        Sealer([NEW]).open(PLACE, Sealer([OLD]).seal(PLACE, VALUE))
    said = "org:secret:KEY: sealed by the key {}, which is not given"
    assert str(caught.value) == said.format(OLD.id)


def test_ids_of_places_are_read_back() -> None:
    place = Place("1", "signing", "a:b")
    assert Place.of(place.id) == place
