"""Certificates of clients, in the words of gRPC."""

from typing import Any

import pytest

from tests.support.tables import cases
from transcoder.http.peer_certificates import auth_context_of


@pytest.mark.parametrize("certificate", [None, {}])
def test_a_client_without_a_certificate_is_unknown(certificate: dict[str, Any] | None) -> None:
    assert dict(auth_context_of(certificate)) == {}


def test_a_certificate_has_the_properties_of_grpc() -> None:
    certificate = {
        "subject": ((("organizationName", "Acme"),), (("commonName", "client"),)),
        "subjectAltName": (("DNS", "localhost"), ("IP Address", "127.0.0.1")),
    }
    assert dict(auth_context_of(certificate)) == {
        "transport_security_type": [b"ssl"],
        "x509_subject": [b"CN=client,O=Acme"],
        "x509_common_name": [b"client"],
        "x509_subject_alternative_name": [b"localhost", b"127.0.0.1"],
    }


@cases(
    "subject, expected",
    {
        "nothing": ((), ""),
        "two values in one part": (
            ((("commonName", "a"), ("userId", "b")),),
            "CN=a+UID=b",
        ),
        "another attribute": (((("emailAddress", "a@b"),),), "emailAddress=a@b"),
        "signs of the syntax": (
            ((("commonName", 'a,b+c"d\\e<f>g;h'),),),
            r"CN=a\,b\+c\"d\\e\<f\>g\;h",
        ),
        "a # first": (((("commonName", "#a"),),), r"CN=\#a"),
        "spaces around": (((("commonName", " a "),),), "CN=\\ a\\ "),
        "one space": (((("commonName", " "),),), "CN=\\ "),
    },
)
def test_a_subject_is_one_line(subject: Any, expected: str) -> None:
    certificate = {"subject": subject, "version": 3}
    assert auth_context_of(certificate)["x509_subject"] == [expected.encode()]
