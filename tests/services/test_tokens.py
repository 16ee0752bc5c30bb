"""JSON Web Tokens: signature, time, audience and issuer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from dicomquest import UserIdentityNegotiation
from dicomquest.errors import AccessError
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.admission import AccessRules
from dicomquest.services.tokens import LEEWAY, TokenKey, read_key
from dicomquest.services.user_verification import Unverified, UserVerification, Verified
from fixtures.admitting import IN, NOT_BELIEVED, admitting, associate, outcome

ASKER = Identity("SCU", "127.0.0.1")
SECRET = b"0123456789abcdef0123456789abcdef"
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def claims(**changes: Any) -> dict[str, Any]:
    made = {"sub": "ann", "exp": time.time() + 600} | changes
    return {name: value for name, value in made.items() if value is not None}


def token(**changes: Any) -> bytes:
    return jwt.encode(claims(**changes), SECRET, "HS256").encode()


def public(key: Any) -> bytes:
    encoded: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def verify(key: TokenKey, given: bytes) -> Verified | Unverified:
    return key.verify(UserIdentityRQ(5, given), ASKER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(SECRET + b"\n")
    return path


def test_token_is_verified_over_the_wire(path: Path) -> None:
    with admitting(AccessRules(), UserVerification([read_key(path)], penalty=0)) as port:
        given = [token(), token(exp=time.time() - 600), b"x.y.z", b""]
        outcomes = [
            outcome(associate(port, user=UserIdentityNegotiation(5, each))) for each in given
        ]
    assert outcomes == [IN, NOT_BELIEVED, NOT_BELIEVED, NOT_BELIEVED]


@pytest.mark.parametrize("algorithm", KEYS)
def test_public_key_verifies_its_signature(path: Path, algorithm: str) -> None:
    path.write_bytes(public(KEYS[algorithm]))
    key = read_key(path)
    signed = jwt.encode(claims(), KEYS[algorithm], algorithm).encode()
    assert verify(key, signed) == Verified("ann")
    for other in KEYS.keys() - {algorithm}:
        forged = jwt.encode(claims(), KEYS[other], other).encode()
        assert isinstance(verify(key, forged), Unverified)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": time.time() - LEEWAY - 60},
        {"nbf": time.time() + LEEWAY + 86_400},
        {"sub": None},
        {"sub": ""},
        {"aud": "other"},
    ],
)
def test_token_that_does_not_hold_is_refused(path: Path, changes: dict[str, Any]) -> None:
    key = read_key(path)
    assert isinstance(verify(key, token(**changes)), Unverified)
    assert verify(key, token()) == Verified("ann")


def test_audience_and_issuer_have_to_be_those_given(path: Path) -> None:
    key = read_key(path, "archive", "hospital")
    assert verify(key, token(aud="archive", iss="hospital")) == Verified("ann")
    for wrong in ({}, {"aud": "archive"}, {"aud": "archive", "iss": "x"}, {"iss": "hospital"}):
        assert isinstance(verify(key, token(**wrong)), Unverified)


def test_token_does_not_choose_its_algorithm(path: Path) -> None:
    """Neither "none" nor the public key as a shared secret is believed."""
    none = jwt.encode(claims(), "", "none").encode()
    assert isinstance(verify(read_key(path), none), Unverified)
    path.write_bytes(public(KEYS["RS256"]))
    key = read_key(path)
    assert not any(name.startswith("HS") for name in key.algorithms)
    assert isinstance(verify(key, none), Unverified)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"short", "5 bytes; at least 32"),
        (b"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n", "expected a public key"),
        (None, "No such file"),
    ],
)
def test_unfit_key_is_told(path: Path, content: bytes | None, words: str) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(AccessError, match=words):
        read_key(path)
