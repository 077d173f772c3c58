"""Reads a circuit once and tells cards what they ask: Clifford or not, how entangled, how noisy, how wide."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from qrealm.circuits import Circuit
from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise.channel import Channel, pauli_matrix
from qrealm.circuits.operations import (
    BARRIER,
    CHANNEL,
    DELAYS,
    IF,
    INITIALIZE,
    MEASURE,
    READOUT,
    RESET,
    Condition,
    Instruction,
)
from qrealm.circuits.segments import split_readout
from qrealm.simulate.plan.cones import Dependencies
from qrealm.simulate.plan.entangling import Entangling
from qrealm.simulate.plan.types import Traits

CLIFFORD_TOLERANCE = 1e-9
"""Distance from a Clifford gate, in angles and matrix entries, below which a gate counts as one."""


FOLLOWED_QUBITS_MIN = 17
"""Circuits whose measurements all come last are followed by `Entangling` from this width on: below it, a
chain of tensors is never the cheapest."""

FOLLOWED_GATES_MAX = 20_000
"""And up to this size: it takes about 0.05 ms for each gate on two qubits."""

LOOKS_EVERY = 200
"""After so many gates it is looked whether there is anything left to follow."""


def traits(circuit: Circuit, supports: Sequence[frozenset[int]] | None = None) -> Traits:
    """The traits of a bound circuit.

    Args:
        circuit: without open parameters.
        supports: qubits of each term whose exact value is asked; None when anything else is asked too.
    """
    terminal = circuit.terminal_measurements is not None
    wide = circuit.num_qubits >= FOLLOWED_QUBITS_MIN or not terminal
    reader = _Reader(circuit.num_qubits, wide and len(circuit) <= FOLLOWED_GATES_MAX, terminal)
    instructions, _ = split_readout(circuit.instructions)
    reader.read(instructions)
    cone_qubits, cone_gates = circuit.num_qubits, reader.gates
    if supports is not None:
        ways = Dependencies(instructions)
        cone_qubits = cone_gates = 0
        for support in set(supports):
            qubits, kept = ways.cone(support)
            cone_qubits, cone_gates = max(cone_qubits, len(qubits)), max(cone_gates, len(kept))
            if cone_qubits == circuit.num_qubits:
                break  # no smaller part will do, whatever the other terms need
    return Traits(
        num_qubits=circuit.num_qubits,
        gates=reader.gates,
        two_qubit_gates=reader.two_qubit_gates,
        wide_gates=reader.wide_gates,
        depth=circuit.depth(),
        non_clifford=reader.non_clifford,
        mid_circuit=not terminal,
        branch_points=0 if terminal else reader.decisions - _final(instructions),
        preparation=reader.preparation,
        channels=reader.channels,
        channel_qubits=reader.channel_qubits,
        state_dependent=reader.state_dependent,
        non_pauli=reader.non_pauli,
        misread=any(op is READOUT for op, _, _ in instructions),
        schmidt_log2=reader.schmidt_log2(),
        largest_group=reader.largest_group(),
        cone_qubits=cone_qubits,
        cone_gates=cone_gates,
        reach=reader.reach,
        events=reader.events,
        conditions=reader.conditions,
        bond_log2=reader.bond_log2(),
        conditioned_noise=reader.conditioned_noise,
        decided=() if terminal else reader.decided(),
        conditioned_measurement=reader.conditioned_measurement,
        preparation_qubits=reader.preparation_qubits,
    )


def _final(instructions: Sequence[Instruction]) -> int:
    """Measurements that nothing comes after, each of another qubit: they decide nothing half-way."""
    measured: set[int] = set()
    for op, qubits, _ in reversed(instructions):
        if op is BARRIER:
            continue
        if op is not MEASURE or not measured.isdisjoint(qubits):
            break
        measured.update(qubits)
    return len(measured)


def certain(condition: Condition, measured: Container[int]) -> bool | None:
    """Whether a condition holds, where that does not depend on an outcome: bits that nothing has measured
    are 0. None where it does depend."""
    unknown = [place for place, bit in enumerate(condition.clbits) if bit not in measured]
    if any(condition.value >> place & 1 for place in unknown):
        return False
    return True if len(unknown) == len(condition.clbits) else None


def is_clifford(gate: Gate, params: tuple[Any, ...], num_qubits: int) -> bool:
    """Whether a gate on this many qubits maps Pauli strings to Pauli strings. Gates on more than two qubits
    count as none, though a few are."""
    if num_qubits == 0 or gate in DELAYS:
        return True  # a global phase, a wait
    if num_qubits > 2:
        return False
    if gate is UNITARY:
        matrix = params[0].array
        controls = num_qubits - params[0].num_qubits
        return controls == 0 and _maps_paulis(matrix.tobytes(), num_qubits)
    quarters: list[int] = []
    for value in params:
        turns = value / (math.pi / 2)
        if abs(turns - round(turns)) > CLIFFORD_TOLERANCE:
            return False
        quarters.append(round(turns) % 8)
    return _named_clifford(gate, tuple(quarters), num_qubits)


@lru_cache(maxsize=4096)
def _named_clifford(gate: Gate, quarters: tuple[int, ...], num_qubits: int) -> bool:
    matrix = gate.full_matrix([quarter * math.pi / 2 for quarter in quarters], num_qubits - gate.targets)
    return _maps_paulis(np.ascontiguousarray(matrix, dtype=np.complex128).tobytes(), num_qubits)


@lru_cache(maxsize=4096)
def _maps_paulis(data: bytes, num_qubits: int) -> bool:
    size = 1 << num_qubits
    matrix = np.frombuffer(data, dtype=np.complex128).reshape(size, size)
    strings = [pauli_matrix("".join(letters)) for letters in product("IXYZ", repeat=num_qubits)]
    generators = [
        pauli_matrix("I" * qubit + letter + "I" * (num_qubits - qubit - 1))
        for qubit in range(num_qubits)
        for letter in "XZ"
    ]
    for generator in generators:
        image = matrix @ generator @ matrix.conj().T
        overlaps = [abs(np.trace(string @ image)) / size for string in strings]
        if abs(max(overlaps) - 1) > CLIFFORD_TOLERANCE:
            return False
    return True


@lru_cache(maxsize=1024)
def _channel_facts(channel: Channel) -> tuple[float, bool, bool]:
    """(what it adds to `Traits.events`, whether its errors depend on the state, whether all are Pauli
    errors)."""
    if channel.mixture is not None:
        probabilities = [probability for probability, _ in channel.mixture]
        return 1.0 - max(probabilities) / sum(probabilities), False, channel.paulis is not None
    main = max(channel.kraus, key=lambda operator: float(np.linalg.norm(operator)))
    return float(np.linalg.eigvalsh(np.eye(len(main)) - main.conj().T @ main)[-1]), True, False


class _Reader:
    """Counts while it walks the instructions, and follows what entangles if so asked."""

    def __init__(self, num_qubits: int, follows: bool, until_full: bool) -> None:
        self.gates = self.two_qubit_gates = self.wide_gates = 0
        self.channels = self.channel_qubits = self.decisions = self.reach = 0
        self.events = 0.0
        self.conditions = 0
        self.conditioned_noise = self.conditioned_measurement = False
        self._measured: set[int] = set()
        self.non_clifford: str | None = None
        self.preparation: str | None = None
        self.preparation_qubits = 0
        self.state_dependent: str | None = None
        self.non_pauli: str | None = None
        self._num_qubits = num_qubits
        # How much the gates across the cut between qubits q and q + 1 can add to log2 of the rank, as steps
        # at which the sum over cuts changes.
        self._steps = [0] * (num_qubits + 1)
        self._joined = list(range(num_qubits))
        self._until_full = until_full
        self._entangling = Entangling(num_qubits) if follows else None
        self._decided: list[tuple[int, int, int]] = []
        self._resets = 0

    def read(self, instructions: Iterable[Instruction], conditioned: bool = False) -> None:
        for op, qubits, args in instructions:
            if isinstance(op, Gate):
                self._gate(op, qubits, args)
            elif op is CHANNEL:
                self._channel(args[0], qubits)
            elif op is MEASURE or op is RESET:
                self.decisions += len(qubits)
                if op is MEASURE:
                    self._measured.add(args[0])
                    self.conditioned_measurement |= conditioned
                for qubit in qubits:
                    self._decide(qubit, op is MEASURE)
                self._resets += op is RESET
            elif op is INITIALIZE:
                self._prepare(args[0], qubits)
            elif op is IF:
                self.conditions += 1
                channels = self.channels
                holds = certain(args[0], self._measured)
                self.read(args[1], conditioned or holds is None)
                self.read(args[2], conditioned or holds is None)
                self.conditioned_noise |= self.channels > channels

    def schmidt_log2(self) -> int:
        """See `Traits`."""
        most = crossing = 0
        for cut in range(self._num_qubits - 1):
            crossing += self._steps[cut]
            most = max(most, min(crossing, cut + 1, self._num_qubits - cut - 1))
        return most

    def bond_log2(self) -> float:
        """See `Traits`."""
        bound = float(self.schmidt_log2())
        return bound if self._entangling is None else min(bound, self._entangling.bond_log2())

    def decided(self) -> tuple[tuple[int, int, int], ...]:
        """See `Traits`."""
        end = self.gates + self.channels + self._resets
        return tuple(each for each in self._decided if each[0] < end)

    def largest_group(self) -> int:
        """Most qubits joined by gates."""
        sizes: dict[int, int] = {}
        for qubit in range(self._num_qubits):
            root = self._root(qubit)
            sizes[root] = sizes.get(root, 0) + 1
        return max(sizes.values(), default=0)

    def _is_full(self) -> bool:
        """Whether a chain's middle bond is as large as can be already."""
        return self._entangling is not None and self._entangling.bond_log2() >= self._num_qubits // 2

    def _decide(self, qubit: int, recorded: bool) -> None:
        is_open = self._entangling is None or self._entangling.measure(qubit)
        if not recorded:
            return
        before, opened, certain = self.gates + self.channels + self._resets, 0, 0
        if self._decided and self._decided[-1][0] == before:
            _, opened, certain = self._decided.pop()
        self._decided.append((before, opened + int(is_open), certain + int(not is_open)))

    def _gate(self, gate: Gate, qubits: tuple[int, ...], params: tuple[Any, ...]) -> None:
        self.gates += 1
        if self._entangling is not None:
            self._entangling.gate(gate, qubits, params)
            if self._until_full and self.gates % LOOKS_EVERY == 0 and self._is_full():
                self._entangling = None
        count = len(qubits)
        if count == 2:
            self.two_qubit_gates += 1
        elif count > 2:
            self.wide_gates += 1
        if self.non_clifford is None and not is_clifford(gate, params, count):
            angles = ", ".join(f"{value:.4g}" for value in params if gate is not UNITARY)
            self.non_clifford = f"{gate.name}{f'({angles})' if angles else ''} on {_named(qubits)}"
        if count > 1:
            # A controlled gate is a sum of two products, whatever the number of controls; two targets can
            # make four.
            controlled = gate is not UNITARY and gate.targets == 1 and count > gate.targets
            self._cross(qubits, 1 if controlled or (gate.diagonal and count == 2) else count)

    def _cross(self, qubits: tuple[int, ...], added: int) -> None:
        low, high = min(qubits), max(qubits)
        self.reach += high - low
        self._steps[low] += added
        self._steps[high] -= added
        root = self._root(low)
        for qubit in qubits:
            self._joined[self._root(qubit)] = root

    def _channel(self, channel: Channel, qubits: tuple[int, ...]) -> None:
        self.channels += 1
        self.channel_qubits = max(self.channel_qubits, len(qubits))
        event, depends, is_pauli = _channel_facts(channel)
        self.events += event
        if depends and self.state_dependent is None:
            self.state_dependent = f"the channel {channel.name!r} on {_named(qubits)}"
        if not is_pauli and self.non_pauli is None:
            self.non_pauli = f"the channel {channel.name!r} on {_named(qubits)}"
        if len(qubits) > 1:
            self._cross(qubits, len(qubits))

    def _prepare(self, state: Any, qubits: tuple[int, ...]) -> None:
        self.decisions += len(qubits)
        if self._entangling is not None:
            self._entangling.prepare(qubits, state.amplitudes)
        if state.amplitudes is None:
            return
        self.preparation_qubits = max(self.preparation_qubits, len(qubits))
        if self.preparation is None:
            self.preparation = f"a state by amplitudes on {_named(qubits)}"
        self.non_clifford = self.non_clifford or self.preparation
        self._cross(qubits, len(qubits))

    def _root(self, qubit: int) -> int:
        while self._joined[qubit] != qubit:
            self._joined[qubit] = self._joined[self._joined[qubit]]
            qubit = self._joined[qubit]
        return qubit


def _named(qubits: Sequence[int]) -> str:
    return f"qubit {qubits[0]}" if len(qubits) == 1 else f"qubits {list(qubits)}"


__all__ = ["CLIFFORD_TOLERANCE", "certain", "is_clifford", "traits"]
