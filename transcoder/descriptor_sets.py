"""Reads services from descriptors: of generated code, or of a google.protobuf.FileDescriptorSet.

Follows google/protobuf/descriptor.proto.
Rule: a set has a pool of its own, so that it may differ from generated code of this process.
"""

import contextlib
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

    def discard(self, pool: DescriptorPool) -> None:
        if pool in self._pools:
            self._pools.remove(pool)

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
    by_name = {file.name: file for file in files}
    return build(by_name, name, remedy="write the set with --include_imports")


def services_in(files: Iterable[FileDescriptor]) -> Iterator[str]:
    """Yields the full names of the services that are declared in files."""
    for file in files:
        for service in file.services_by_name.values():
            yield service.full_name


def build(
    files: Mapping[str, FileDescriptorProto], name: str, *, remedy: str
) -> list[FileDescriptor]:
    """Adds files to a new pool, each after those that it imports.

    Args:
        files: by their names.
        name: of their source, for errors.
        remedy: for a file that is imported and not there.

    Raises:
        SchemaError: one is invalid, or imports a file that is not there.
    """
    sound, faults = build_sound(files, name, remedy=remedy)
    for fault in faults.values():
        raise fault
    return sound


def build_sound(
    files: Mapping[str, FileDescriptorProto], name: str, *, remedy: str
) -> tuple[list[FileDescriptor], dict[str, SchemaError]]:
    """Adds those files to a new pool that can be.

    Args:
        files: by their names.
        name: of their source, for errors.
        remedy: for a file that is imported and not there.

    Returns:
        Their descriptors, and why others are not among them, by file.
    """
    all_files, faults = _with_known(files, name, remedy)
    graph = {
        each.name: [other for other in each.dependency if other in all_files]
        for each in all_files.values()
    }
    order = TopologicalSorter(graph)
    with contextlib.suppress(CycleError):  # it still tells those that import no cycle
        order.prepare()
    pool = DescriptorPool()
    while order.is_active() and (ready := order.get_ready()):
        for each in ready:
            _add(all_files[each], pool, faults, name)
        order.done(*ready)
    sound = []
    for each in files:
        try:
            sound.append(pool.FindFileByName(each))
        except KeyError:
            text = f"{name}: expected no file that imports itself, got {each!r}"
            faults.setdefault(each, SchemaError(text))
    return sound, {each: faults[each] for each in files if each in faults}


def _add(
    file: FileDescriptorProto, pool: DescriptorPool, faults: dict[str, SchemaError], name: str
) -> None:
    """Adds a file to a pool; notes its fault, which is also that of files that import it."""
    fault = faults.get(file.name)
    for dependency in file.dependency:
        fault = fault or faults.get(dependency)
    if fault is None:
        try:
            pool.AddSerializedFile(file.SerializeToString())
        except TypeError:
            text = f"{name}: expected valid descriptors, got those of {file.name!r}"
            fault = SchemaError(text)
    if fault is not None:
        faults[file.name] = fault


def _with_known(
    files: Mapping[str, FileDescriptorProto], name: str, remedy: str
) -> tuple[dict[str, FileDescriptorProto], dict[str, SchemaError]]:
    """Returns files with those that they lack and this process has, as it has Google's.

    Also returns the faults of those that import what is nowhere.
    """
    all_files = dict(files)
    faults = {}
    waiting = list(files.values())
    while waiting:
        file = waiting.pop()
        for dependency in file.dependency:
            if dependency in all_files:
                continue
            try:
                found = Default().FindFileByName(dependency)
            except KeyError:
                text = f"{name}: {file.name!r} imports {dependency!r}: {remedy}"
                faults[file.name] = SchemaError(text)
                continue
            all_files[dependency] = FileDescriptorProto.FromString(found.serialized_pb)
            waiting.append(all_files[dependency])
    return all_files, faults
