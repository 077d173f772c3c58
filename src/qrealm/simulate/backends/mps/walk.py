"""Measurements half-way: chains behind the interface that `BranchWalk` steers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.circuits import Circuit
from qrealm.circuits.pack import PackedCircuit
from qrealm.circuits.types import Conditional, Initialize, Measurement, Segment, UnitarySegment
from qrealm.simulate.backends.mps.chain import Chain
from qrealm.simulate.backends.mps.linalg import Limits
from qrealm.simulate.backends.mps.program import ChainProgram, prepare
from qrealm.simulate.backends.mps.train import preparation_train
from qrealm.simulate.backends.mps.values import probabilities
from qrealm.simulate.backends.protocol import State, SteeredBackend
from qrealm.simulate.branching import BranchWalk
from qrealm.simulate.plan.types import Plan, Precision

JOINT_QUBITS_MAX = 3
"""Qubits measured in one step: each outcome has an environment of bond^2 numbers of its own."""


class ChainState:
    """A chain that gates, measurements and copies can be asked of."""

    __slots__ = ("chain",)

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def apply(self, program: ChainProgram, threads: int) -> None:  # noqa: ARG002
        """Run a program."""
        self.chain.apply(program)

    def probabilities(self, qubits: Sequence[int], threads: int) -> NDArray[np.float64]:  # noqa: ARG002
        """Outcome probabilities of a few qubits, the first one bit 0."""
        return probabilities(self.chain, qubits)

    def collapse(self, qubit: int, outcome: int, threads: int) -> float:  # noqa: ARG002
        """Project and normalise; returns the probability before."""
        return self.chain.collapse(qubit, outcome)

    def copy(self) -> ChainState:
        """An independent copy; tensors are shared until they change."""
        return ChainState(self.chain.copy())


class ChainEngine:
    """Makes chains and programs for one run.

    Args:
        limits: what splits keep.
        bytes_max: what one chain may take.
    """

    def __init__(self, limits: Limits, bytes_max: int) -> None:
        self._limits = limits
        self._bytes_max = bytes_max

    def compile(self, packed: PackedCircuit, precision: Precision) -> ChainProgram:  # noqa: ARG002
        """Unpack gates."""
        return prepare(packed)

    def start(self, num_qubits: int, precision: Precision) -> ChainState:
        """|0...0>."""
        return ChainState(Chain(num_qubits, precision, self._limits, self._bytes_max, cancel.check))


class _Steps:
    """A circuit's segments with wide measurements half-way in several steps.

    Args:
        circuit: whose segments they are.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.num_qubits = circuit.num_qubits
        self._segments = _narrowed(circuit.segments(), True)

    def segments(self) -> tuple[Segment, ...]:
        """As `Circuit.segments`."""
        return self._segments


class ChainWalk(BranchWalk):
    """A walk over the branches of one circuit on chains."""

    def __init__(
        self, circuit: Circuit, engine: ChainEngine, plan: Plan, shots: int, generator: np.random.Generator
    ) -> None:
        steps = cast(Circuit, _Steps(circuit))  # a walk asks for segments and qubits only
        super().__init__(steps, cast(SteeredBackend, engine), plan, shots, generator)

    def _apply(self, state: State, segment: Segment) -> None:
        if isinstance(segment, Initialize):
            chain = cast(ChainState, state).chain
            chain.apply_train(preparation_train(segment.qubits, segment.amplitudes, chain.place))
        else:
            super()._apply(state, segment)


def parts(segments: Sequence[Segment]) -> tuple[list[PackedCircuit], int]:
    """(the gates of all segments, those inside conditions too; qubits of the widest prepared state)."""
    found: list[PackedCircuit] = []
    prepared = 0
    for segment in segments:
        if isinstance(segment, UnitarySegment):
            found.append(segment.packed)
        elif isinstance(segment, Initialize):
            prepared = max(prepared, len(segment.qubits))
        elif isinstance(segment, Conditional):
            for inner in (segment.segments, segment.otherwise):
                gates, widest = parts(inner)
                found += gates
                prepared = max(prepared, widest)
    return found, prepared


def _narrowed(segments: Sequence[Segment], whole: bool) -> tuple[Segment, ...]:
    """Segments with wide measurements cut; not the last of the circuit, which is sampled."""
    found: list[Segment] = []
    for index, segment in enumerate(segments):
        if isinstance(segment, Conditional):
            found.append(
                Conditional(
                    segment.clbits,
                    segment.value,
                    _narrowed(segment.segments, False),
                    _narrowed(segment.otherwise, False),
                )
            )
        elif isinstance(segment, Measurement) and not (whole and index == len(segments) - 1):
            size = JOINT_QUBITS_MAX
            found += [
                Measurement(segment.qubits[i : i + size], segment.clbits[i : i + size])
                for i in range(0, len(segment.qubits), size)
            ]
        else:
            found.append(segment)
    return tuple(found)


__all__ = ["JOINT_QUBITS_MAX", "ChainEngine", "ChainState", "ChainWalk", "parts"]
