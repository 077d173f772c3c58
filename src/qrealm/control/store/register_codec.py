"""Registers as bytes.

A header of fixed length, the members as JSON, then the entries of the density matrix, compressed: rows and
columns as uint32, values as complex128, all little-endian. The checksum covers everything but itself.
"""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np

from qrealm.base.errors import StoreError
from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.control.containers.values import Member, Register
from qrealm.simulate.sparse_density import SparseDensity

MAGIC = b"QRRG"
VERSION = 1
# Magic, version, qubits, bytes of the members, entries, time, prepared_at; then the checksum.
HEADER = struct.Struct("<4sHHIQdd")
CHECKSUM = struct.Struct("<I")
BYTES_PER_ENTRY = 4 + 4 + 16


def to_bytes(register: Register) -> bytes:
    """The register as bytes; `from_bytes` gives back the same, to the last bit."""
    density = register.density
    members = json.dumps(to_json(register.members), separators=(",", ":")).encode()
    arrays = b"".join(
        (
            np.ascontiguousarray(density.rows, "<u4").tobytes(),
            np.ascontiguousarray(density.cols, "<u4").tobytes(),
            np.ascontiguousarray(density.values, "<c16").tobytes(),
        )
    )
    body = members + zlib.compress(arrays, level=1)
    header = HEADER.pack(
        MAGIC,
        VERSION,
        density.num_qubits,
        len(members),
        len(density.values),
        register.time,
        register.prepared_at,
    )
    return header + CHECKSUM.pack(zlib.crc32(body, zlib.crc32(header))) + body


def from_bytes(data: bytes) -> Register:
    """The register that `to_bytes` wrote.

    Raises:
        StoreError: the bytes are damaged, or of a newer version.
    """
    start = HEADER.size + CHECKSUM.size
    if len(data) < start or data[:4] != MAGIC:
        raise _damaged("they do not begin as a register does")
    _, version, num_qubits, members_size, entries, time, prepared_at = HEADER.unpack_from(data)
    if version > VERSION:
        raise StoreError(
            f"a register was written by a newer qrealm: version {version}, this one knows up to {VERSION}",
            hint="install that qrealm again",
        )
    body = memoryview(data)[start:]
    (checksum,) = CHECKSUM.unpack_from(data, HEADER.size)
    if zlib.crc32(body, zlib.crc32(data[: HEADER.size])) != checksum:
        raise _damaged("the checksum is wrong")
    arrays = zlib.decompress(body[members_size:])
    if len(arrays) != entries * BYTES_PER_ENTRY:
        raise _damaged(f"{entries} entries are said to be there, and {len(arrays)} bytes are")
    members = from_json(tuple[Member, ...], json.loads(bytes(body[:members_size])))
    if sum(member.num_qubits for member in members) != num_qubits:
        raise _damaged("members and matrix have different numbers of qubits")
    return Register(
        members=members,
        density=SparseDensity(
            num_qubits=num_qubits,
            rows=np.frombuffer(arrays, "<u4", entries).astype(np.uint32),
            cols=np.frombuffer(arrays, "<u4", entries, 4 * entries).astype(np.uint32),
            values=np.frombuffer(arrays, "<c16", entries, 8 * entries).astype(np.complex128),
        ),
        time=time,
        prepared_at=prepared_at,
    )


def _damaged(why: str) -> StoreError:
    return StoreError(
        f"the bytes of a register are damaged: {why}",
        hint="remove the container, or restore an exported state with `qdocker import-state --replace`",
    )
