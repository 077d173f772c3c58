"""Light cones of packed circuits: for each group of Pauli strings, the gates that they depend on, on as many
qubits as those gates have. The rest is undone by its own inverse and drops out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.plan.cones import JOINED_QUBITS_MAX

Terms = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]]
"""x masks, z masks, coefficients."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedCone:
    """What some Pauli strings depend on.

    Attributes:
        packed: the gates, on qubits of their own.
        params: int64: which of the whole circuit's parameters these gates have, in their order.
        terms: by the qubits of `packed`.
    """

    packed: PackedCircuit
    params: NDArray[np.int64]
    terms: Terms


def packed_cones(packed: PackedCircuit, strings: Iterable[tuple[int, int, float]]) -> list[PackedCone]:
    """The cones of Pauli strings (x mask, z mask, coefficient), gathered into as few as stay small; empty
    when some string depends on every qubit."""
    masks = _masks(packed)
    everything = (1 << packed.num_qubits) - 1
    by_support: dict[int, list[tuple[int, int, float]]] = {}
    for x, z, coefficient in strings:
        by_support.setdefault(x | z, []).append((x, z, coefficient))
    found = {support: _cone(masks, support, everything) for support in by_support}
    if everything in found.values():
        return []
    most = max(JOINED_QUBITS_MAX, *(qubits.bit_count() for qubits in found.values()), 1)
    groups: list[tuple[int, list[tuple[int, int, float]]]] = []
    for support in sorted(by_support):  # neighbours in the circuit are neighbours here
        joined = found[support] | groups[-1][0] if groups else 0
        if groups and joined.bit_count() <= most:
            groups[-1] = (joined, groups[-1][1] + by_support[support])
        else:
            groups.append((found[support], by_support[support]))
    return [_cut(packed, masks, strings_of) for _, strings_of in groups]


def _masks(packed: PackedCircuit) -> list[int]:
    """The qubits of each gate, a bit each."""
    qubits = packed.qubits.tolist()
    offsets = packed.qubit_offsets.tolist()
    return [sum(1 << qubit for qubit in qubits[begin:end]) for begin, end in pairwise(offsets)]


def _cone(masks: list[int], support: int, everything: int) -> int:
    """The qubits that a measurement of `support` at the end depends on."""
    cone = support
    for mask in reversed(masks):
        if mask & cone:
            cone |= mask
            if cone == everything:
                break
    return cone


def _cut(packed: PackedCircuit, masks: list[int], strings: list[tuple[int, int, float]]) -> PackedCone:
    """The gates that strings depend on, and the strings, on their own qubits."""
    cone = 0
    for x, z, _ in strings:
        cone |= x | z
    kept: list[int] = []
    for gate in range(len(masks) - 1, -1, -1):
        if masks[gate] & cone:
            cone |= masks[gate]
            kept.append(gate)
    gates = np.array(kept[::-1], dtype=np.int64)
    wires = [qubit for qubit in range(packed.num_qubits) if cone >> qubit & 1]
    place = np.zeros(packed.num_qubits, dtype=np.int32)
    place[wires] = np.arange(len(wires), dtype=np.int32)
    qubit_rows, qubit_offsets = _entries(packed.qubit_offsets, gates)
    param_rows, param_offsets = _entries(packed.param_offsets, gates)
    part = PackedCircuit(
        max(1, len(wires)),
        packed.codes[gates],
        packed.num_controls[gates],
        qubit_offsets,
        place[packed.qubits[qubit_rows]],
        param_offsets,
        packed.params[param_rows],
        packed.matrices,
    )

    def moved(mask: int) -> int:
        return sum((mask >> qubit & 1) << index for index, qubit in enumerate(wires))

    terms = (
        np.array([moved(x) for x, _, _ in strings], dtype=np.uint64),
        np.array([moved(z) for _, z, _ in strings], dtype=np.uint64),
        np.array([coefficient for _, _, coefficient in strings], dtype=np.float64),
    )
    return PackedCone(part, param_rows, terms)


def _entries(
    offsets: NDArray[np.int32], gates: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Which entries belong to the gates, and the offsets of theirs among them."""
    begins, ends = offsets[gates].astype(np.int64), offsets[gates + 1].astype(np.int64)
    found = [np.arange(begin, end) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    rows = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    return rows.astype(np.int64), np.concatenate([[0], np.cumsum(ends - begins)]).astype(np.int32)
