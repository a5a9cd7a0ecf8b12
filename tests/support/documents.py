"""Reads what documents and code of the repository name: headings, links, files, numbers.

Knows Markdown as GitHub shows it, and Python's docstrings and comments.
Rule: nothing is judged here; tests/unit/test_documents.py does.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]

_NOT_OURS: Final = {"node_modules", "build", "dist", "gen", "htmlcov"}
_FENCE: Final = re.compile(r"^ *(```+|~~~+)")
_HEADING: Final = re.compile(r"^#{1,6} +(.+?) *#*$")
_LINK: Final = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?\)")
_SPAN: Final = re.compile(r"(`+)(.+?)\1")


class Place(NamedTuple):
    """Text, and where it begins."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    def at(self, offset: int, text: str) -> "Place":
        """Returns a part of the text, which begins at the offset."""
        return Place(self.path, self.line + self.text.count("\n", 0, offset), text)


def files(*suffixes: str, folder: Path = ROOT) -> Iterator[Path]:
    """Yields the repository's own files with one of the suffixes, or all, folder by folder."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in _NOT_OURS and (path.name == ".ci" or path.name[0] != "."):
                yield from files(*suffixes, folder=path)
        elif not suffixes or path.suffix in suffixes:
            yield path


def lines(path: Path) -> Iterator[Place]:
    """Yields the lines of a file."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        yield Place(path, number, line)


def _outside_of_code(path: Path) -> Iterator[Place]:
    """Yields the lines of a Markdown file that are not in a block of code."""
    fence = ""
    for line in lines(path):
        mark = _FENCE.match(line.text)
        if mark and not fence:
            fence = mark[1]
        elif fence:
            if line.text.strip() == fence:
                fence = ""
        else:
            yield line


def headings(path: Path) -> list[str]:
    return [match[1] for line in _outside_of_code(path) if (match := _HEADING.match(line.text))]


def anchors(path: Path) -> set[str]:
    """Returns the fragments that links to the file may have."""
    found: set[str] = set()
    for heading in headings(path):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = sum(other == anchor or other.startswith(f"{anchor}-") for other in found)
        found.add(f"{anchor}-{count}" if anchor in found else anchor)
    return found


def links(path: Path) -> Iterator[Place]:
    """Yields the targets of a Markdown file's links."""
    for line in _outside_of_code(path):
        for match in _LINK.finditer(_SPAN.sub("", line.text)):
            yield line._replace(text=match[1])


def code_spans(path: Path) -> Iterator[Place]:
    """Yields what a Markdown file has in backticks."""
    for line in _outside_of_code(path):
        for match in _SPAN.finditer(line.text):
            yield line._replace(text=match[2].strip())


def prose(path: Path) -> Iterator[Place]:
    """Yields the docstrings and comments of a Python file; adjacent comments are one text."""
    source = path.read_text("utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            text = node.value.value
            if isinstance(text, str):
                yield Place(path, node.lineno, text)
    begin, comment = 0, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            begin = begin or token.start[0]
            comment += token.string.lstrip("#: ") + "\n"
        elif comment and token.type != tokenize.NL:
            yield Place(path, begin, comment)
            begin, comment = 0, ""
