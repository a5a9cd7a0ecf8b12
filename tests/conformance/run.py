"""`make conformance`: the official suite, then the suite against a codec that is broken on purpose.

A failure, required or recommended, ends with exit status 1; so does a suite that does not notice.
"""

import sys

from tests.conformance.suite import Suite, SuiteError
from tests.conformance.testee import DEFECTS

COLUMNS = ("successes", "skipped", "expected failures", "unexpected failures")


def main() -> int:
    try:
        suite = Suite()
        outcome = suite.run()
        for name, why in outcome.failures.items():
            print(f"{name}: {why[:400]}")
        print(f"{'protobuf conformance suite':28}{''.join(f'{column:>21}' for column in COLUMNS)}")
        for kind, cases in (
            ("JSON, read or written", outcome.json),
            ("binary to binary", outcome.binary),
            ("text format", outcome.text),
        ):
            print(f"{kind:28}{''.join(f'{count:21}' for count in cases)}")
        is_passed = not outcome.failures
        for defect in DEFECTS:
            noticed = len(suite.run("--defect", defect).failures)
            is_passed = is_passed and noticed > 0
            print(f"codec made to {defect}: {noticed} cases fail, as some must")
    except SuiteError as error:
        print(f"make conformance: {error}", file=sys.stderr)
        return 1
    return 0 if is_passed else 1


if __name__ == "__main__":
    sys.exit(main())
