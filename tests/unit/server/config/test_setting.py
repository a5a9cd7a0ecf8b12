"""A setting is declared by a field of a dataclass; a secret one is never printed."""

from dataclasses import dataclass

import pytest

from server.config import kinds
from server.config.setting import setting, settings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    name: str = setting("ada", kind=kinds.LINE, meaning="A name.")
    names: tuple[str, ...] = setting((), kind=kinds.NAMES, meaning="Names.")
    is_on: bool = setting(False, kind=kinds.SWITCH, meaning="A switch.")
    count: int = setting(0, kind=kinds.number(0, 9), meaning="A number.", default_text="as many")
    key: str = setting("", kind=kinds.LINE, meaning="A key.", is_secret=True)


NAME, NAMES, IS_ON, COUNT, KEY = settings_of(Table)


def test_a_field_has_the_default_that_it_declares() -> None:
    assert Table() == Table(name="ada", names=(), is_on=False, count=0, key="")


def test_a_setting_has_one_name_everywhere() -> None:
    assert (IS_ON.name, IS_ON.variable) == ("is_on", "ACTIONS_IS_ON")
    assert IS_ON.flags == ("--is-on", "--no-is-on")


def test_a_default_is_shown_as_itself_or_in_words() -> None:
    shown = [each.default_text for each in (NAME, NAMES, IS_ON, COUNT)]
    assert shown == ["ada", "none", "false", "as many"]


def test_a_value_is_shown_quoted_and_written_as_toml() -> None:
    assert NAME.shown("a" * 50) == f"'{'a' * 40}…'"
    assert NAMES.written(("a", "b")) == '["a", "b"]'


def test_a_secret_is_never_printed() -> None:
    assert KEY.shown("k3y") == "(secret)"
    assert KEY.written("k3y") == '"(secret)"'
    assert "k3y" not in repr(Table(key="k3y"))


def test_a_field_that_is_no_setting_is_refused() -> None:
    @dataclass
    class Other:
        name: str = "ada"

    with pytest.raises(TypeError, match=r"^name: expected a field that setting\(\) makes"):
        settings_of(Other)
