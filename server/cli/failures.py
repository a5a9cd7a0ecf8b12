"""Reports a failed command by one line on standard error, without a traceback."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Final

import click

FAILED: Final = 1
"""Exit status of a command that failed."""
MISUSED: Final = 2
"""Exit status of a command with invalid arguments."""
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 and the number of SIGINT, as shells have it."""


class Failed(click.ClickException):
    """The command failed; exit 1."""

    exit_code = FAILED


class Misused(click.ClickException):
    """The arguments are invalid; exit 2."""

    exit_code = MISUSED


@contextlib.contextmanager
def storage_failures(*, needs_folder: str = "") -> Iterator[None]:
    """Raises Failed for an error of the store.

    Args:
        needs_folder: the command that fails while a service has the data folder; its text then
            says what to do.
    """
    from server.store.errors import DataFolderInUse, StorageError

    try:
        yield
    except StorageError as error:
        text = str(error)
        if needs_folder and isinstance(error, DataFolderInUse):
            text = f"{text}; stop it first, as {needs_folder} needs the folder for itself"
        raise Failed(text) from error


def run_command(command: click.Command, *, name: str) -> int:
    """Runs a command with the arguments of this process, and returns the exit status."""
    try:
        status = command.main(prog_name=name, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return MISUSED
    except click.UsageError as error:
        # the text of click's parser does not name the command
        more = "" if error.ctx is None else f" ({error.ctx.command_path} --help shows usage)"
        _say(f"{error.format_message().rstrip('.')}{more}")
        return MISUSED
    except click.ClickException as error:
        _say(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        drop_output()  # the reader has closed the pipe
        return FAILED
    except OSError as error:
        drop_output()
        where = "" if error.filename is None else f"{error.filename}: "
        _say(f"{where}{error.strerror or error}")
        return FAILED
    return status if isinstance(status, int) else 0


def drop_output() -> None:
    """Discards buffered output, so that Python writes nothing at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(line: str) -> None:
    click.echo(f"error: {' '.join(line.split())}", err=True)
