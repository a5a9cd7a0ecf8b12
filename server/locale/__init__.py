"""Reads texts for people from a file for each language, `<language>.toml`, beside this one.

A text is found by its key. It has placeholders in braces ("{role}"); two braces stand for one.
If a language has no text for a key, the text is the key, as in ZITADEL. A new file is a new
language: "pt-BR.toml" has the texts for pt-BR.

Follows RFC 9110 section 12.5.4 (Accept-Language) and RFC 4647 section 3.4 (de-CH falls back to de).
"""

import functools
import re
import string
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

DEFAULT: Final = "en"
"""Language of a caller who wants none of the others."""

WANTED_MAX_CHARS: Final = 256
"""Max characters of a list of languages; a longer one is not read."""

KNOWN_MAX: Final = 1000
"""Max lists of languages whose choice is cached, about 500 bytes each."""

_TAG: Final = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*", re.IGNORECASE)
_RANGE: Final = re.compile(
    r"\s*(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)\s*(?:;\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?",
    re.IGNORECASE,
)


class Texts:
    """Holds the texts of one language."""

    def __init__(self, by_key: Mapping[str, str]) -> None:
        self._by_key = by_key

    def text(self, key: str, values: Mapping[str, str]) -> str:
        text = self._by_key.get(key)
        if text is None:
            return key
        return text.format_map(values) if values else text


class Locale:
    """Chooses the texts of one of all languages."""

    def __init__(self, by_language: Mapping[str, Texts]) -> None:
        """Takes the texts by language tag; `DEFAULT` is one of them."""
        self._by_language = {tag.lower(): texts for tag, texts in by_language.items()}
        self._default = by_language[DEFAULT]
        # Clients send the same few lists again and again, so each is parsed once.
        self._best = functools.lru_cache(KNOWN_MAX)(self._look)

    def best(self, *wanted: str) -> Texts:
        """Returns the texts that fit best, or those of `DEFAULT` if none fit.

        Args:
            wanted: lists of languages in the form of Accept-Language; the first list with a
                language that has texts decides.
        """
        return self._best(tuple(text for text in wanted if 0 < len(text) <= WANTED_MAX_CHARS))

    @property
    def parsed(self) -> int:
        """Number of choices that were not found in the cache."""
        return self._best.cache_info().misses

    def _look(self, wanted: tuple[str, ...]) -> Texts:
        for text in wanted:
            for tag in _by_preference(text):
                if tag == "*":
                    return self._default
                found = self._by_language.get(tag)
                while found is None and "-" in tag:
                    tag = tag.rpartition("-")[0]
                    found = self._by_language.get(tag)
                if found is not None:
                    return found
        return self._default


def load(language: str) -> Texts:
    """Reads the texts of a language, "en" for instance.

    Raises:
        FileNotFoundError: there is no such language.
        ValueError: its file is not a table of texts.
    """
    return Texts(_read(files(__name__).joinpath(f"{language}.toml")))


def load_all(directory: Traversable | None = None) -> Locale:
    """Reads the files of all languages.

    Raises:
        ValueError: a file is not named after a language, is not a table of texts, or has a
            placeholder that the text of `DEFAULT` has not.
    """
    by_language: dict[str, Mapping[str, str]] = {}
    for file in (directory or files(__name__)).iterdir():
        tag, dot, ending = file.name.rpartition(".")
        if dot and ending == "toml":
            if not _TAG.fullmatch(tag):
                raise ValueError(f"{file.name}: expected a language tag before .toml, got {tag!r}")
            by_language[tag] = _read(file)
    default = by_language[DEFAULT]
    for tag, by_key in by_language.items():
        for key, text in by_key.items():
            unknown = _placeholders(text) - _placeholders(default.get(key, ""))
            if unknown:
                raise ValueError(f"{tag}.toml: {key!r} names {sorted(unknown)}, which has no value")
    return Locale({tag: Texts(by_key) for tag, by_key in by_language.items()})


def _read(file: Traversable) -> Mapping[str, str]:
    try:
        by_key = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name}: not TOML: {error}") from error
    for key, text in by_key.items():
        if not isinstance(text, str):
            kind = type(text).__name__
            raise ValueError(f"{file.name}: expected a text for {key!r} (in quotes), got a {kind}")
        try:
            _placeholders(text)
        except ValueError as error:
            raise ValueError(f"{file.name}: {key!r}: {error}") from error
    return by_key


def _placeholders(text: str) -> set[str]:
    """Returns the placeholders of a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _by_preference(wanted: str) -> Iterable[str]:
    """Returns the tags of an Accept-Language list in lower case, best first.

    Invalid ranges and those of quality 0, which the client refuses, are left out.
    """
    ranked: list[tuple[float, str]] = []
    for item in wanted.split(","):
        match = _RANGE.fullmatch(item)
        if match is not None:
            quality = float(match[2] or 1)
            if quality > 0:
                ranked.append((quality, match[1].lower()))
    ranked.sort(key=lambda pair: -pair[0])  # stable: of equals the first
    return [tag for _, tag in ranked]
