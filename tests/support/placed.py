"""Files that another user of the machine may have placed at the paths of the service's own.

A way places it beside a victim file, and returns how the refusal begins. Changes of owner need
root, so that owners are told apart by the process's user id instead (`another_user`).
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch

import pytest

Way = Callable[[Path], str]

CONTENT: Final = "a victim's content"


def link(path: Path) -> str:
    path.symlink_to(_victim(path))
    return "expected a regular file, got a symbolic link; "


def dangling_link(path: Path) -> str:
    path.symlink_to(path.with_name("nothing"))
    return "expected a regular file, got a symbolic link; "


def hard_link(path: Path) -> str:
    path.hardlink_to(_victim(path))
    return "expected one hard link, got 2; "


def folder(path: Path) -> str:
    path.mkdir()
    return "expected a regular file, got a folder; "


def pipe(path: Path) -> str:
    os.mkfifo(path)
    return "expected a regular file, got a pipe; "


def bound_socket(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    return "expected a regular file, got a socket; "


WAYS: Final = [
    pytest.param(way, id=way.__name__)
    for way in (link, dangling_link, hard_link, folder, pipe, bound_socket)
]


def is_untouched(path: Path) -> bool:
    """True if what was placed at the path, or beside it, has led to no other file."""
    victim = path.with_name("victim")
    has_content = not victim.exists() or victim.read_text("ascii") == CONTENT
    return has_content and not path.with_name("nothing").exists()


@contextmanager
def another_user() -> Iterator[int]:
    """Has every file of this process belong to another user; yields the new user's id."""
    user = os.geteuid() + 1
    with patch("os.geteuid", return_value=user):
        yield user


def _victim(path: Path) -> Path:
    victim = path.with_name("victim")
    victim.write_text(CONTENT, "ascii")
    return victim
