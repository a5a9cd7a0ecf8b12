"""The count of the API's rows, as tests add up to it."""

from types import SimpleNamespace

from tests.support.api_table import PROPERTY, counts_of, lines_of


def report(subject: str, protocol: str, when: str = "call") -> SimpleNamespace:
    properties = [("another", 1), (PROPERTY, [subject, protocol])]
    return SimpleNamespace(when=when, user_properties=properties)


def test_rows_are_counted_by_subject_and_protocol() -> None:
    reports = {
        "passed": [report("Errors", "json"), report("Errors", "json"), report("Lists", "grpc")],
        "failed": [report("Errors", "json")],
        "error": [report("Errors", "grpc-web", "setup")],
    }
    assert lines_of(counts_of(reports)) == [
        "Errors: 2 rows answered as documented (json 2 of 3, grpc-web 0 of 1)",
        "Lists: 1 rows answered as documented (grpc 1 of 1)",
    ]


def test_reports_of_other_tests_and_of_other_phases_count_nothing() -> None:
    others = [SimpleNamespace(user_properties=[]), SimpleNamespace()]
    assert counts_of({"passed": [*others, report("Errors", "json", "teardown")]}) == {}
