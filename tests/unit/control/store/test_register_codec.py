"""Registers to bytes and back."""

from __future__ import annotations

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


def test_odd_numbers_come_back():
    values = np.array([np.nan, complex(-0.0, 5e-324), complex(np.inf, -np.inf)])
    rows, cols = np.array([0, 2**16 - 1, 7], np.uint32), np.array([0, 3, 2**16 - 1], np.uint32)
    member = Member("a" * 64, 2**16, 0.25)
    back = from_bytes(to_bytes(Register((member,), SparseDensity(16, rows, cols, values), 0.1, -1.5)))
    assert back.density.values.tobytes() == values.tobytes()
    assert (back.time, back.prepared_at, back.members) == (0.1, -1.5, (member,))


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
    with pytest.raises(StoreError, match="damaged"):
        from_bytes(to_bytes(records.register(1, 2))[:cut])


def test_a_newer_version_is_refused():
    data = bytearray(to_bytes(records.register(1)))
    data[4] += 1
    with pytest.raises(StoreError, match="newer qrealm"):
        from_bytes(bytes(data))
