"""Declares one setting: its name everywhere, its kind, its default, its help.

A setting has one name: `--grpc-listen`, `ACTIONS_GRPC_LISTEN`, and `grpc-listen` (or `grpc_listen`)
in the file.
"""

from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from server.config.kinds import SWITCH, ValueKind
from server.config.toml_form import cut, toml

T = TypeVar("T")

SECRET: Final = "(secret)"  # noqa: S105  printed in place of a secret
_DECLARED: Final = "setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Declares one setting.

    Attributes:
        default_text: the default in words, as `--help` and docs/settings.md show it.
        meaning: one or two sentences, for `--help` and docs/settings.md.
        is_secret: True if its value is never printed.
    """

    name: str
    kind: ValueKind[object]
    default: object
    default_text: str
    meaning: str
    is_secret: bool

    @property
    def flags(self) -> tuple[str, ...]:
        """Returns its flag; of a boolean, also the flag for false."""
        dashed = self.name.replace("_", "-")
        return (f"--{dashed}", f"--no-{dashed}") if self.kind is SWITCH else (f"--{dashed}",)

    @property
    def variable(self) -> str:
        return f"ACTIONS_{self.name.upper()}"

    def shown(self, value: object) -> str:
        """Returns a value for an error text: quoted and cut, or `SECRET`."""
        return SECRET if self.is_secret else cut(value)

    def written(self, value: object) -> str:
        """Returns a value in the form of TOML; a secret one as `SECRET`."""
        return toml(SECRET if self.is_secret and value else value)


def setting(
    default: T, *, kind: ValueKind[T], meaning: str, default_text: str = "", is_secret: bool = False
) -> T:
    """Declares a field of a dataclass as a setting, with the field's name.

    Args:
        default: the value if none is given.
        kind: parses the value.
        meaning: see `Setting`.
        default_text: see `Setting`; if it is empty, the default itself, or "none".
        is_secret: see `Setting`.
    """
    declared = Setting(
        name="",
        kind=kind,
        default=default,
        default_text=default_text or _in_words(default),
        meaning=meaning,
        is_secret=is_secret,
    )
    return field(default=default, repr=not is_secret, metadata={_DECLARED: declared})


def settings_of(table: type) -> tuple[Setting, ...]:
    """Returns the settings that a dataclass declares, in order.

    Raises:
        TypeError: a field is not a setting.
    """
    return tuple(map(_named, fields(table)))


def _named(declared: Field[Any]) -> Setting:
    found = declared.metadata.get(_DECLARED)
    if not isinstance(found, Setting):
        raise TypeError(f"{declared.name}: expected a field that setting() makes, got another")
    return replace(found, name=declared.name)


def _in_words(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if default not in ("", ()) else "none"
