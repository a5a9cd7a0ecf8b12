"""Texts by language: which a caller gets, and what a data file may hold."""

import ast
import re
import tomllib
from contextvars import copy_context
from pathlib import Path

import pytest

from server.identity.caller import Caller
from server.locale import WANTED_MAX_CHARS, Locale, Texts, load, load_all
from server.rpc.call_info import CALL, CallInfo
from server.rpc.language import texts_of_call
from tests.support.tables import cases

EN, DE, PT_BR = Texts({}), Texts({}), Texts({})
LOCALE = Locale({"en": EN, "de": DE, "pt-BR": PT_BR})


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        pytest.param("", EN, id="nothing"),
        pytest.param("de", DE, id="a language"),
        pytest.param("DE", DE, id="whatever the case"),
        pytest.param("de-CH", DE, id="of a region"),
        pytest.param("de-Latn-CH-1996", DE, id="of a region, a script and a spelling"),
        pytest.param("pt-br", PT_BR, id="a region that there is"),
        pytest.param("pt", EN, id="only with a region"),
        pytest.param("fr", EN, id="one that there is not"),
        pytest.param("fr, de", DE, id="the second"),
        pytest.param("fr-CH,de-CH;q=0.9,en;q=0.8", DE, id="as a browser sends it"),
        pytest.param("en;q=0.5, de;q=0.9", DE, id="by quality"),
        pytest.param("en;q=0.5, de;q=0.5", EN, id="the first of equals"),
        pytest.param("de ; q=0.100 , en; q=0.2", EN, id="with spaces"),
        pytest.param("de;q=0, en;q=0.1", EN, id="one that is not taken"),
        pytest.param("*", EN, id="any"),
        pytest.param("*, de", EN, id="any before one"),
        pytest.param("*;q=0.1, de;q=0.2", DE, id="any after one"),
        pytest.param("de;q=1.001", EN, id="quality that is none"),
        pytest.param("de;q=-1", EN, id="quality below 0"),
        pytest.param("de;q=nan", EN, id="quality that is no number"),
        pytest.param("de;level=1", EN, id="a parameter that is none"),
        pytest.param("d\x00e", EN, id="a control character"),
        pytest.param("../de", EN, id="a path"),
        pytest.param(",,;,de,", DE, id="empty items"),
        pytest.param("deutsch-und-mehr-als-acht-zeichen", EN, id="no tag"),
        pytest.param("a" * (WANTED_MAX_CHARS - 3) + ",de", DE, id="as long as may be"),
        pytest.param("a" * (WANTED_MAX_CHARS - 2) + ",de", EN, id="longer than any person's"),
    ],
)
def test_best_texts_are_found(wanted: str, texts: Texts) -> None:
    assert LOCALE.best(wanted) is texts


def test_list_is_parsed_once() -> None:
    locale = Locale({"en": EN, "de": DE})
    for _ in range(3):
        locale.best("de-CH, en;q=0.5")
    assert locale.parsed == 1


@cases(
    "language, metadata, texts",
    {
        "nobody says": ("", (), EN),
        "the user before the header": ("de", (("accept-language", "pt-BR"),), DE),
        "a user's that there is not": ("fr", (("accept-language", "de"),), DE),
        "the header": ("", (("accept-language", "de-AT"),), DE),
        "the header before its twin": (
            "",
            (("grpcgateway-accept-language", "pt-BR"), ("accept-language", "de")),
            DE,
        ),
        "the twin": ("", (("grpcgateway-accept-language", "de"),), DE),
    },
)
def test_user_then_header_then_default(
    language: str, metadata: tuple[tuple[str, str], ...], texts: Texts
) -> None:
    def call() -> Texts:
        CALL.set(CallInfo(metadata, caller=Caller("1", "2", language)))
        return texts_of_call(LOCALE)

    assert copy_context().run(call) is texts


def test_call_without_a_caller_has_a_language() -> None:
    assert copy_context().run(texts_of_call, LOCALE) is EN


def test_two_braces_are_one_where_values_are_named() -> None:
    assert Texts({"a": "{{}} {x}"}).text("a", {"x": "1"}) == "{} 1"


def test_text_without_values_is_taken_as_it_is() -> None:
    assert Texts({"a": "100 % {sure}"}).text("a", {}) == "100 % {sure}"


def test_key_without_a_text_in_a_language_is_its_own() -> None:
    assert load_all().best("de").text("Errors.Action.AlreadyExists", {}) == (
        "Errors.Action.AlreadyExists"
    )


@pytest.mark.parametrize("language", ["de"])
def test_each_text_of_the_api_is_in_each_language(language: str) -> None:
    of_english = (Path(load.__code__.co_filename).parent / "en.toml").read_text("utf-8")
    of_callers = of_english.partition("# Not of ZITADEL: refusals that only commands have.")[0]
    keys = [line.split('"')[1] for line in of_callers.splitlines() if line.startswith('"')]
    texts = load(language)
    assert len(keys) > 40
    assert [key for key in keys if texts.text(key, {}) == key] == []


def test_every_key_in_the_code_has_a_text_and_every_text_is_used() -> None:
    server = Path(load.__code__.co_filename).parents[1]
    named = {
        node.value
        for path in server.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"(?:Errors|Action)(?:\.\w+)+", node.value)
    }
    texts = tomllib.loads((server / "locale" / "en.toml").read_text("utf-8"))
    # ZITADEL has no text of these either, and sends the key.
    without = {"Errors.Action.AlreadyExists", "Errors.NotFound", "Errors.Token.Invalid"}
    # Keys in answers and contexts of ZITADEL, which no caller of this service gets.
    foreign = {"Errors.Target.DeniedURL", "Errors.User.Password.Invalid"}
    assert named - without - foreign == {*texts}


def test_unknown_language_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"xx\.toml"):
        load("xx")


def test_file_more_is_a_language_more(tmp_path: Path) -> None:
    write(tmp_path, "en", '"Errors.IDMissing" = "ID missing"')
    write(tmp_path, "gsw-CH", '"Errors.IDMissing" = "D ID fählt"')
    (tmp_path / "README").write_text("not a language")
    texts = load_all(tmp_path).best("gsw-ch, en")
    assert texts.text("Errors.IDMissing", {}) == "D ID fählt"


@pytest.mark.parametrize(
    ("language", "content", "said"),
    [
        pytest.param("de", "= =", "de.toml: not TOML", id="not TOML"),
        pytest.param("de", '"a" = 1', "expected a text for 'a'.*got a int", id="a number"),
        pytest.param("de", "[a]\nb = 'c'", "expected a text for 'a'.*got a dict", id="no quotes"),
        pytest.param("de", '"a" = "{"', "de.toml: 'a': ", id="a brace that stays open"),
        pytest.param("de", '"a" = "{who}"', r"de.toml: 'a' names \['who'\]", id="no such value"),
        pytest.param("d e", '"a" = "b"', "expected a language tag .* got 'd e'", id="no tag"),
    ],
)
def test_bad_file_is_named_at_the_start(
    tmp_path: Path, language: str, content: str, said: str
) -> None:
    write(tmp_path, "en", '"a" = "{role}"')
    write(tmp_path, language, content)
    with pytest.raises(ValueError, match=said):
        load_all(tmp_path)


def test_answers_to_bad_tokens_have_no_texts() -> None:
    locale = load_all()
    for key in ("Errors.Token.Invalid", "auth header missing", "membership not found"):
        assert [locale.best(tag).text(key, {}) for tag in ("en", "de")] == [key, key]


def write(directory: Path, language: str, content: str) -> None:
    (directory / f"{language}.toml").write_text(content, encoding="utf-8")
