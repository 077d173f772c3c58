"""Sealing: what goes in comes out for its receiver, and for nobody else, and nothing can be changed."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.base.errors import MessageRefusalError
from qrealm.control.security import new_identity, open_sealed, public_of, seal

IDENTITY = new_identity()
KEY = bytes(range(40))
HEADER = {"id": "1", "sender": "ann", "receiver": "bob", "sent_at": 1.25, "listened": False}


def sealed_for(identity=IDENTITY, data=b"words", header=HEADER, key=KEY):
    return seal(public_of(identity), key, header, data)


@settings(max_examples=25)
@given(data=st.binary(max_size=5000), key=st.binary(min_size=32, max_size=300))
def test_what_is_sealed_comes_out(data, key):
    assert open_sealed(IDENTITY, HEADER, sealed_for(data=data, key=key)) == data


def test_the_seal_hides_data_and_key():
    sealed = sealed_for(data=b"the harbour at noon" * 3)
    told = sealed.blob + b"".join(
        base64.b64decode(text) for name, text in sealed.opening.items() if name != "scheme"
    )
    assert b"harbour" not in told
    assert KEY not in told


def test_two_seals_of_the_same_share_nothing():
    one, two = sealed_for(), sealed_for()
    assert one.blob[:12] != two.blob[:12]
    assert one.blob[12:] != two.blob[12:]
    assert all(
        one.opening[name] != two.opening[name] for name in ("ephemeral", "encapsulation", "wrapped_key")
    )


def test_it_opens_for_its_receiver_alone():
    with pytest.raises(MessageRefusalError, match="does not open"):
        open_sealed(new_identity(), HEADER, sealed_for())


@pytest.mark.parametrize("name", sorted(HEADER))
def test_a_changed_header_does_not_open(name):
    for header in ({**HEADER, name: "other"}, {k: v for k, v in HEADER.items() if k != name}):
        with pytest.raises(MessageRefusalError, match="does not open"):
            open_sealed(IDENTITY, header, sealed_for())


def test_an_added_header_does_not_open():
    with pytest.raises(MessageRefusalError, match="does not open"):
        open_sealed(IDENTITY, {**HEADER, "more": 1}, sealed_for())


def test_no_byte_of_the_blob_can_change():
    sealed = sealed_for()
    for place in range(len(sealed.blob)):
        changed = bytearray(sealed.blob)
        changed[place] ^= 1
        with pytest.raises(MessageRefusalError, match="does not open"):
            open_sealed(IDENTITY, HEADER, replace(sealed, blob=bytes(changed)))
    for length in (0, 5, 12, len(sealed.blob) - 1):
        with pytest.raises(MessageRefusalError, match="does not open"):
            open_sealed(IDENTITY, HEADER, replace(sealed, blob=sealed.blob[:length]))


@pytest.mark.parametrize("name", ["ephemeral", "encapsulation", "wrapped_key"])
def test_no_byte_of_what_opens_it_can_change(name):
    sealed = sealed_for()
    raw = base64.b64decode(sealed.opening[name])
    for place in {*range(0, len(raw), 37), len(raw) - 1}:
        changed = bytearray(raw)
        changed[place] ^= 128
        opening = {**sealed.opening, name: base64.b64encode(bytes(changed)).decode()}
        with pytest.raises(MessageRefusalError):
            open_sealed(IDENTITY, HEADER, replace(sealed, opening=opening))
    for text in ("", "no base64!", base64.b64encode(raw[:-1]).decode(), 7):
        with pytest.raises(MessageRefusalError):
            open_sealed(IDENTITY, HEADER, replace(sealed, opening={**sealed.opening, name: text}))


def test_parts_of_two_messages_do_not_mix():
    one, two = sealed_for(), sealed_for()
    for name in ("ephemeral", "encapsulation", "wrapped_key"):
        opening = {**one.opening, name: two.opening[name]}
        with pytest.raises(MessageRefusalError, match="does not open"):
            open_sealed(IDENTITY, HEADER, replace(one, opening=opening))


def test_a_key_of_small_order_is_refused():
    sealed = sealed_for()
    zeros = base64.b64encode(bytes(32)).decode()
    with pytest.raises(MessageRefusalError, match="gives no secret"):
        open_sealed(IDENTITY, HEADER, replace(sealed, opening={**sealed.opening, "ephemeral": zeros}))


def test_another_scheme_is_refused():
    sealed = sealed_for()
    with pytest.raises(MessageRefusalError, match="sealed as 'plain'"):
        open_sealed(IDENTITY, HEADER, replace(sealed, opening={**sealed.opening, "scheme": "plain"}))
    opening = {name: text for name, text in sealed.opening.items() if name != "ephemeral"}
    with pytest.raises(MessageRefusalError, match="cannot be opened"):
        open_sealed(IDENTITY, HEADER, replace(sealed, opening=opening))


def test_the_quantum_key_counts():
    """Who broke both exchanges has every secret but the quantum key: with each of 256 others instead of the
    right one nothing opens. The steps are written out from the public description."""
    sealed = sealed_for()
    x25519 = X25519PrivateKey.from_private_bytes(IDENTITY[-96:-64])
    kem = MLKEM768PrivateKey.from_seed_bytes(IDENTITY[-64:])
    raw = {name: base64.b64decode(sealed.opening[name]) for name in ("ephemeral", "encapsulation")}
    exchanged = x25519.exchange(X25519PublicKey.from_public_bytes(raw["ephemeral"]))
    exchanged += kem.decapsulate(raw["encapsulation"])
    opening = {name: text for name, text in sealed.opening.items() if name != "wrapped_key"}
    public = base64.b64encode(public_of(IDENTITY)).decode()
    told = json.dumps([public, HEADER, opening], sort_keys=True, separators=(",", ":"))
    transcript = sha256(told.encode()).digest()

    def opened_with(quantum_key):
        info = b"qrealm sealing 1 message " + transcript
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(quantum_key + exchanged)
        return AESGCM(key).decrypt(sealed.blob[:12], sealed.blob[12:], transcript)

    assert opened_with(KEY) == b"words"
    for other in range(256):
        wrong = KEY[:-1] + bytes([other])
        if wrong != KEY:
            with pytest.raises(InvalidTag):
                opened_with(wrong)


@pytest.mark.parametrize("length", [0, 16, 31])
def test_a_short_quantum_key_is_refused(length):
    with pytest.raises(MessageRefusalError, match="at least 256"):
        sealed_for(key=os.urandom(length))


def test_identities_hold_both_private_keys():
    identity = new_identity()
    assert identity != new_identity()
    x25519 = X25519PrivateKey.from_private_bytes(identity[-96:-64]).public_key().public_bytes_raw()
    kem = MLKEM768PrivateKey.from_seed_bytes(identity[-64:]).public_key().public_bytes_raw()
    assert public_of(identity).endswith(x25519 + kem)
    assert X25519PublicKey.from_public_bytes(x25519)
    assert len(kem) == 1184


@pytest.mark.parametrize("broken", [b"", b"else", IDENTITY[:-1], IDENTITY + b"x", IDENTITY[1:]])
def test_what_is_no_identity_is_refused(broken):
    with pytest.raises(MessageRefusalError, match="not an identity"):
        public_of(broken)
    with pytest.raises(MessageRefusalError, match="not a public identity"):
        seal(broken, KEY, HEADER, b"")


def test_an_invalid_public_kem_key_is_refused():
    public = public_of(IDENTITY)
    with pytest.raises(MessageRefusalError, match="not valid"):
        seal(public[:-1184] + b"\xff" * 1184, KEY, HEADER, b"")
