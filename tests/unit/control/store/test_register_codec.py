"""Registers to bytes and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qrealm.base.errors import StoreError
from qrealm.control.containers.values import Member, Register
from qrealm.control.store.register_codec import from_bytes, to_bytes
from qrealm.simulate.sparse_density import SparseDensity
from unit.control.store import records


@pytest.mark.parametrize("numbers", [(1,), (1, 2, 3), (5, 4, 3, 2, 1)])
def test_a_register_comes_back_to_the_last_bit(numbers):
    register = records.register(*numbers, seed=sum(numbers))
    assert records.same_register(from_bytes(to_bytes(register)), register)


def test_a_large_group_is_small():
    # (|0…0⟩ + |1…1⟩)/√2 of sixteen qubits, decayed: some 2^16 entries.
    entries = 2**16
    diagonal = np.arange(entries, dtype=np.uint32)
    members = tuple(Member(f"{number:064x}", 2, 0.5) for number in range(16))
    density = SparseDensity(16, diagonal, diagonal, np.full(entries, 2.0**-16, complex))
    assert len(to_bytes(Register(members, density, 0.0, 0.0))) < 300_000


def test_every_damaged_byte_is_noticed():
    data = to_bytes(records.register(1, 2))
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        with pytest.raises(StoreError):
            from_bytes(bytes(damaged))


@pytest.mark.parametrize("cut", [0, 3, 20, -1, -40])
def test_what_is_cut_off_is_noticed(cut):
    with pytest.raises(StoreError):
        from_bytes(to_bytes(records.register(1, 2))[:cut])


def test_what_is_appended_is_noticed():
    with pytest.raises(StoreError):
        from_bytes(to_bytes(records.register(1, 2)) + b"x")


def test_another_version_is_refused():
    with pytest.raises(StoreError, match="QRG1"):
        from_bytes(b"QRG9" + to_bytes(records.register(1))[4:])


def test_a_register_with_too_few_members_is_refused():
    whole = records.register(1, 2)
    with pytest.raises(StoreError):
        from_bytes(to_bytes(replace(whole, members=whole.members[:1])))
