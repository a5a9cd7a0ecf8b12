"""Reads services from descriptors: of generated code, or of a google.protobuf.FileDescriptorSet.

Follows google/protobuf/descriptor.proto.
Rule: a set has a pool of its own, so that it may differ from generated code of this process.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import Default, DescriptorPool
from google.protobuf.message import DecodeError

from transcoder.errors import SchemaError


class TypePools:
    """Finds types by name in several pools, of which the first is protobuf's default pool."""

    def __init__(self) -> None:
        self._pools = [Default()]

    def add(self, pool: DescriptorPool) -> None:
        if pool not in self._pools:
            self._pools.append(pool)

    def FindMessageTypeByName(self, full_name: str) -> Descriptor:  # noqa: N802  as of a pool
        """Returns the type of the first pool that has it; raises KeyError if none has."""
        for pool in self._pools:
            try:
                return pool.FindMessageTypeByName(full_name)
            except KeyError:
                continue
        raise KeyError(full_name)


def read_set(given: str | os.PathLike[str] | bytes) -> list[FileDescriptor]:
    """Returns the files of a descriptor set, in a new pool.

    Args:
        given: the path of the file that `protoc --descriptor_set_out` writes or, as bytes, what is
            in it.

    Raises:
        SchemaError: it cannot be read, or lacks a file that others import.
    """
    name = "descriptor_set" if isinstance(given, bytes) else f"descriptor_set {os.fspath(given)!r}"
    try:
        content = given if isinstance(given, bytes) else Path(given).read_bytes()
        files = FileDescriptorSet.FromString(content).file
    except OSError as error:
        raise SchemaError(f"{name}: {error.strerror}") from None
    except DecodeError:
        expected = "expected a google.protobuf.FileDescriptorSet, as protoc writes it"
        raise SchemaError(f"{name}: {expected}") from None
    return build({file.name: file for file in files}, name)


def services_in(files: Iterable[FileDescriptor]) -> Iterator[str]:
    """Yields the full names of the services that are declared in files."""
    for file in files:
        for service in file.services_by_name.values():
            yield service.full_name


def build(files: Mapping[str, FileDescriptorProto], name: str) -> list[FileDescriptor]:
    """Adds files to a new pool, each after those that it imports.

    Args:
        files: by their names.
        name: of their source, for errors.

    Raises:
        SchemaError: one is invalid, or imports a file that is not there.
    """
    all_files = dict(files)
    waiting = list(files.values())
    while waiting:
        file = waiting.pop()
        for dependency in file.dependency:
            if dependency not in all_files:
                all_files[dependency] = _known(dependency, file.name, name)
                waiting.append(all_files[dependency])
    order = TopologicalSorter({each.name: each.dependency for each in all_files.values()})
    pool = DescriptorPool()
    try:
        for each in order.static_order():
            pool.AddSerializedFile(all_files[each].SerializeToString())
    except CycleError:
        raise SchemaError(f"{name}: expected no file that imports itself") from None
    except TypeError:
        raise SchemaError(f"{name}: expected valid descriptors, got those of {each!r}") from None
    return [pool.FindFileByName(each) for each in files]


def _known(dependency: str, importer: str, name: str) -> FileDescriptorProto:
    """Returns a file that a set lacks, if this process has it, as it has Google's."""
    try:
        found = Default().FindFileByName(dependency)
    except KeyError:
        remedy = "write the set with --include_imports"
        raise SchemaError(f"{name}: {importer!r} imports {dependency!r}: {remedy}") from None
    return FileDescriptorProto.FromString(found.serialized_pb)
