"""Compiles the .proto files that npm packages of Google's APIs carry.

The packages are those of package.json. An API's own package has its files alone; what they import
comes from google-proto-files, which has those of all of Google's APIs.
"""

import functools
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

ALL: Final = "google-proto-files"

_HERE: Final = Path(__file__).parent
_PACKAGES: Final = _HERE / "node_modules"
_BUILD: Final = _HERE.parent / "build" / "apis"
_OF_PROTOC: Final = "google/protobuf/"
"""The folder of files that protoc has itself."""


class DefinitionsError(Exception):
    """The files of a package cannot be compiled."""


class Api(NamedTuple):
    """The services of a package.

    Attributes:
        pool: has the descriptors of its files, and of what they import.
        services: the file of each service, by its full name.
        files: by name.
    """

    pool: DescriptorPool
    services: dict[str, str]
    files: dict[str, FileDescriptorProto]

    def comments(self, service: str) -> bytes:
        """Returns a descriptor set with the comments of a service's file, and of its imports."""
        file = self.files[self.services[service]]
        imported = (self.files[name] for name in file.dependency)
        return FileDescriptorSet(file=[file, *imported]).SerializeToString()


def packages() -> list[str]:
    """Returns the packages of single APIs."""
    return [
        f"@google-cloud/{path.name}" for path in sorted((_PACKAGES / "@google-cloud").iterdir())
    ]


def compile_package(name: str) -> None:
    """Compiles all files of a package, for `api_of`."""
    root = _root(name)
    flags = ("--include_imports", "--include_source_info", f"--descriptor_set_out={_set(name)}")
    _set(name).parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"-I{_root(ALL)}", *flags]
    run = subprocess.run([*command, *_own(root)], capture_output=True, check=False)
    if run.returncode:
        raise DefinitionsError(f"{name}: protoc failed: {run.stderr.decode()[-2000:]}")


@functools.cache
def api_of(name: str) -> Api:
    """Returns the services of a package that is compiled."""
    files = FileDescriptorSet.FromString(_set(name).read_bytes()).file
    pool = DescriptorPool()
    for file in files:
        pool.AddSerializedFile(file.SerializeToString())
    own = set(_own(_root(name)))
    services = {
        f"{file.package}.{service.name}": file.name
        for file in files
        for service in file.service
        if file.name in own
    }
    return Api(pool, services, {file.name: file for file in files})


def _root(name: str) -> Path:
    """Returns the folder that names of imports begin at."""
    folder = _PACKAGES / name
    return folder if name == ALL else next(folder.glob("**/protos"))


def _own(root: Path) -> list[str]:
    paths = (file.relative_to(root).as_posix() for file in root.glob("google/**/*.proto"))
    return sorted(path for path in paths if not path.startswith(_OF_PROTOC))


def _set(name: str) -> Path:
    return _BUILD / f"{name}.binpb"
