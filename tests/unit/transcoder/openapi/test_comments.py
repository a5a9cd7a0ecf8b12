"""Comments of .proto files, from a descriptor set."""

from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, text_format

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.openapi.comments import Comments

SET = text_format.Parse(
    """
file { name: "a.proto" package: "a.v1"
  message_type { name: "M" field { name: "f" number: 1 }
    nested_type { name: "N" field { name: "g" number: 1 } } }
  enum_type { name: "E" value { name: "E_ONE" number: 0 } }
  service { name: "S" method { name: "Get" options { deprecated: true } } }
  source_code_info {
    location { path: [4, 0] span: [0, 0, 0] leading_comments: " A message.\\n" }
    location { path: [4, 0, 2, 0] span: [0, 0, 0] trailing_comments: " Behind it.\\n" }
    location { path: [4, 0, 3, 0, 2, 0] span: [0, 0, 0] leading_comments: " Deep.\\n" }
    location { path: [5, 0, 2, 0] span: [0, 0, 0] leading_comments: " The one.\\n" }
    location { path: [6, 0, 2, 0] span: [0, 0, 0]
      leading_comments: " Gets <b>it</b> & more.\\n Of one line.\\n\\n   indented\\n" }
    location { path: [6, 0, 2, 0, 4, 33] span: [0, 0, 0] leading_comments: " An option.\\n" }
    location { path: [12] span: [0, 0, 0] leading_comments: " The syntax.\\n" } } }
""",
    descriptor_pb2.FileDescriptorSet(),
).SerializeToString()


@cases(
    "name, text",
    {
        "message": ("a.v1.M", "A message."),
        "field, behind it": ("a.v1.M.f", "Behind it."),
        "field of an inner message": ("a.v1.M.N.g", "Deep."),
        "value of an enum": ("a.v1.E.E_ONE", "The one."),
        "method": ("a.v1.S.Get", "Gets <b>it</b> & more.\nOf one line.\n\n  indented"),
        "none": ("a.v1.S", ""),
        "no such": ("b.v1.S", ""),
    },
)
def test_an_element_has_its_comment(name: str, text: str) -> None:
    assert Comments(SET).text(name) == text


def test_html_in_a_comment_is_text() -> None:
    description = Comments(SET).description("a.v1.S.Get")
    assert description.startswith("Gets &lt;b>it&lt;/b> &amp; more.")


def test_a_summary_is_the_first_sentence() -> None:
    assert Comments(SET).summary("a.v1.S.Get") == "Gets <b>it</b> & more"


def test_a_set_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "set.binpb"
    path.write_bytes(SET)
    assert Comments(path).text("a.v1.M") == "A message."


def test_without_a_set_nothing_has_a_comment() -> None:
    assert Comments(b"").text("a.v1.M") == ""


@pytest.mark.parametrize("content", [b"\xff", b"no descriptor set"])
def test_other_bytes_are_refused(content: bytes) -> None:
    text = "descriptor set: the bytes given: expected a FileDescriptorSet"
    with misconfigured(text):
        Comments(content)


def test_a_missing_file_is_refused() -> None:
    with misconfigured("descriptor set 'none.binpb': No such file or directory"):
        Comments("none.binpb")
