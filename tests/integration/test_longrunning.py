"""google.longrunning, imported and registered as docs/transcoder.md says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(120)  # protoc, and a process that imports all of gRPC

GUIDE = Path(__file__).parents[2] / "docs/transcoder.md"

JOBS = """
syntax = "proto3";
package jobs.v1;
import "google/api/annotations.proto";
import "google/longrunning/operations.proto";
service Jobs {
  rpc Start(StartRequest) returns (google.longrunning.Operation) {
    option (google.api.http) = {post: "/jobs" body: "*"};
    option (google.longrunning.operation_info) = {
      response_type: "StartRequest" metadata_type: "StartRequest"
    };
  }
}
message StartRequest { string name = 1; }
"""

SERVE = """
import asyncio, urllib.request
from google.longrunning.operations_pb2 import Operation
from google.longrunning.operations_pb2_grpc import (
    OperationsServicer, add_OperationsServicer_to_server,
)
from jobs_pb2 import StartRequest
from jobs_pb2_grpc import JobsServicer, add_JobsServicer_to_server
from transcoder import Transcoder

class Jobs(JobsServicer):
    async def Start(self, request, context):
        return Operation(name="operations/" + request.name)

class Operations(OperationsServicer):
    async def GetOperation(self, request, context):
        operation = Operation(name=request.name, done=True)
        operation.response.Pack(StartRequest(name="made"))
        return operation

def ask(address, path, body=None):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(answer.read().decode())

async def main():
    transcoder = Transcoder()
%s
    address = await transcoder.start("127.0.0.1:0")
    await asyncio.to_thread(ask, address, "/v1/jobs", b'{"name": "7"}')
    await asyncio.to_thread(ask, address, "/v1/operations/7")
    await transcoder.stop()

asyncio.run(main())
"""


def test_a_service_with_operations_is_generated_registered_and_called(tmp_path: Path) -> None:
    section = GUIDE.read_text("utf-8").partition("## Long-running operations\n")[2]
    generate, register = re.findall(r"```\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    (tmp_path / "jobs.proto").write_text(JOBS, "utf-8")
    python = re.sub(r"\bpython (?=-)", f'"{sys.executable}" ', generate)
    subprocess.run(["/bin/sh", "-euc", python], cwd=tmp_path, check=True)
    registered = re.sub("(?m)^", "    ", register)
    done = subprocess.run(
        [sys.executable, "-c", SERVE % registered],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    started, got = map(json.loads, done.stdout.splitlines())
    assert started == {"name": "operations/7"}
    made = {"@type": "type.googleapis.com/jobs.v1.StartRequest", "name": "made"}
    assert got == {"name": "operations/7", "done": True, "response": made}
