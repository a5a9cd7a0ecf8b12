"""Forms that are divided into parts: what clients send, and what is none."""

import pytest

from tests.support.tables import cases
from transcoder.binding.form import Part
from transcoder.errors import TranscodeError
from transcoder.http.multipart import PARTS_MAX, parts_of

FORM = "multipart/form-data; boundary=x-y"
NAMED = 'Content-Disposition: form-data; name="a"'


def form(*parts: tuple[str, bytes]) -> bytes:
    """A form of parts, each of which has a head and a content."""
    written = (b"--x-y\r\n%b\r\n\r\n%b\r\n" % (head.encode(), data) for head, data in parts)
    return b"".join(written) + b"--x-y--\r\n"


def part(data: bytes = b"1", *, name: str = "a", filename: str | None = None) -> Part:
    return Part(name, "", is_json=False, filename=filename, data=data)


@cases(
    "head, data, expected",
    {
        "a text": (NAMED, b"1", part()),
        "nothing": (NAMED, b"", part(b"")),
        "line breaks at both ends": (NAMED, b"\r\n1\r\n", part(b"\r\n1\r\n")),
        "what looks like a boundary": (NAMED, b"\r\n--x\r\n-x-y", part(b"\r\n--x\r\n-x-y")),
        "a large file": (NAMED, b"\x00\r\n" * 100_000, part(b"\x00\r\n" * 100_000)),
        "a name without quotes": ("content-disposition:form-data ;name=a", b"1", part()),
        "a name of a file": (f'{NAMED}; filename="f.txt"', b"1", part(filename="f.txt")),
        "a path": (f'{NAMED}; filename="../../etc/x"', b"1", part(filename="../../etc/x")),
        "a path of another system": (
            f'{NAMED}; filename="C:\\d\\f"',
            b"1",
            part(filename="C:\\d\\f"),
        ),
        "semicolons": (f'{NAMED}; filename="a;b;c\\"d"', b"1", part(filename='a;b;c"d')),
        "other letters": (f'{NAMED}; filename="ä\u202f"', b"1", part(filename="ä\u202f")),
        "one more form of the name": (f"{NAMED}; filename*=UTF-8''b", b"1", part()),
        "a field of the name _charset_": (
            'Content-Disposition: form-data; name="_charset_"',
            b"utf-8",
            part(b"utf-8", name="_charset_"),
        ),
        "a length": (f"{NAMED}\r\nContent-Length: 9", b"1", part()),
    },
)
def test_a_part_is_read(head: str, data: bytes, expected: Part) -> None:
    assert parts_of(form((head, data)), FORM) == [expected]


def test_parts_are_in_their_order_behind_what_is_no_part() -> None:
    body = form((NAMED, b"1"), (f"{NAMED}\r\nContent-Type: a/b+json", b"2"), (NAMED, b"3"))
    told = parts_of(b"preamble\r\n" + body + b"epilogue", 'Multipart/Form-Data; boundary="x-y"')
    assert [(each.data, each.is_json) for each in told] == [
        (b"1", False),
        (b"2", True),
        (b"3", False),
    ]


def test_a_form_may_be_empty() -> None:
    assert parts_of(b"--x-y--\r\n", FORM) == []


TWO = form((NAMED, b"1"), (NAMED, b"2"))


@cases(
    "body, content_type, message",
    {
        "no form": (b"{}", FORM, "form: part 1 is malformed, or has no end of its own"),
        "no boundary": (TWO, "multipart/form-data", "form: part 1 is malformed, or has no"),
        "a boundary of 71 characters": (TWO, f"{FORM}{'z' * 71}", "form: part 1 is malformed"),
        "no end": (TWO[:-9], FORM, "form: part 2 is malformed, or has no end of its own"),
        "no end of the first part": (TWO[:53], FORM, "form: part 1 is malformed, or has no"),
        "too many parts": (
            form(*[(NAMED, b"")] * (PARTS_MAX + 1)),
            FORM,
            "form: expected at most 100 parts",
        ),
        "a large header": (
            form((f"{NAMED}\r\nX: {'x' * 5000}", b"")),
            FORM,
            "form: expected headers of at most 4096 bytes",
        ),
        "many headers": (form((f"{NAMED}{chr(13)}\nX: y" * 20, b"")), FORM, "form: part 1 is malf"),
        "a header without a colon": (form(("nonsense", b"")), FORM, "form: part 1 is malformed"),
        "no name": (
            form(("Content-Disposition: form-data", b"")),
            FORM,
            "form: expected parts with Content-Disposition: form-data; name=\"…\", got 'form-data'",
        ),
        "no disposition": (
            form(("Content-Type: a/b", b"")),
            FORM,
            "form: expected parts with C",
        ),
        "an attachment": (
            form(('Content-Disposition: attachment; name="a"', b"")),
            FORM,
            "form: expected parts with Content-Disposition: form-data",
        ),
        "a name that is not closed": (
            form(('Content-Disposition: form-data; name="a', b"")),
            FORM,
            "form: expected parts with Content-Disposition: form-data",
        ),
        "a name that is not UTF-8": (
            form(('Content-Disposition: form-data; name="a"', b"")).replace(b'"a"', b'"\xff"'),
            FORM,
            "form: expected names in UTF-8",
        ),
        "many lines before the first part": (
            b"\n" * 10_000 + TWO,
            FORM,
            "form: expected at most 2000 lines around parts",
        ),
        "a coding": (
            form((f"{NAMED}\r\nContent-Transfer-Encoding: base64", b"AA==")),
            FORM,
            "form: expected no Content-Transfer-Encoding, got 'base64'",
        ),
        "parts within a part": (
            form((f"{NAMED}\r\nContent-Type: multipart/mixed; boundary=z", b"--z--")),
            FORM,
            "form: expected no parts within a part",
        ),
    },
)
def test_what_is_no_form_is_refused(body: bytes, content_type: str, message: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        parts_of(body, content_type)
    assert caught.value.http_status == 400
    assert caught.value.message.startswith(message)


def test_each_beginning_of_a_form_is_refused() -> None:
    for end in range(len(TWO) - len(b"--\r\n")):
        with pytest.raises(TranscodeError):
            parts_of(TWO[:end], FORM)
