"""Comparisons of `make bench` without a server: both sides must do the same work."""

from typing import Any
from unittest import mock

import pytest

from tests.bench.authorized import AUTHORIZATIONS
from tests.bench.cases import LOOPS, thirty_fields
from tests.bench.load import WrongAnswer
from tests.bench.loops import Loop
from tests.bench.validated import VALIDATIONS
from tests.proto.kinds_pb2 import Kinds
from transcoder.codec.codec import Codec


@pytest.mark.parametrize(
    "loop", [pytest.param(loop, id=loop.name) for loop in (*LOOPS, *AUTHORIZATIONS, *VALIDATIONS)]
)
def test_both_sides_of_a_ratio_are_right_before_they_are_measured(loop: Loop) -> None:
    loop.prepare()()


@pytest.mark.parametrize("name", ["encode-thirty", "decode-thirty-json-format"])
def test_a_codec_that_is_wrong_is_not_measured(name: str) -> None:
    wrong: Any = mock.Mock(encoder=lambda _: lambda _: b"{}", encode=lambda _: b"{}")
    wrong.decoder = Codec().decoder
    (loop,) = (loop for loop in LOOPS if loop.name == name)
    with mock.patch("tests.bench.cases.Codec", return_value=wrong), pytest.raises(WrongAnswer):
        loop.prepare()


def test_the_message_of_30_fields_has_them_all_set_but_the_other_of_a_oneof() -> None:
    is_set = {field.name for field, _ in thirty_fields().ListFields()}
    assert len(Kinds.DESCRIPTOR.fields) == 30
    assert {field.name for field in Kinds.DESCRIPTOR.fields} - is_set == {"place"}
