"""Tells schemathesis where a finding contradicts what the API promises; it loads this by itself.

Knows the findings of schemathesis, the document, docs/api.md and the messages of the API.
Rule: all checks run. Each finding that is no fault has its reason in EXCUSES, and what decides is
not the code under test: openapi-schema-validator, json_format, the document itself.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import schemathesis
from google.protobuf import descriptor_pool, json_format, message_factory
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import (
    AllowHeaderMismatch,
    RejectedPositiveData,
    UnsupportedMethodResponse,
)

import actions.v1.admin_pb2
import actions.v1.bridge_pb2
import actions.v1.execution_pb2
import actions.v1.secrets_pb2
import actions.v1.versions_pb2  # noqa: F401
import zitadel.admin_pb2
import zitadel.management_pb2  # noqa: F401
from tests.conformance.document.suite import (
    DEFECT_VARIABLE,
    KEPT_VARIABLE,
    STORED_VARIABLE,
    TALLY_VARIABLE,
)

INVALID_ARGUMENT: Final = 3
_ROOT: Final = Path(__file__).parents[3]
_IDS: Final = frozenset(
    re.findall(r"\b[A-Z]+-[A-Za-z0-9]{5}\b", (_ROOT / "docs/api.md").read_text("utf-8"))
)
_PARAMETER: Final = re.compile(r"\\\{[^}]*\\\}")
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|\\$")
_STORED: Final = json.loads(os.environ.get(STORED_VARIABLE, "{}"))
_KEPT: Final = frozenset(os.environ.get(KEPT_VARIABLE, "").split())


def depends_on_state(failure: Failure, case: Any, response: Response) -> bool:
    """True for a valid request that what is stored forbids, such as a change that is none."""
    return (
        isinstance(failure, RejectedPositiveData) and _error(response)["code"] != INVALID_ARGUMENT
    )


def is_a_rule_of_the_page(failure: Failure, case: Any, response: Response) -> bool:
    """True for a refusal by an id of docs/api.md, such as a limit that ZITADEL's .proto lacks."""
    if not isinstance(failure, RejectedPositiveData):
        return False
    return any(detail.get("id") in _IDS for detail in _error(response).get("details", []))


def is_not_valid(failure: Failure, case: Any, response: Response) -> bool:
    """True for a body that its schema refuses: cases ignore dependentSchemas, for one."""
    if not isinstance(failure, RejectedPositiveData) or not isinstance(case.body, dict | list):
        return False
    document = case.operation.schema.raw_schema
    operation = document["paths"][case.operation.path][case.operation.method.lower()]
    schema = operation["requestBody"]["content"][case.media_type]["schema"]
    whole = {**schema, "components": document["components"]}
    return not OAS31Validator(whole).is_valid(case.body)


def is_a_range_of_durations(failure: Failure, case: Any, response: Response) -> bool:
    """True for a Duration out of its range, which JSON Schema cannot tell of a string."""
    return isinstance(failure, RejectedPositiveData) and bool(
        re.search(r"invalid \S+: value must be inside range \[\d+s, \d+s]$", _message(response))
    )


def is_no_form(failure: Failure, case: Any, response: Response) -> bool:
    """True for a form with a name that no header of a part can hold as its client writes it.

    Controls are malformed (RFC 9110 section 5.5), and urllib3 does not escape a backslash before
    the closing quote.
    """
    return isinstance(failure, RejectedPositiveData) and any(
        _UNWRITABLE.search(name) for name in (case.body if isinstance(case.body, dict) else ())
    )


def is_read_by_protojson(failure: Failure, case: Any, response: Response) -> bool:
    """True for a body that ProtoJSON reads: null, numbers for enums, unknown names."""
    if not isinstance(failure, AcceptedNegativeData):
        return False
    request = _request_type(case)
    try:
        json_format.ParseDict(case.body, request(), ignore_unknown_fields=True)
    except (json_format.ParseError, AttributeError, TypeError):
        return False
    return True


def is_served_by_another_path(failure: Failure, case: Any, response: Response) -> bool:
    """True for a method that another path of the document has: `/actions/{id}` takes `/_search`."""
    if not isinstance(failure, AllowHeaderMismatch | UnsupportedMethodResponse):
        return False
    path = urlsplit(str(response.request.url)).path
    served = {verb for verbs in _paths_of(case, path) for verb in verbs}
    if isinstance(failure, UnsupportedMethodResponse):
        return failure.method.lower() in served
    allowed = {verb.strip().lower() for verb in ",".join(response.headers["allow"]).split(",")}
    return allowed - {"head", "options"} == served


EXCUSES: Final[Mapping[str, Callable[[Failure, Any, Response], bool]]] = {
    "what is stored forbids it": depends_on_state,
    "docs/api.md has the rule": is_a_rule_of_the_page,
    "the case is not valid by its schema": is_not_valid,
    "JSON Schema has no range of durations": is_a_range_of_durations,
    "no header of a part can hold the name": is_no_form,
    "ProtoJSON reads it, by json_format": is_read_by_protojson,
    "another path of the document has the method": is_served_by_another_path,
}
"""The reasons for which a finding is no fault, and what decides each."""

# Formats of integers of 64 bits, whose patterns say only how many digits there are.
schemathesis.openapi.format("int64", st.integers(-(2**63), 2**63 - 1).map(str))
schemathesis.openapi.format("uint64", st.integers(0, 2**64 - 1).map(str))

_excused: Counter[str] = Counter()
_answers: Counter[str] = Counter()


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Breaks the document on purpose, as the variable says."""
    defect = os.environ.get(DEFECT_VARIABLE)
    for name, schema in raw_schema["components"]["schemas"].items():
        for field in schema.get("properties", {}).values():
            if defect == "write an int64 as a number" and field.get("format") == "uint64":
                field["type"] = "integer"
        if defect == "forget what is required" and name.endswith("CreateActionRequest"):
            del schema["required"]
    for verbs in raw_schema["paths"].values():
        for operation in verbs.values():
            if defect == "leave out failures":
                del operation["responses"]["default"]


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Response) -> bool:
    """Returns False for a finding that has an excuse, which it counts."""
    for reason, applies in EXCUSES.items():
        if applies(failure, case, response):
            _excused[reason] += 1
            return False
    return True


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leaves out cases that would remove the caller, whose token all others need."""
    values = {*map(str, case.path_parameters.values())}
    return case.method == "GET" or not values & _KEPT


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Has some valid cases name what is stored, if chance does not find it."""
    stored = _STORED.get(case.operation.label, {})
    if case.meta.generation.mode.is_positive and len(str(case.path_parameters)) % 2:
        for part, value in stored.items():
            setattr(case, part, value)
    return case


@schemathesis.hook
def after_call(context: Any, case: Any, response: Response) -> None:
    """Counts answers by operation and status, and writes the counts."""
    _answers[f"{case.operation.label} {response.status_code}"] += 1
    counts = {"excused": _excused, "answers": _answers}
    Path(os.environ[TALLY_VARIABLE]).write_text(json.dumps(counts), "utf-8")


def _error(response: Response) -> Any:
    return json.loads(response.content)


def _message(response: Response) -> str:
    return str(_error(response)["message"])


def _request_type(case: Any) -> Any:
    name = case.operation.definition.raw["operationId"]
    pool: Any = descriptor_pool.Default()
    return message_factory.GetMessageClass(pool.FindMethodByName(name).input_type)


def _paths_of(case: Any, path: str) -> Iterator[Mapping[str, Any]]:
    for template, verbs in case.operation.schema.raw_schema["paths"].items():
        if re.fullmatch(_PARAMETER.sub("[^/]*", re.escape(template)), path):
            yield verbs
