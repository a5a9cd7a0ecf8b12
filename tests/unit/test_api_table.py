"""The count of the API's rows, as tests add up to it."""

from types import SimpleNamespace

from tests.api_table import PROPERTY, counts_of, lines_of


def report(section: str, door: str, when: str = "call") -> SimpleNamespace:
    properties = [("another", 1), (PROPERTY, [section, door])]
    return SimpleNamespace(when=when, user_properties=properties)


def test_rows_are_counted_by_section_and_door() -> None:
    reports = {
        "passed": [report("2", "json"), report("2", "json"), report("6", "grpc")],
        "failed": [report("2", "json")],
        "error": [report("2", "grpc-web", "setup")],
    }
    assert lines_of(counts_of(reports)) == [
        "section 2: 2 rows answered as documented (json 2 of 3, grpc-web 0 of 1)",
        "section 6: 1 rows answered as documented (grpc 1 of 1)",
    ]


def test_reports_of_other_tests_and_of_other_phases_count_nothing() -> None:
    others = [SimpleNamespace(user_properties=[]), SimpleNamespace()]
    assert counts_of({"passed": [*others, report("2", "json", "teardown")]}) == {}
