"""The table of gRPC-Web clients: as tests fill it, and as docs/grpc-web.md has it."""

from pathlib import Path
from types import SimpleNamespace

from tests.support.client_table import CASES, CLIENTS, PROPERTY, cells_of, table

DOCS = Path(__file__).parents[2] / "docs" / "grpc-web.md"


def report(client: str, case: str) -> SimpleNamespace:
    return SimpleNamespace(user_properties=[("another", 1), (PROPERTY, [client, case])])


def test_a_cell_is_ok_when_all_its_tests_passed() -> None:
    reports = {
        "passed": [report("buf curl", "unary"), report("buf curl", "cancel")],
        "failed": [report("buf curl", "cancel")],
        "error": [report("buf curl", "deadline")],
        "warnings": [report("buf curl", "stream of 0")],
    }
    assert cells_of(reports) == {
        ("buf curl", "unary"): "ok",
        ("buf curl", "cancel"): "FAILED",
        ("buf curl", "deadline"): "FAILED",
    }


def test_reports_of_other_tests_fill_nothing() -> None:
    assert cells_of({"passed": [SimpleNamespace(user_properties=[]), SimpleNamespace()]}) == {}


def test_a_table_has_what_ran() -> None:
    cells = {("buf curl", "cancel"): "ok", ("connect-web, Node", "unary"): "FAILED"}
    assert table(cells) == [
        "| client            | unary  | cancel |",
        "| ----------------- | ------ | ------ |",
        "| connect-web, Node | FAILED |        |",
        "| buf curl          |        | ok     |",
    ]


def test_the_table_in_the_docs_is_that_of_every_client_and_case() -> None:
    green = table({(client, case): "ok" for client in CLIENTS for case in CASES})
    assert "\n".join(green) in DOCS.read_text(encoding="utf-8")
