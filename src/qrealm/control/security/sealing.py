"""Sealing: a message that only its receiver can open, and that nobody can change.

Three secrets are joined, so that whoever wants to read must have all of them: a key of quantum key
distribution, an X25519 exchange with an ephemeral key, and an ML-KEM-768 encapsulation (FIPS 203). HKDF-
SHA256 makes the message key of them, bound to the header and to all public values; AES-256-GCM encrypts,
with the header as additional data. Every key seals once. All primitives are those of the package
`cryptography`.

The receiver opens later, and has no memory of the quantum key but what lies with the message. So it lies
there wrapped: encrypted with AES-256-GCM under a key from the two exchanges alone. Hence:

* Who listens to the link between the ends, and has even broken both exchanges, lacks the quantum key.
* Who has the stored message, but not the receiver's identity, must break X25519 and ML-KEM-768 both. The
  quantum key adds nothing there.
* Who has the whole store has identities and messages, and reads everything. Its file is for its owner alone.
* A seal tells that nothing was changed since. It is no signature: whoever can write to the store can seal.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qrealm.base.errors import MessageRefusalError
from qrealm.control.security.identities import private_keys, public_keys, public_of

SCHEME = "BB84+X25519+ML-KEM-768/HKDF-SHA256/AES-256-GCM/1"
QUANTUM_KEY_BYTES_MIN = 32
_NONCE_BYTES = 12
_FIELDS = ("scheme", "ephemeral", "encapsulation", "wrapped_key")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed message.

    Attributes:
        blob: nonce of 12 bytes, then ciphertext and tag.
        opening: what the receiver needs besides their identity, as text: `scheme`, and in base64 `ephemeral`
            (public X25519 key), `encapsulation` (ML-KEM-768 ciphertext) and `wrapped_key` (nonce and
            ciphertext of the quantum key).
    """

    blob: bytes
    opening: Mapping[str, str]


def seal(receiver_public: bytes, quantum_key: bytes, header: Mapping[str, Any], data: bytes) -> Sealed:
    """Seal `data` for one receiver.

    Args:
        receiver_public: of `public_of`.
        quantum_key: at least 32 bytes that both ends share, used for this message alone.
        header: JSON values that the seal vouches for; the same must be given to open it.

    Raises:
        MessageRefusalError: no public identity, or the quantum key is too short.
    """
    if len(quantum_key) < QUANTUM_KEY_BYTES_MIN:
        raise MessageRefusalError(
            f"a message sealed with {8 * len(quantum_key)} bits from the pairs; at least 256 are needed"
        )
    receiver = public_keys(receiver_public)
    ephemeral = X25519PrivateKey.generate()
    shared, encapsulation = receiver.kem.encapsulate()
    exchanged = _exchange(ephemeral, receiver.x25519) + shared
    opening = {
        "scheme": SCHEME,
        "ephemeral": _text(ephemeral.public_key().public_bytes_raw()),
        "encapsulation": _text(encapsulation),
    }
    transcript = _transcript(receiver_public, header, opening)
    opening["wrapped_key"] = _text(_encrypt(_derive(exchanged, b"wrap", transcript), quantum_key, transcript))
    message_key = _derive(quantum_key + exchanged, b"message", transcript)
    return Sealed(_encrypt(message_key, data, transcript), opening)


def open_sealed(identity: bytes, header: Mapping[str, Any], sealed: Sealed) -> bytes:
    """What was sealed for this identity under this header.

    Raises:
        MessageRefusalError: anything was changed since, or it was sealed for somebody else.
    """
    opening = sealed.opening
    if set(opening) != set(_FIELDS) or opening["scheme"] != SCHEME:
        raise MessageRefusalError(
            f"a message sealed as {opening.get('scheme')!r} cannot be opened; {SCHEME!r} is known"
        )
    keys = private_keys(identity)
    transcript = _transcript(
        public_of(identity), header, {name: opening[name] for name in _FIELDS if name != "wrapped_key"}
    )
    try:
        ephemeral = X25519PublicKey.from_public_bytes(_bytes(opening["ephemeral"]))
        exchanged = _exchange(keys.x25519, ephemeral)
        exchanged += keys.kem.decapsulate(_bytes(opening["encapsulation"]))
        wrap = _derive(exchanged, b"wrap", transcript)
        quantum_key = _decrypt(wrap, _bytes(opening["wrapped_key"]), transcript)
        return _decrypt(_derive(quantum_key + exchanged, b"message", transcript), sealed.blob, transcript)
    except (InvalidTag, ValueError) as problem:
        raise MessageRefusalError(
            "a sealed message does not open: it was changed after sealing, or sealed for somebody else"
        ) from problem


def _exchange(private: X25519PrivateKey, public: X25519PublicKey) -> bytes:
    try:
        return private.exchange(public)
    except ValueError as problem:
        # All zeros: a key of small order, which anybody could have made.
        raise MessageRefusalError("the X25519 key of the other end gives no secret") from problem


def _transcript(public: bytes, header: Mapping[str, Any], opening: Mapping[str, str]) -> bytes:
    """Hash of everything public, in one fixed spelling."""
    text = json.dumps([_text(public), dict(header), dict(opening)], sort_keys=True, separators=(",", ":"))
    digest = Hash(SHA256())
    digest.update(text.encode())
    return digest.finalize()


def _derive(secret: bytes, use: bytes, transcript: bytes) -> bytes:
    info = b"qrealm sealing 1 " + use + b" " + transcript
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def _encrypt(key: bytes, data: bytes, vouched: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, vouched)


def _decrypt(key: bytes, blob: bytes, vouched: bytes) -> bytes:
    return AESGCM(key).decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], vouched)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError(f"base64 text is wanted, {type(text).__name__} came")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as problem:
        raise ValueError("this is no base64") from problem
