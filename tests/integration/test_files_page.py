"""The servicer and the clients of docs/files.md, as they stand there."""

import asyncio
import json
import re
import tempfile
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from tests.proto import files_pb2_grpc
from tests.proto.files_pb2 import Form, Got
from tests.support.web_clients import installed_node
from transcoder import Transcoder

PAGE: Final = (Path(__file__).parents[2] / "docs/files.md").read_text(encoding="utf-8")
# The methods of the page are those of files.v1.Files; its `id` is their `name`.
CONFIG: Final = b"""
http:
  rules:
  - {selector: files.v1.Files.Get, get: "/v1/documents/{name}"}
  - {selector: files.v1.Files.Download, get: "/v1/archives/{name}"}
  - {selector: files.v1.Files.UploadHeld, post: "/v1/archives/{name}", body: "file"}
  - {selector: files.v1.Files.Fill, post: "/v1/photos", body: "*"}
"""
DOCUMENT: Final = b"0123456789"
WAIT_S: Final = 30


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def methods() -> dict[str, Any]:
    names: dict[str, Any] = {
        "HttpBody": HttpBody,
        "asyncio": asyncio,
        "grpc": grpc,
        "re": re,
        "tempfile": tempfile,
    }
    for block in code("python"):
        exec(compile(block.replace("request.id", "request.name"), "files.md", "exec"), names)  # noqa: S102  a page of ours
    return names


class Archives:
    """Keeps what is added, by the id."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, str]] = {}

    async def read(self, name: str) -> AsyncIterator[bytes]:
        for byte in DOCUMENT:
            yield bytes([byte])

    def add(self, name: str, path: str, content_type: str) -> Got:
        self.kept[name] = (Path(path).read_bytes(), content_type)
        return Got(name=name)


class Servicer(files_pb2_grpc.FilesServicer):
    """The methods of the page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archives = Archives()
        self.documents = {"7": DOCUMENT}
        shown = methods()
        self.Get = shown["Read"].__get__(self)  # type: ignore[method-assign]
        self.Download = shown["Download"].__get__(self)  # type: ignore[method-assign]
        self.UploadHeld = shown["Upload"].__get__(self)  # type: ignore[method-assign]

    async def Fill(self, request: Form, context: Any) -> Form:
        return request


@pytest.fixture
async def servicer(tmp_path: Path) -> Servicer:
    return Servicer(tmp_path)


@pytest.fixture
async def address(servicer: Servicer) -> AsyncIterator[str]:
    transcoder = Transcoder(service_config=CONFIG)
    files_pb2_grpc.add_FilesServicer_to_server(servicer, transcoder)  # type: ignore[arg-type]
    yield await transcoder.start("127.0.0.1:0")
    await transcoder.stop()


async def output(folder: Path, program: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, cwd=folder
    )
    async with asyncio.timeout(WAIT_S):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_curl_goes_on_with_a_download_and_asks_for_ranges(
    address: str, tmp_path: Path
) -> None:
    (tmp_path / "half").write_bytes(DOCUMENT[:4])
    url = f"http://{address}/v1/documents/7"
    await output(tmp_path, "curl", "-sS", "-C", "-", "-o", "half", url)
    assert (tmp_path / "half").read_bytes() == DOCUMENT
    assert await output(tmp_path, "curl", "-sS", url) == DOCUMENT.decode()
    shown = ("-w", " %{http_code} %header{content-range}")
    ask = ("curl", "-sS", *shown, url)
    assert await output(tmp_path, *ask, "-r", "2-4") == "234 206 bytes 2-4/10"
    refused = await output(tmp_path, *ask, "-r", "10-")
    assert refused == '{"code":11,"message":"no such range"} 416 bytes */10'
    assert await output(tmp_path, *ask, "-r", "1-2,4-5") == f"{DOCUMENT.decode()} 200 "


async def test_curl_saves_a_download_under_its_name(address: str, tmp_path: Path) -> None:
    await output(tmp_path, "curl", "-sSOJ", f"http://{address}/v1/archives/7")
    assert (tmp_path / "archive.tar").read_bytes() == DOCUMENT


async def test_curl_sends_the_upload_and_the_form_of_the_page(
    servicer: Servicer, address: str, tmp_path: Path
) -> None:
    upload, form = (command.replace("127.0.0.1:8080", address) for command in code("sh"))
    (tmp_path / "archive.tar").write_bytes(DOCUMENT * 100_000)
    (tmp_path / "photo.png").write_bytes(DOCUMENT)
    assert json.loads(await output(tmp_path, "sh", "-ec", upload)) == {"name": "7"}
    assert servicer.archives.kept == {"7": (DOCUMENT * 100_000, "application/x-tar")}
    told = json.loads(await output(tmp_path, "sh", "-ec", form))
    assert told["tags"] == ["sea", "sun"]
    assert told["file"]["contentType"] == "image/png"
    assert told["file"]["extensions"][0]["value"] == {"filename": "photo.png"}


async def test_fetch_sends_form_data(address: str, tmp_path: Path) -> None:
    program = f"""
        const form = new FormData();
        form.append("file", new File(["\\u0000\\r\\n"], 'ä";.bin', {{type: "a/b"}}));
        form.append("tags", "a\\r\\nb");
        form.append("count", "7");
        const answer = await fetch("http://{address}/v1/photos", {{method: "POST", body: form}});
        console.log(await answer.text());
    """
    said = await output(
        tmp_path, installed_node(), "--input-type=module", "-e", textwrap.dedent(program)
    )
    told = json.loads(said)
    assert (told["count"], told["tags"]) == (7, ["a\r\nb"])
    file = told["file"]
    assert (file["contentType"], file["data"]) == ("a/b", "AA0K")
    assert file["extensions"][0]["value"] == {"filename": "ä%22;.bin"}  # as HTML has it
