"""Keys to which payloads are encrypted."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from server.bridge.encryption_keys import KeyType, new_key


def test_an_rsa_key_has_2048_bits() -> None:
    public = load_pem_public_key(new_key("1", KeyType.RSA, created_at=1).public_pem().encode())
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == 2048


def test_a_key_of_a_curve_is_of_p_256() -> None:
    public = load_pem_public_key(new_key("1", KeyType.EC, created_at=1).public_pem().encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"


def test_what_is_printed_of_a_key_has_no_private_half() -> None:
    assert "private" not in repr(new_key("1", KeyType.EC, created_at=1))
