"""docs/contexts.md has the examples that the service answers."""

from pathlib import Path

from tests.support.contexts_document import document

DOCUMENT = Path(__file__).parents[2] / "docs/contexts.md"


def test_the_document_has_every_example_as_it_is() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document()
