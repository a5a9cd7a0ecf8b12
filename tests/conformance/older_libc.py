"""The suite's runner, for systems older than the one that it was built on.

The binary asks for glibc 2.38 and libstdc++ 3.4.32, and needs nothing of theirs: of glibc it names
`strtol` and its kin by the names that they have for C23, of libstdc++ a marker that is never
called. Here a copy is made that names what every system has: the functions by their older names,
the marker as one that may be missing.
Follows the ELF specification and its GNU extension, symbol versioning; 64 bits, little-endian.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_SHT_DYNSYM: Final = 11
_SHT_GNU_VERNEED: Final = 0x6FFFFFFE
_STB_WEAK: Final = 2
_NEWER: Final = {"GLIBC_2.38": "GLIBC_2.2.5", "GLIBCXX_3.4.32": "GLIBCXX_3.4"}
_C23: Final = "__isoc23_"
_MARKER: Final = "_ZSt21ios_base_library_initv"

_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_VERNEED: Final = struct.Struct("<HHIII")
_VERNAUX: Final = struct.Struct("<IHHII")
_SYMBOL: Final = struct.Struct("<IBBHQQ")


class Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


def renamed(binary: bytes) -> bytes:
    """The binary with the names that older systems have."""
    image = bytearray(binary)
    sections = list(_sections(image))
    of_type = {section.type: section for section in sections}
    symbols = of_type[_SHT_DYNSYM]
    names = sections[symbols.link].offset

    def name_at(index: int) -> str:
        start = names + index
        return image[start : image.index(0, start)].decode()

    wanted = list(_wanted(image, of_type[_SHT_GNU_VERNEED].offset))
    known = {name_at(entry[3]): entry for _, entry in wanted}
    for offset, (_, flags, index, name, step) in wanted:
        if older := _NEWER.get(name_at(name)):
            # The same names under the same index, so that every symbol that has it means the older.
            _VERNAUX.pack_into(image, offset, known[older][0], flags, index, known[older][3], step)
    for offset in range(symbols.offset, symbols.offset + symbols.size, _SYMBOL.size):
        name, info, *rest = _SYMBOL.unpack_from(image, offset)
        if name_at(name).startswith(_C23):
            # The older name is the end of the newer one, in the same place.
            _SYMBOL.pack_into(image, offset, name + len(_C23), info, *rest)
        elif name_at(name) == _MARKER:
            _SYMBOL.pack_into(image, offset, name, _STB_WEAK << 4 | info & 0xF, *rest)
    return bytes(image)


def _sections(image: bytearray) -> Iterator[Section]:
    (table,) = struct.unpack_from("<Q", image, 0x28)
    size, count = struct.unpack_from("<HH", image, 0x3A)
    for index in range(count):
        yield Section(*_SECTION.unpack_from(image, table + index * size))


def _wanted(image: bytearray, offset: int) -> Iterator[tuple[int, tuple[int, int, int, int, int]]]:
    """The versions that are asked for: hash, flags, index, name, step to the next; and where."""
    step = -1
    while step:
        _, count, _, first, step = _VERNEED.unpack_from(image, offset)
        at = offset + first
        for _ in range(count):
            entry = _VERNAUX.unpack_from(image, at)
            yield at, entry
            at += entry[4]
        offset += step
