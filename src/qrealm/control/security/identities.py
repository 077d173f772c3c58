"""Key pairs by which a container is known: X25519 and ML-KEM-768 (FIPS 203), held together as bytes."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from qrealm.base.errors import MessageRefusalError

_PRIVATE = b"qrealm identity 1\n"
_PUBLIC = b"qrealm public 1\n"
_X25519_BYTES = 32
_SEED_BYTES = 64
_KEM_PUBLIC_BYTES = 1184


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """Both private keys of an identity."""

    x25519: X25519PrivateKey
    kem: MLKEM768PrivateKey


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """Both public keys of an identity."""

    x25519: X25519PublicKey
    kem: MLKEM768PublicKey


def new_identity() -> bytes:
    """Fresh private keys, drawn from the operating system.

    Whoever has these bytes can read what is sealed for them.
    """
    x25519 = X25519PrivateKey.generate().private_bytes_raw()
    return _PRIVATE + x25519 + MLKEM768PrivateKey.generate().private_bytes_raw()


def public_of(identity: bytes) -> bytes:
    """What others may know of an identity. Raises MessageRefusalError when `identity` is none."""
    keys = private_keys(identity)
    return _PUBLIC + keys.x25519.public_key().public_bytes_raw() + keys.kem.public_key().public_bytes_raw()


def private_keys(identity: bytes) -> PrivateKeys:
    """The keys of what `new_identity` made. Raises MessageRefusalError when it is something else."""
    x25519, seed = _parts(identity, _PRIVATE, _SEED_BYTES, "an identity")
    return PrivateKeys(X25519PrivateKey.from_private_bytes(x25519), MLKEM768PrivateKey.from_seed_bytes(seed))


def public_keys(public: bytes) -> PublicKeys:
    """The keys of what `public_of` made. Raises MessageRefusalError when it is something else."""
    x25519, kem = _parts(public, _PUBLIC, _KEM_PUBLIC_BYTES, "a public identity")
    try:
        return PublicKeys(X25519PublicKey.from_public_bytes(x25519), MLKEM768PublicKey.from_public_bytes(kem))
    except ValueError as problem:
        raise MessageRefusalError("the ML-KEM-768 key of a public identity is not valid") from problem


def _parts(data: bytes, mark: bytes, second_bytes: int, what: str) -> tuple[bytes, bytes]:
    wanted = len(mark) + _X25519_BYTES + second_bytes
    if not data.startswith(mark) or len(data) != wanted:
        raise MessageRefusalError(
            f"{len(data)} bytes are not {what}; it begins with {mark!r} and has {wanted} bytes"
        )
    keys = data[len(mark) :]
    return keys[:_X25519_BYTES], keys[_X25519_BYTES:]
