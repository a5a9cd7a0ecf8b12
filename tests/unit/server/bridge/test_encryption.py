"""Payloads that are JWEs: which a key opens, and which never."""

import base64
import json
from typing import Any, Final

import pytest
from jwt.utils import base64url_decode, base64url_encode

from server.bridge.encryption import decrypted
from server.bridge.encryption_keys import EncryptionKey, KeyType, new_key
from server.bridge.signature import BadSignature
from tests.support.tables import cases
from tests.support.zitadel import as_jwe

CONTENT: Final = b"eyJhbGciOiJFUzI1NiJ9.e30.c2ln"

# Keys and tokens that another implementation, joserfc 1.8, made.
RSA_KEY: Final = (
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCcr2Wap+9oXd6AD08wKDS73WGtD6TghPL3AB5/"
    "GdlEV02JuStUeXnr7+Ajokb4Y8Lxh9pYXJLgXiruwrhM1fcSKyJXVMLRquVY2NqR7VaPVsDuFuf03X7K6K4iP7c3"
    "WTcd1sabwGJY6fP0VPGeOQ9oyqMQq7QyEcS7uedP3QmD1FhpJvMUJn03hbbLKlqpXKp0jTVe2j+BJowgNVMGNxsK"
    "U7vpJ3QVlnkLpXnAecnkD+rEWjpkxs4w8HLWFvNKF9n951QAM0zciuZQ6M+oXqM1+LjRLUqOaE/pHPST1LLatm1X"
    "svPjSR1eTUJQfP08faG7ziYsw83i9ljzO25hOM3FAgMBAAECggEABejdpwQk1PsOtyYcq/8ljLJltTkiVFo0rxlA"
    "4oqvNah/Ta2qEzZpC/uQ/iG9ldpuvLJi4LNOfN+VtJ9Wg9thcBIoFO18UvEkU6y2LbaAbclCtJgw6SeTg9lb0Vc1"
    "igUM6Ey0p/o3xg0TkkhukTOrakiToZTVp+Ugq53wOgRnD/hFZNdt2f7i9uQhseRAFUpJJFBpO+m0yZz/guE4GfJp"
    "C8E4pWNVWKXDjiuMw9Ou2QLdcq1h/aeMBbsJzPAbL67pzQdEEErVviybze8MV5g2B6CmBSOfzk5wj0pNT3w6kQWU"
    "UqpQ4lFVqQwTelMGnGT3PNA+0QQ+hJuWUX+9roJwbwKBgQDR6HhDgY5uCSyQhVHU8Ubm1qP5EFCuNYDA1cNiCf1h"
    "v2OefGK0m7QHDDTuNGNltD04UfWcQARFTLbDAlmEvHueT5Yt4pbEs0V1mU9nchI+RNRPbxnY98ytVaH0MTTTfLCP"
    "JuRJo/rOx7UdAiNfMgOO9hjBFQG6NOPdI8yPGgp7owKBgQC/Fx1CCo0wXNtpEjBZglSD8ol3PL9QtKtbR1TbuDci"
    "p6eGXH5Qw98lCYbIwC/eM/YAFUT6WUgZs3TR/Uep2YggI2AJJTvvVIIvOVlooPvo9GLY4Kd7H6c7LOCXFG1uG7Uw"
    "LEmprlvTIa1oq1pMF+F9CZkxqXhrhR4tVQui7KandwKBgQC6R8PypJbxr9KMrsPgZf61/OWnsoLnFzQb7Zhm+NaU"
    "WHTfwSMXhNZPKtYOTw+mwj1SLen5sBYaKepHRV6MHXjXFWoBboS+KxoJMvT0qJboC80ecUpO8hoB+WyweLqYtJ87"
    "axhNAekieLiR9cPOR2RBCsUNFMdjqGxPY+W1WTbUYQKBgH81d/i65XrIlhfAUAeGR5T/JJwICKRFYb2GIuuSGsIr"
    "Mc60TDKf8jDJwrxplHQryxwLDLxMKz9Qw/f20Ho1ofUjF49/BgMxEuk1GFwarxhJeHRAOb4xODagjXKF2sNuFpRX"
    "J0KaG+7VgIcpaxc03ptKhH0XAF8zYv9ymih/ugHJAoGBALWa7s0au90dHEcf5BRgc8pHBtsffN/g5b7nwI+7kOBW"
    "pNZzT/snSbSlyoJh+sceedk7eLVpYfA1DVazH2UUisr6wkR32MjPRY9v5SsfO+a2kAZDQGpnuGm52YLwkutzRBhA"
    "Uwz0MRiM82EnCR6YaNCBsTdULknZbGl1Kp/MWz72"
)
RSA_TOKEN: Final = (
    "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiMzE4ODM4NzAwMDAwMDAwMDAxIiwi"
    "dHlwIjoiSldUIiwiY3R5IjoiSldUIn0.gvckB1NLBzUlBNsY08ukTzibL4UfhmxB3S_BskJE6Y5dQiau63-GfekG"
    "VUAf1H-OZwm32k7iQUTChRpdSDbIqGV5GzrhJrTWkkgvoEegkuuUDd7BrGoWIxTyyngPy_8HP6BDMXNAYAvfX8a4"
    "sBJVSt-U5QeGLp1usmhnZ3RGmX47wdrRN6mSc7sY3k40HkRv-tdxGhT27G8rRXjHkvA-dJQXaYKH1apgwmueENtP"
    "ZHXMwaG8xlvSQ9wP3-NmHIe4rpjkhBuOuvsfftdVahnt83gkV4FEz43zLb7D20dn4cbUi7YDeIOO75ixA69JxuV1"
    "bU5AH53q7gIZIxFBbXB5Eg.hyxaxCWR97qzkeSF.Z43jVaFXlmyE5y7664IGKilNTW_z1RP2r2JYBUI.UFS-Wo3Y"
    "9kAvsngGqqSoEw"
)
EC_KEY: Final = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghRTnqmMSpRWUuZsBRYIAC5d2awBUeDbT+/OCMFmO"
    "deihRANCAARP4yOMD7ugFT+PM3M6trzSr7dTejI+PmSg+aYohqWOUK9w3rjoFFaUlmMwmA1tq8xCsM0J7S9X2lYS"
    "U4Xqhf4r"
)
EC_TOKEN: Final = (
    "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImVuYyI6IkEyNTZHQ00iLCJraWQiOiIzMTg4Mzg3MDAwMDAwMDAwMDEi"
    "LCJ0eXAiOiJKV1QiLCJjdHkiOiJKV1QiLCJlcGsiOnsiY3J2IjoiUC0yNTYiLCJ4IjoiSXdwdGZ5Z2oyRjNCQVZu"
    "MlFnbzhrMEV0NjIzSUJOM0VxQXlaSDJ2RG04MCIsInkiOiI2RG04TTNYdVZfdHM1WWZQdTM1WmQxWnYxaTNrRTVf"
    "ZEMxT2RTYkxLYW1vIiwia3R5IjoiRUMifX0.KGj7d2vH_E28EoqmI23imkdECLIKyoeyGuOYTkPdXNNhkfj_pnUe"
    "9w.YLEiBSBfpryXuxYI.wnZKKlznuqogKXBN68-GjyhhEkp0UQiEQnvnGYw.-iA0UgXGMybq2jEvtW7_lw"
)

# Tokens to the same keys by go-jose 4.0, which is what a ZITADEL encrypts with.
GO_CONTENT: Final = (
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImstRWREU0EifQ.eyJmdW5jdGlvbiI6ImZ1bmN0aW9uL3ByZXVzZXJpbmZvI"
    "n0.F-MOBC1_qDkymEH_7oZwcb2hZVw4IiPMsO0PuYoMJAqIIV9GodUE_r8On8sBHdpXAw7dqPT15UhygUnPv6ZVB"
    "Q"
)
GO_RSA_TOKEN: Final = (
    "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiMzE4IiwidHlw"
    "IjoiSldUIn0.e96aaCifWzWzTrPdGNDolczLgydnv48Y3aFTj7GABdLKQ4mSMRbjq04_LPn04jHSIE8fEd8Gy_PC"
    "dg98Nl23IXuSF5c56H6ahLGo-Pf3RcsXhBIE1lSLMSUiDLbTG3nkO_F-adbihAb0z7_nY32FZVcGX16_c7s_dKGg"
    "c61XdcYdD-W88JlrcB5RxGxd2EBpi15EZRDp8hbL6PBxnukt0TnaQnvRGTu5txwvzlKFHeoYbvmLOd2GYMAZ9IEb"
    "N6UGUj-tN8G9sOZYI9VJZg7Dyfl3yfGk7Ni6zNCxTrlGTHcSURe5q51ba_cZ_umEp6A20oRhEf3xLgqnwVHYewh6"
    "fQ._2pg_IpMxCtK4neM.UF6Uj8dLmu64BUCsH8-uDo7Thjuot37_U7Qke-entC6ISRSuO6HmzcM522cef08FFQGn"
    "G-C73sNgX2b5MezSW3LAJ5IfCrlQ37yfQvcYpiBwzGH8DiDWA6EDJzx730Wkp8B3bn36Y4M8s36Uk3p05LiZ0rkC"
    "-fXOGNFAA4IK_2Q48T_r_dgLJd5kHTgXvLnKIxOY2alwj0EJ7KhU1e_pTJhHcz668I6HLxF-3kqPAD-N.MXE0I6L"
    "JSbv5ED6ZoY5Xyg"
)
GO_EC_TOKEN: Final = (
    "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImN0eSI6IkpXVCIsImVuYyI6IkEyNTZHQ00iLCJlcGsiOnsia3R5Ijoi"
    "RUMiLCJjcnYiOiJQLTI1NiIsIngiOiJqNlZKc040OGh3YUpseGt5a0RETGdGUWt3SnpJTXdidlkzbk9Vd1VHWnRN"
    "IiwieSI6ImNYcHROUW5CR2U4bTBDR1luUER6VnJ1dHZZTzdBTXY4N0hveDNSUlp1eXMifSwia2lkIjoiMzE4Iiwi"
    "dHlwIjoiSldUIn0.Lzpba1atYZuQCHrGpB62lOC9qgmgb4iQU8HndsOz3kNzZbBVFSvUFA.kRv-vfXjdncuP8ON."
    "tnq6nMRUDU0UjZUds5qKrA6Ti-NCGdscC4CcSHoM-Ytg3Q9fHms29IT6ZDBZh6KNVDwA8RVTTVWwDx-pqKQtYVz4"
    "Omo8vMMNL2TSrmXrtWkbouvHcMgzdCr4q15o5wMfuxcPe_Gq7XXG9BDK7PhKsXSd9ifrmZkP8HiYvcouRgwMzjFs"
    "oRTjmj4uJbKSyU9iNeiTSW-FRkcTh7IEWEQpXaTZXFH6qE9yDQhVaBYz06q4.RNR2Khlnnrsyni2fEmcH1w"
)


def theirs(type_: KeyType, key: str) -> EncryptionKey:
    return EncryptionKey("1", type_, 1, base64.b64decode(key))


RSA: Final = new_key("2", KeyType.RSA, created_at=1)
EC: Final = new_key("3", KeyType.EC, created_at=1)
BOTH: Final = (RSA, EC)


@cases(
    "key, token, content",
    {
        "RSA-OAEP-256": (theirs(KeyType.RSA, RSA_KEY), RSA_TOKEN, CONTENT),
        "ECDH-ES+A256KW": (theirs(KeyType.EC, EC_KEY), EC_TOKEN, CONTENT),
        "RSA-OAEP-256 by go-jose": (
            theirs(KeyType.RSA, RSA_KEY), GO_RSA_TOKEN, GO_CONTENT.encode(),
        ),
        "ECDH-ES+A256KW by go-jose": (
            theirs(KeyType.EC, EC_KEY), GO_EC_TOKEN, GO_CONTENT.encode(),
        ),
    },
)  # fmt: skip
def test_tokens_of_other_implementations_are_opened(
    key: EncryptionKey, token: str, content: bytes
) -> None:
    assert decrypted(token.encode(), [key, *BOTH]) == content


@cases("key", {"RSA": RSA, "a curve": EC})
def test_a_token_is_opened_by_the_key_that_it_is_encrypted_to(key: EncryptionKey) -> None:
    token = as_jwe(CONTENT, key.public_pem())
    assert decrypted(token, BOTH) == CONTENT
    other = new_key("4", key.type, created_at=2)
    assert decrypted(token, (*BOTH, other)) == CONTENT


RSA_SENT: Final = as_jwe(CONTENT, RSA.public_pem())
EC_SENT: Final = as_jwe(CONTENT, EC.public_pem())


def changed(token: bytes, part: int, change: Any = None, **members: Any) -> bytes:
    """A token with another part, or with other members in its header."""
    parts = token.split(b".")
    octets = base64url_decode(parts[part])
    made = json.dumps({**json.loads(octets), **members}).encode() if members else change(octets)
    parts[part] = base64url_encode(made)
    return b".".join(parts)


def flipped(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


POINT: Final = json.loads(base64url_decode(EC_SENT.split(b".")[0]))["epk"]
WRONG: Final = "not encrypted to a key of the target"


def by(alg: str, enc: str) -> str:
    return f"expected a JWE by RSA-OAEP-256 or ECDH-ES+A256KW with A256GCM, got {alg} with {enc}"


@cases(
    "token, reason",
    {
        "nothing": (b"", "expected a JWE"),
        "a JWT": (CONTENT, "expected a JWE"),
        "octets that are no text": (b"\xff.a.a.a.a", "expected a JWE"),
        "an empty part": (b"a..a.a.a", "expected a JWE"),
        "a header that is no JSON": (changed(RSA_SENT, 0, lambda _: b"{"), "expected a JWE"),
        "a long header": (changed(RSA_SENT, 0, long="x" * 4096), "expected a JWE"),
        "another algorithm": (changed(RSA_SENT, 0, alg="RSA-OAEP"), by("RSA-OAEP", "A256GCM")),
        "a shared key": (changed(RSA_SENT, 0, alg="dir"), by("dir", "A256GCM")),
        "a curve without wrapping": (changed(EC_SENT, 0, alg="ECDH-ES"), by("ECDH-ES", "A256GCM")),
        "another encryption": (
            changed(RSA_SENT, 0, enc="A128GCM"), by("RSA-OAEP-256", "A128GCM"),
        ),
        "to be inflated": (changed(RSA_SENT, 0, zip="DEF"), "expected a JWE without zip and crit"),
        "a critical extension": (
            changed(RSA_SENT, 0, crit=["x"], x=1), "expected a JWE without zip and crit",
        ),
        "a header that was changed": (changed(RSA_SENT, 0, kid="2"), WRONG),
        "a wrapped key that was changed": (changed(RSA_SENT, 1, flipped), WRONG),
        "a wrapped key of a curve that was changed": (changed(EC_SENT, 1, flipped), WRONG),
        "a short wrapped key": (changed(EC_SENT, 1, lambda octets: octets[:8]), WRONG),
        "a vector that was changed": (changed(RSA_SENT, 2, flipped), WRONG),
        "a short vector": (changed(RSA_SENT, 2, lambda octets: octets[:1]), WRONG),
        "a content that was changed": (changed(RSA_SENT, 3, flipped), WRONG),
        "a tag that was changed": (changed(RSA_SENT, 4, flipped), WRONG),
        "a short tag": (changed(RSA_SENT, 4, lambda octets: octets[:4]), WRONG),
        "a point that is missing": (changed(EC_SENT, 0, epk={}), WRONG),
        "a point off the curve": (changed(EC_SENT, 0, epk={**POINT, "x": POINT["y"]}), WRONG),
        "a point of another curve": (changed(EC_SENT, 0, epk={**POINT, "crv": "P-384"}), WRONG),
        "the other type of key": (changed(RSA_SENT, 0, alg="ECDH-ES+A256KW"), WRONG),
        "to a key that was dropped": (
            as_jwe(CONTENT, new_key("9", KeyType.RSA, created_at=1).public_pem()), WRONG,
        ),
        "to a key of a curve that was dropped": (
            as_jwe(CONTENT, new_key("9", KeyType.EC, created_at=1).public_pem()), WRONG,
        ),
    },
)  # fmt: skip
def test_a_token_that_no_key_opens_is_refused(token: bytes, reason: str) -> None:
    with pytest.raises(BadSignature) as refused:
        decrypted(token, BOTH)
    assert str(refused.value) == f"payload: {reason}"


def test_without_keys_nothing_is_opened() -> None:
    with pytest.raises(BadSignature):
        decrypted(RSA_SENT, ())
