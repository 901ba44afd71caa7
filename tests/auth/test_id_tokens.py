"""Id tokens of other services: tokens with short keys, endless nesting or no signature are refused with a
reason."""

from __future__ import annotations

import base64
import json
import time
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import OctKey

from rollbook.auth.id_tokens import NotBelieved, verified

EXPECTED = {"issuer": "https://id.example", "client_id": "rollbook", "nonce": "n"}


@cache
def _key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _published(bits: int, **more: Any) -> dict[str, Any]:
    numbers = _key(bits).public_key().public_numbers()
    n, e = (_text(value.to_bytes((value.bit_length() + 7) // 8, "big")) for value in (numbers.n, numbers.e))
    return {"kty": "RSA", "kid": "1", "n": n, "e": e, **more}


def _signed(payload: str, bits: int = 2048, header: str = '{"alg":"RS256","kid":"1"}') -> str:
    told = f"{_text(header.encode())}.{_text(payload.encode())}"
    return f"{told}.{_text(_key(bits).sign(told.encode(), padding.PKCS1v15(), SHA256()))}"


def _claims(**more: Any) -> str:
    now = int(time.time())
    known = {
        "iss": EXPECTED["issuer"],
        "aud": "rollbook",
        "sub": "1",
        "nonce": "n",
        "iat": now,
        "exp": now + 60,
    }
    return json.dumps(known | more)


def _refusal(token: object, keys: Any) -> str:
    with pytest.raises(NotBelieved) as caught:
        verified(token, keys, **EXPECTED)
    return str(caught.value)


def test_a_good_token_is_believed() -> None:
    for more in (
        {},
        {"azp": "rollbook"},
        {"aud": ["rollbook"]},
        {"aud": ["rollbook", "x"], "azp": "rollbook"},
    ):
        assert verified(_signed(_claims(**more)), {"keys": [_published(2048)]}, **EXPECTED)["sub"] == "1"


def test_keys_that_cannot_be_used_are_passed_over() -> None:
    odd = [
        None,
        7,
        "x",
        {},
        {"kty": 1},
        {"kty": "RSA"},
        {"kty": "EC", "crv": "P-0"},
        {"kty": "later"},
        _published(1024, kid="0"),
    ]
    assert verified(_signed(_claims()), {"keys": [*odd, _published(2048)]}, **EXPECTED)["sub"] == "1"


@pytest.mark.parametrize("bits", [1024, 2040])
def test_a_short_key_verifies_nothing(bits: int) -> None:
    message = _refusal(_signed(_claims(), bits), {"keys": [_published(bits)]})
    assert message.endswith("RSA keys of fewer than 2048 bits, which are not used")


@pytest.mark.parametrize("keys", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}])
def test_a_service_without_keys_is_not_believed(keys: dict[str, Any]) -> None:
    assert _refusal(_signed(_claims()), keys) == "publishes no keys"


DEEP = "[" * 200_000 + "]" * 200_000
UNREADABLE = {
    "nothing": "",
    "an object": {"a": 1},
    "words": "x.y.z",
    "another key": _signed(_claims(), 2048, '{"alg":"RS256","kid":"2"}'),
    "claims nested without end": _signed(f'{{"x":{"[" * 15_000}{"]" * 15_000}}}'),
    "a header nested without end": _signed(
        _claims(), 2048, f'{{"alg":"RS256","x":{"[" * 15_000}{"]" * 15_000}}}'
    ),
    "claims that are long": _signed(f'{{"x":{DEEP}}}'),
    "claims that are a list": _signed("[]"),
    "claims that are no JSON": _signed("{"),
    "a number without end": _signed(_claims().replace('"1"', "9" * 5000)),
    "no signature": f"{_text(b'{}')}.{_text(_claims().encode())}.",
    "no algorithm": f"{_text(json.dumps({'alg': 'none'}).encode())}.{_text(_claims().encode())}.",
    "a header that must be understood": _signed(
        _claims(), 2048, '{"alg":"RS256","kid":"1","crit":["x"],"x":1}'
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_token_is_refused_with_a_reason(what: str) -> None:
    assert _refusal(UNREADABLE[what], {"keys": [_published(2048)]}).startswith("sent ")


def test_a_public_key_is_no_shared_secret() -> None:
    secret = OctKey.import_key({"kty": "oct", "k": _text(b"x" * 32), "kid": "1"})
    token = jwt.encode({"alg": "HS256", "kid": "1"}, json.loads(_claims()), secret)
    assert "cannot be verified" in _refusal(token, {"keys": [secret.as_dict()]})
