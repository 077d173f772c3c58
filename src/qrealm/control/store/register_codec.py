"""Registers as bytes, for the store.

Version 1, all little endian: ``QRG1``, CRC-32 of all that follows (4 bytes), the length of the header (4
bytes), the header as JSON, and the entries deflated: keys (row and column in one word, 8 bytes each, as
differences), then values (16 bytes each).
"""

from __future__ import annotations

import json
import math
import struct
import zlib

import numpy as np

from qrealm.base.errors import StoreError
from qrealm.control.containers.values import Member, Register
from qrealm.simulate.sparse_density import ENTRIES_MAX, QUBITS_MAX, SparseDensity, keys_of

MAGIC = b"QRG1"


def to_bytes(register: Register) -> bytes:
    """A register as `from_bytes` reads it, bit for bit."""
    header = {
        "members": [[m.container, m.num_states, m.probability] for m in register.members],
        "time": register.time,
        "prepared_at": register.prepared_at,
        "entries": len(register.density.values),
    }
    words = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    keys = keys_of(register.density)
    steps = np.diff(keys, prepend=np.uint64(0)).astype("<u8").tobytes()
    entries = zlib.compress(steps + register.density.values.astype("<c16").tobytes(), level=1)
    body = struct.pack("<I", len(words)) + words + entries
    return MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def from_bytes(data: bytes) -> Register:
    """The register that `to_bytes` wrote.

    Raises:
        StoreError: another version, or damaged.
    """
    if data[:4] != MAGIC:
        raise StoreError(
            f"a register begins with {data[:4]!r}; this version of qrealm reads {MAGIC!r}",
            hint="it was written by another version of qrealm, or the database is damaged",
        )
    try:
        return _read(data)
    except (ValueError, KeyError, TypeError, struct.error, zlib.error) as problem:
        raise StoreError(
            f"a register cannot be read: {problem}", hint="the database is damaged; restore a saved state"
        ) from problem


def _read(data: bytes) -> Register:
    checksum, length = struct.unpack_from("<II", data, 4)
    if zlib.crc32(data[8:]) != checksum:
        raise ValueError("its checksum is wrong")
    header = json.loads(data[12 : 12 + length])
    members = tuple(Member(str(name), int(k), float(chance)) for name, k, chance in header["members"])
    num_qubits = sum(member.num_qubits for member in members)
    count = int(header["entries"])
    times = float(header["time"]), float(header["prepared_at"])
    if not (0 < num_qubits <= QUBITS_MAX and 0 < count <= ENTRIES_MAX and all(map(math.isfinite, times))):
        raise ValueError(f"{num_qubits} qubits, {count} entries, times {times}")
    plain = zlib.decompressobj()
    raw = plain.decompress(data[12 + length :], 24 * count)
    rest = plain.decompress(plain.unconsumed_tail, 1)
    if len(raw) != 24 * count or rest or not plain.eof or plain.unused_data:
        raise ValueError(f"entries take {24 * count} bytes, and others came")
    keys = np.cumsum(np.frombuffer(raw, "<u8", count), dtype=np.uint64)
    rows, cols = keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF)
    values = np.frombuffer(raw, "<c16", count, 8 * count).astype(np.complex128)
    if (keys[1:] <= keys[:-1]).any() or (rows >> num_qubits).any() or (cols >> num_qubits).any():
        raise ValueError("entries are not in order")
    if not np.isfinite(values).all() or abs(values[rows == cols].sum() - 1.0) > 1e-6:
        raise ValueError("its trace is not 1")
    density = SparseDensity(num_qubits, rows.astype(np.uint32), cols.astype(np.uint32), values)
    return Register(members, density, *times)
