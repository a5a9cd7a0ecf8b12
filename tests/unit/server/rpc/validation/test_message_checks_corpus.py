"""Requests of tests/corpus/validation.jsonl, against what Go's protoc-gen-validate says of them.

The texts were recorded from the code that protoc-gen-validate 1.3.3 makes of our .proto, on
protobuf-go 1.36; of the two spaces between which Go chooses by the build, the plain one is kept.
The requests are random ones around every limit: up to four of each fault, and some that are right.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from server.rpc.validation.message_checks import checks_of
from zitadel import management_pb2 as pb

CHECKS = checks_of([pb.DESCRIPTOR.services_by_name["ManagementService"]])
CORPUS = Path(__file__).parents[4] / "corpus" / "validation.jsonl"
ROWS: list[dict[str, Any]] = [*map(json.loads, CORPUS.read_text("utf-8").splitlines())]


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_fault_is_what_go_says(row: dict[str, Any]) -> None:
    name = row["request"]
    request = getattr(pb, name).FromString(base64.b64decode(row["message"]))
    method = name.removesuffix("Request")
    assert CHECKS[f"/zitadel.management.v1.ManagementService/{method}"](request) == row["fault"]


def test_there_are_faults_of_each_kind() -> None:
    faults = " ".join(row["fault"] or "" for row in ROWS)
    for text in ("runes", "inside range", "not a valid duration", "defined enum", "is required"):
        assert text in faults
    assert any(row["fault"] is None for row in ROWS)
