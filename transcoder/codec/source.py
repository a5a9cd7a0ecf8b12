"""Writes and compiles source that reads and writes the fields of a message, `m`.

Rule: source has names from descriptors only, as attributes or literals.
"""

import keyword
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor


def get_source(field: FieldDescriptor) -> str:
    """Returns an expression: the field of `m`."""
    if keyword.iskeyword(field.name):
        return f"getattr(m, {field.name!r})"
    return f"m.{field.name}"


def set_source(field: FieldDescriptor, value: str) -> str:
    """Returns a statement that sets the field of `m`."""
    if keyword.iskeyword(field.name) or field.name == "__debug__":  # which Python never assigns
        return f"setattr(m, {field.name!r}, {value})"
    return f"m.{field.name} = {value}"


def function(
    of: str, head: str, body: Sequence[str], namespace: dict[str, Any]
) -> Callable[..., Any]:
    """Returns the function of `def {head}:` and the lines of its body.

    Args:
        of: the name that stands for a file in tracebacks.
        head: the function's name and parameters.
        body: its lines, without the first level of indentation.
        namespace: its globals.
    """
    source = "\n    ".join([f"def {head}:", *body])
    made: dict[str, Callable[..., Any]] = {}
    # The text has names from descriptors alone.
    exec(compile(source, f"<{of}>", "exec"), namespace, made)  # noqa: S102
    return made.popitem()[1]
