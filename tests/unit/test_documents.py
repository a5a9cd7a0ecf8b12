"""Documents and code name only what there is: files, headings, numbers, specifications."""

import functools
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.documents import (
    ROOT,
    Place,
    anchors,
    code_spans,
    files,
    headings,
    lines,
    links,
    prose,
)
from tests.support.tables import cases

_PUBLIC: Final = re.compile(
    r"""
    RFC\ \d+ | AIP-\d+ | ITU-T\ [A-Z]\.\d+
    | \b\w+\(\d\)                                    # a page of the manual
    | \blinux/\w+\.h
    | grpc/doc/[\w-]+\.md | grpc\.(?:health|reflection)\.v1
    | \b(?:connectrpc\.com | protobuf\.dev | sqlite\.org | www\.envoyproxy\.io | www\.haproxy\.org)
    | OpenTelemetry | W3C\ Trace\ Context
    | OpenID\ Connect\ \w+\ 1\.0 | TOML\ 1\.0\.0
    | OpenAPI\ Specification\ 3\.1\.0 | Content\ Security\ Policy\ Level\ 3
    | the\ (?:Fetch\ standard | ASGI\ specification | ELF\ specification)
    | conformance/conformance\.proto\ of\ protobuf
    """,
    re.VERBOSE,
)
"""Public specifications, as code names them."""

_HEADINGS: Final = r'((?:(?:,|,? and)? "[^"]+")*)'
_DOCUMENT: Final = re.compile(r"(?<![\w/.-])((?!grpc/)[\w/.-]+\.md)\b" + _HEADINGS)
_PROTO: Final = re.compile(r"(?<![\w/.-])([\w/]+\.proto)\b(?! of )" + _HEADINGS)
_DECISION: Final = re.compile(r"docs/decisions/(\d{4})")
_FOLLOWS: Final = re.compile(r"\bFollows\b.*?(?:\.(?=\s|$)|$)", re.DOTALL)
_NUMBER: Final = re.compile(r"\b[RSD][1-9][0-9]?\b")
_EXPLAINED: Final = re.compile(r"^(?:\| |- \*\*)([RSD]\d+)(?:-\w+)?(?: \||\*\*:)", re.MULTILINE)
_SECTION: Final = re.compile(r"RFC \d+, (?:sections? )?\d")
_MACHINE: Final = re.compile(r"(?<![\w./~-])/(?:work|home|root|Users|workspace)/\w")

_FILE: Final = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?(?:::\w+)?")
_SOURCES: Final = {".js", ".md", ".proto", ".py", ".sql"}
_MODULE: Final = re.compile(r"(?:server|transcoder|tests)(?:\.[a-z_]+)+")
_FOREIGN: Final = {"operations_proto.proto", "server.address", "server.port", "server.py"}
"""Names that documents speak of and that are not of this repository: files, attributes of spans."""


@functools.cache
def texts() -> list[Place]:
    """Returns the docstrings and comments of all Python files."""
    return [place for path in files(".py") for place in prose(path)]


@functools.cache
def names() -> dict[str, list[str]]:
    """Returns the paths of all files by their names."""
    by_name: dict[str, list[str]] = {}
    for path in files():
        by_name.setdefault(path.name, []).append(path.relative_to(ROOT).as_posix())
    return by_name


@functools.cache
def folders() -> set[str]:
    """Returns the folders of the top level that have sources; a data folder has none."""
    return {"gen", *(path.relative_to(ROOT).parts[0] for path in files(*_SOURCES))}


def sentences(place: Place) -> Iterator[Place]:
    """Yields the sentences that say what a module follows."""
    for match in _FOLLOWS.finditer(place.text):
        yield place.at(match.start(), re.sub(r"\s+", " ", match[0]))


def unnamed(sentence: Place) -> Iterator[str]:
    if not any(pattern.search(sentence.text) for pattern in (_PUBLIC, _DOCUMENT, _PROTO)):
        yield f"{sentence}: expected a document or a specification, got {sentence.text!r}"


def missing_documents(place: Place) -> Iterator[str]:
    text = re.sub(r"\s+", " ", place.text)
    for name, quoted in _DOCUMENT.findall(text):
        path = ROOT / name
        known = headings(path) if path.is_file() else None
        if known is None:
            yield f"{place}: no document {name}"
            continue
        for heading in re.findall(r'"([^"]+)"', quoted):
            if heading not in known:
                yield f"{place}: {name} has no heading {heading!r}, it has {known}"
    for number in _DECISION.findall(text):
        if not any((ROOT / "docs/decisions").glob(f"{number}-*.md")):
            yield f"{place}: no decision {number}"
    for found in _SECTION.findall(text):
        yield f"{place}: expected the form 'RFC 9110 section 15.5.6', got {found!r}"


@functools.cache
def proto_folders() -> list[Path]:
    """Returns the folders in which an import of a .proto file is found."""
    folders = [ROOT / "proto"]
    for package in ("google.api", "grpc_tools"):
        spec = importlib.util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            folders += [Path(folder).parents[1], Path(folder) / "_proto"]
    return folders


def missing_protos(sentence: Place) -> Iterator[str]:
    for name, quoted in _PROTO.findall(sentence.text):
        found = [folder / name for folder in proto_folders() if (folder / name).is_file()]
        if not found:
            yield f"{sentence}: no file {name}, neither ours nor of a package"
            continue
        text = found[0].read_text("utf-8")
        for phrase in re.findall(r'"([^"]+)"', quoted):
            if phrase not in text:
                yield f"{sentence}: {name} does not have {phrase!r}"


def unexplained_numbers(place: Place) -> Iterator[str]:
    explained = _EXPLAINED.findall((ROOT / "docs/robustness.md").read_text("utf-8"))
    for number in _NUMBER.findall(place.text):
        if number not in explained:
            yield f"{place}: docs/robustness.md does not explain {number}"


def broken_link(link: Place) -> Iterator[str]:
    target, _, fragment = link.text.partition("#")
    if re.match(r"[a-z]+:", target):
        return
    path = (link.path.parent / target).resolve() if target else link.path
    if not path.exists():
        yield f"{link}: no file {target}"
    elif fragment and path.suffix == ".md" and fragment not in anchors(path):
        yield f"{link}: {path.name} has no heading for #{fragment}"


def missing_file(span: Place) -> Iterator[str]:
    text = span.text
    if text in _FOREIGN:
        return
    if _MODULE.fullmatch(text):
        if not has_module(text):
            yield f"{span}: no module {text}"
        return
    if not _FILE.fullmatch(text):
        return
    path, _, function = text.partition("::")
    if "/" in path:
        is_ours = path.split("/")[0] in folders()
        found = sorted(ROOT.glob(path)) if is_ours else []
    else:
        is_ours = Path(path).suffix in _SOURCES and "*" not in path
        found = [ROOT / name for name in names().get(path, ())]
    if is_ours and not found:
        yield f"{span}: no file {path}"
    elif function and not re.search(rf"def {function}\(", found[0].read_text("utf-8")):
        yield f"{span}: {path} has no function {function}"


def has_module(name: str) -> bool:
    """True if the name is a module, or a name in one."""
    path = ROOT.joinpath(*name.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    pattern = re.compile(rf"\b{path.name}\b")
    holders = (path.parent / "__init__.py", path.parent.with_suffix(".py"))
    return any(holder.is_file() and pattern.search(holder.read_text("utf-8")) for holder in holders)


def machine_path(line: Place) -> Iterator[str]:
    for found in _MACHINE.findall(line.text):
        yield f"{line}: names a path of a machine, {found!r}"


def refuse(faults: list[str]) -> None:
    """Fails with every fault on a line of its own, which pytest would shorten."""
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.mark.parametrize("check", [unnamed, missing_protos])
def test_documents_that_modules_follow_exist(check: Callable[[Place], Iterator[str]]) -> None:
    followed = [sentence for place in texts() for sentence in sentences(place)]
    assert len(followed) > 50
    refuse([fault for sentence in followed for fault in check(sentence)])


@pytest.mark.parametrize("check", [missing_documents, unexplained_numbers])
def test_names_in_docstrings_and_comments_exist(check: Callable[[Place], Iterator[str]]) -> None:
    refuse([fault for place in texts() for fault in check(place)])


@cases(
    "parts, check",
    {
        "links": (links, broken_link),
        "files and modules": (code_spans, missing_file),
        "no path of a machine": (lines, machine_path),
    },
)
def test_names_in_documents_exist(
    parts: Callable[[Path], Iterator[Place]], check: Callable[[Place], Iterator[str]]
) -> None:
    found = [part for path in files(".md") for part in parts(path)]
    assert len(found) > 50
    refuse([fault for part in found for fault in check(part)])


def linked(page: Path) -> Iterator[Path]:
    """Yields the documents that a page links to; a folder stands for all of its own."""
    for link in links(page):
        target = (page.parent / link.text.partition("#")[0]).resolve()
        is_folder = target.is_dir() and not link.text.startswith("#")
        yield from files(".md", folder=target) if is_folder else [target]


def test_every_page_is_reached_from_the_start_page() -> None:
    start = ROOT / "docs/README.md"
    reached, ahead = {start}, [start]
    while ahead:
        found = {page for page in linked(ahead.pop()) if page.suffix == ".md" and page.is_file()}
        found -= reached
        reached |= found
        ahead += found
    pages = set(files(".md", folder=ROOT / "docs"))
    assert len(pages) > 50
    unlinked = sorted(page.relative_to(ROOT).as_posix() for page in pages - reached)
    refuse([f"docs/README.md: no way from here to {page}" for page in unlinked])


HERE = ROOT / "docs/api.md"


@cases(
    "check, text, count",
    {
        "document elsewhere": (unnamed, 'Follows the Actions API, "Errors".', 1),
        "specification": (unnamed, "Follows RFC 9110 section 15.5.6.", 0),
        "heading": (missing_documents, 'see docs/api.md "Errors"', 0),
        "no heading": (missing_documents, 'docs/api.md "Errors" and "No such"', 1),
        "no document": (missing_documents, "docs/none.md", 1),
        "no decision": (missing_documents, "(docs/decisions/9999)", 1),
        "section without the word": (missing_documents, "(RFC 9110, 15.5.6)", 1),
        "no .proto": (missing_protos, "Follows zitadel/none.proto.", 1),
        "no phrase": (missing_protos, 'google/api/http.proto, "No such"', 1),
        "numbers": (unexplained_numbers, "(R1, S1, D1)", 0),
        "no number": (unexplained_numbers, "(R99)", 1),
        "link": (broken_link, "scripts.md#limits", 0),
        "link within": (broken_link, "#errors", 0),
        "no anchor": (broken_link, "scripts.md#none", 1),
        "no target": (broken_link, "none.md", 1),
        "link elsewhere": (broken_link, "https://example.org/none.md", 0),
        "file": (missing_file, "tests/unit/test_documents.py", 0),
        "no file": (missing_file, "tests/unit/test_none.py", 1),
        "files": (missing_file, "tests/unit/test_*.py", 0),
        "no function": (missing_file, "tests/unit/test_documents.py::none", 1),
        "no file of the name": (missing_file, "none.py", 1),
        "module": (missing_file, "transcoder.sonora", 0),
        "no module": (missing_file, "server.none", 1),
        "neither file nor module": (missing_file, "application/json", 0),
        "path of a machine": (machine_path, "in /home/ada/data", 1),
        "path of a route": (machine_path, "POST /v1/work/items", 0),
    },
)
def test_a_fault_is_reported_with_its_place(
    check: Callable[[Place], Iterator[str]], text: str, count: int
) -> None:
    faults = list(check(Place(HERE, 7, text)))
    assert len(faults) == count
    assert all(fault.startswith("docs/api.md:7: ") for fault in faults)
