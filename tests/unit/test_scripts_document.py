"""docs/scripts.md against what is enforced."""

from pathlib import Path

import pytest
from google.protobuf.message import Message

from actions.v1 import execution_pb2
from server.scripts.host.contexts import CONTEXT_MAX_BYTES
from validate import validate_pb2
from zitadel import management_pb2


@pytest.mark.parametrize(
    "message",
    [
        management_pb2.CreateActionRequest,
        management_pb2.UpdateActionRequest,
        execution_pb2.Script,
        execution_pb2.CheckScriptRequest,
    ],
)
def test_the_docs_have_the_size_that_a_script_may_have(message: type[Message]) -> None:
    options = message.DESCRIPTOR.fields_by_name["script"].GetOptions()
    assert options.Extensions[validate_pb2.rules].string.max_bytes == 40_000
    assert CONTEXT_MAX_BYTES == 1 << 20
    document = Path("docs/scripts.md").read_text(encoding="utf-8")
    assert "| a script, a context | 40,000 bytes, 1 MiB |" in document
