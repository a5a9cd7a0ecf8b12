"""README and `serve --help` name every setting, with the default that it has."""

from dataclasses import fields
from pathlib import Path

import click
import pytest

from server.cli.serve import serve
from server.config import Config

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").splitlines()
DEFAULTS = {
    **{field.name: str(field.default).lower() for field in fields(Config) if field.default},
    "data_dir": "./data",
}


def said(name: str) -> tuple[str, str]:
    """The row of README, and what the help of the flag ends with in brackets."""
    (row,) = (line for line in README if f" `--{name.replace('_', '-')}`" in line)
    (option,) = (option for option in serve.params if option.name == name)
    assert isinstance(option, click.Option)
    assert option.help is not None
    return row, option.help.rpartition("[")[2]


@pytest.mark.parametrize("name", [field.name for field in fields(Config)])
def test_a_setting_has_a_row_and_a_flag_that_name_its_variable(name: str) -> None:
    row, told = said(name)
    assert f"| `ACTIONS_{name.upper()}` |" in row
    assert told.startswith(f"ACTIONS_{name.upper()}")


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items())
def test_a_default_is_told_as_it_is(name: str, default: str) -> None:
    row, told = said(name)
    assert f"| `{default}`" in row
    assert told.endswith(f"; {default}]")
