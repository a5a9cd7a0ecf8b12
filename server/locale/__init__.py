"""Texts for people, by language, as data files: `<language>.toml` beside this file.

A text is found by its key. What it names stands in braces ("{role}"); two braces are one.
A key without a text is its own text, as in the API that this one follows.
"""

import tomllib
from collections.abc import Mapping
from importlib.resources import files


class Texts:
    """The texts of one language."""

    def __init__(self, by_key: Mapping[str, str]) -> None:
        self._by_key = by_key

    def text(self, key: str, values: Mapping[str, str]) -> str:
        text = self._by_key.get(key)
        if text is None:
            return key
        return text.format_map(values) if values else text


def load(language: str) -> Texts:
    """Read the texts of a language, "en" for instance.

    Raises:
        FileNotFoundError: there is no such language.
    """
    return Texts(tomllib.loads(files(__name__).joinpath(f"{language}.toml").read_text("utf-8")))
