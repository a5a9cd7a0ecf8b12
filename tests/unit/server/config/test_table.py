"""Every setting is declared once; `serve --help`, docs/settings.md and the service know it."""

import ast
from dataclasses import fields
from pathlib import Path

import click
import pytest

from server.cli.serve import serve
from server.config import VARIABLES, Config
from server.config.reference import reference_page
from server.config.setting import Setting
from server.config.table import CONFIG_FILE, SETTINGS, TOKEN

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
DEFAULTS = {
    **{field.name: str(field.default).lower() for field in fields(Config) if field.default},
    "data_dir": "./data",
}


def said(name: str) -> tuple[str, str]:
    """The row of the page, and what the help of the flag ends with in brackets."""
    (row,) = (line for line in PAGE.splitlines() if f"| `--{name.replace('_', '-')}`" in line)
    (option,) = (option for option in serve.params if option.name == name)
    assert isinstance(option, click.Option)
    assert option.help is not None
    return row, option.help.rpartition("[")[2]


def test_the_page_is_what_the_table_makes() -> None:
    assert reference_page() == PAGE, "run: make gen"


@pytest.mark.parametrize("name", [field.name for field in fields(Config)])
def test_a_setting_has_a_row_and_a_flag_that_name_its_variable(name: str) -> None:
    row, told = said(name)
    assert f"| `ACTIONS_{name.upper()}` |" in row
    assert told.startswith(f"ACTIONS_{name.upper()}")


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items())
def test_a_default_is_told_as_it_is(name: str, default: str) -> None:
    row, told = said(name)
    assert f"| {default} |" in row
    assert told.endswith(f"; {default}]")


@pytest.mark.parametrize(
    ("setting", "flags"),
    [
        pytest.param("data_dir", ("--data-dir",), id="a value"),
        pytest.param("access_log", ("--access-log", "--no-access-log"), id="a boolean"),
    ],
)
def test_a_setting_has_the_flags_of_its_kind(setting: str, flags: tuple[str, ...]) -> None:
    (found,) = (each for each in SETTINGS if each.name == setting)
    assert found.flags == flags


def test_every_variable_is_known_once() -> None:
    assert len(set(VARIABLES)) == len(VARIABLES) == len(fields(Config)) + 2


@pytest.mark.parametrize("setting", [*SETTINGS, CONFIG_FILE, TOKEN], ids=lambda one: one.name)
def test_a_setting_says_what_it_means_in_sentences(setting: Setting) -> None:
    assert setting.meaning[:1].isupper()
    assert setting.meaning.endswith(".")
    assert "|" not in setting.meaning + setting.kind.expected + setting.default_text


def used() -> set[str]:
    """The attributes that code of the service reads, outside of its settings."""
    return {
        node.attr
        for path in (ROOT / "server").rglob("*.py")
        if path.parent.name != "config"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }


def test_every_setting_is_used() -> None:
    assert {field.name for field in fields(Config)} - used() == set()
