"""Boxes open with their own key and use alone, and the file of a key is its owner's alone."""

from __future__ import annotations

import base64
import os
import stat

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.base.errors import StoreError
from qrealm.control.security import close_box, kept_key, open_box

KEY = bytes(range(32))


@settings(max_examples=50)
@given(data=st.binary(max_size=2000), vouched=st.binary(max_size=50))
def test_what_is_closed_opens(data, vouched):
    assert open_box(KEY, close_box(KEY, data, vouched), vouched) == data


def test_it_is_aes_gcm_with_the_nonce_in_front():
    sealed = base64.b64decode(close_box(KEY, b"words", b"use"))
    assert AESGCM(KEY).decrypt(sealed[:12], sealed[12:], b"use") == b"words"
    assert len(sealed) == 12 + len(b"words") + 16


def test_two_boxes_of_the_same_are_different():
    assert len({close_box(KEY, b"words", b"") for _ in range(100)}) == 100


@settings(max_examples=100)
@given(at=st.integers(0, 12 + 5 + 16 - 1), bit=st.integers(0, 7))
def test_no_bit_can_be_changed(at, bit):
    sealed = bytearray(base64.b64decode(close_box(KEY, b"words", b"use")))
    sealed[at] ^= 1 << bit
    with pytest.raises(ValueError, match="does not open"):
        open_box(KEY, base64.b64encode(bytes(sealed)).decode(), b"use")


@pytest.mark.parametrize("box", ["", "=", "no base64!", "é", "AAAA", base64.b64encode(bytes(40)).decode()])
def test_what_is_no_box(box):
    with pytest.raises(ValueError, match="does not open"):
        open_box(KEY, box, b"use")


def test_another_key_and_another_use():
    box = close_box(KEY, b"words", b"use")
    for key, vouched in ((bytes(32), b"use"), (KEY, b"another")):
        with pytest.raises(ValueError, match="does not open"):
            open_box(key, box, vouched)


def test_a_key_is_made_once_and_for_its_owner(tmp_path):
    before = os.umask(0)
    try:
        key = kept_key(tmp_path / "k")
    finally:
        os.umask(before)
    assert len(key) == 32
    assert kept_key(tmp_path / "k") == key
    assert kept_key(tmp_path / "other") != key
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k", "other"]


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "é" * 64])
def test_a_file_with_something_else_is_told_and_kept(tmp_path, text):
    file = tmp_path / "k"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(StoreError, match="64 hexadecimal digits"):
        kept_key(file)
    assert file.read_text() == text


def test_a_key_that_others_may_read_is_refused(tmp_path):
    kept_key(tmp_path / "k")
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(StoreError, match="040") as caught:
        kept_key(tmp_path / "k")
    assert "chmod 600" in caught.value.hint


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="cannot be read or written"):
        kept_key(tmp_path / "none" / "k")
