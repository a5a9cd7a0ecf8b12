"""Values are written as TOML has them: read again, they are the same."""

import tomllib
from pathlib import Path

import pytest

from server.config.toml_form import toml


@pytest.mark.parametrize(
    "written",
    [
        *("true", "false", "-8080", "0.5", "inf", "-inf", "nan", "1e+100"),
        *("2030-01-31", "12:00:00.500000", "2030-01-31T12:00:00", "2030-01-31T12:00:00+01:00"),
        '["a", 1, [true]]',
        '{"a b" = 1, c-d = {}}',
        r'"quote\" back\\ line\n tab\t NUL\u0000 DEL\u007f \u001b ü"',
        pytest.param("0x" + "f" * 5000, id="more than Python writes in decimal"),
    ],
)
def test_a_value_is_written_as_a_file_has_it(written: str) -> None:
    assert toml(tomllib.loads(f"a = {written}")["a"]) == written


def test_a_path_is_a_text() -> None:
    assert toml(Path("data")) == '"data"'
