"""Boxes: bytes that only who has the key can read or make, written as text.

A box is for its maker's own later use: one key closes and opens it. AES-256-GCM with a random nonce of 96
bits; by NIST SP 800-38D one key may close 2**32 of them.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qrealm.base.errors import StoreError
from qrealm.control.store.whole_files import write_whole

KEY_BYTES = 32
_NONCE_BYTES = 12


def close_box(key: bytes, data: bytes, vouched: bytes) -> str:
    """A box of `data` in base64. It opens with the same key and the same `vouched`, which is not in it."""
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, data, vouched)).decode("ascii")


def open_box(key: bytes, box: str, vouched: bytes) -> bytes:
    """What is in a box. Raises ValueError when it was closed with another key or `vouched`, or changed."""
    try:
        sealed = base64.b64decode(box, validate=True)
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], vouched)
    except (InvalidTag, binascii.Error, ValueError) as problem:
        raise ValueError("the box does not open with this key") from problem


def kept_key(file: Path) -> bytes:
    """The key in a file that only its owner may read: 64 hexadecimal digits. Where there is no file a new key
    is drawn from the operating system and written.

    Raises:
        StoreError: the file has something else, others may read it, or it cannot be read or written.
    """
    try:
        if not file.exists():
            write_whole(file, os.urandom(KEY_BYTES).hex() + "\n")
        if others := file.stat().st_mode & 0o077:
            raise StoreError(
                f"{file} has a key in it, and others than its owner may use it (mode bits {others:03o})",
                hint=f"chmod 600 {file}; if somebody may have read it, remove it: a new key is written",
            )
        text = file.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except OSError as problem:
        raise StoreError(f"{file} cannot be read or written: {problem.strerror}") from problem
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StoreError(
            f"{file} must have {2 * KEY_BYTES} hexadecimal digits, and has something else",
            hint="bring it back from a copy, or remove it: a new key is written",
        )
    return key
