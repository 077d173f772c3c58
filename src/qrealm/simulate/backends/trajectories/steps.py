"""A circuit as steps: stretches of gates and channels, and between them what must be decided shot by shot.

A stretch holds the gates of a noiseless run with each channel's quiet operator among them, as one packed
circuit. Its sites say where an event would replace what stands there. It is cut at a few places: a shot
follows the quiet run, which all shots share, up to the cut before its first event.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.pack import PackedCircuit
from qrealm.circuits.types import (
    Conditional,
    Initialize,
    Measurement,
    Misread,
    Noise,
    Reset,
    Segment,
    UnitarySegment,
)
from qrealm.simulate.backends.trajectories.sites import Behaviour, Operator, behaviour
from qrealm.simulate.branching import JOINT_QUBITS_MAX, measures, prepares

CUTS_MAX = 16
"""Cuts of a stretch at most: a shot repeats on average half of one sixteenth of the quiet run."""

CUT_OPS_MIN = 48
"""Operations between two cuts at least: what one pass over a large state carries out, about."""

DRIFT_MAX = 15.0
"""How far ln of a norm may drift before the state is normalised again: its square stays in single precision's
range of e^87 either way."""

_STREAMS = 1 << 32


@dataclass(frozen=True, slots=True)
class Site:
    """Where a channel acts.

    Attributes:
        start, stop: the operations of its quiet operator; equal when it has none.
        qubits: the channel's.
        behaviour: what it does.
    """

    start: int
    stop: int
    qubits: tuple[int, ...]
    behaviour: Behaviour


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Gates and channels without anything to decide.

    Attributes:
        packed: the quiet run.
        sites: in order.
        hazards: float64, shape (len(sites) + 1,): running sums of the sites' hazards, 0 first.
        cuts: operation numbers, 0 first and the number of operations last.
        forced: those of `cuts` after which the state is normalised again.
        stream: of the first of its random numbers.
        parts: the quiet run between the cuts.
    """

    packed: PackedCircuit
    sites: tuple[Site, ...]
    hazards: NDArray[np.float64]
    cuts: tuple[int, ...]
    forced: frozenset[int]
    stream: int
    parts: tuple[PackedCircuit, ...]

    def site_stream(self, site: int) -> int:
        """The stream that says what event happens at a site."""
        return self.stream + _STREAMS // 2 + site


@dataclass(frozen=True, slots=True)
class Decision:
    """A measurement half-way or a reset, with the stream that decides it."""

    segment: Measurement | Reset
    stream: int

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits that are looked at."""
        return self.segment.qubits if isinstance(self.segment, Measurement) else (self.segment.qubit,)


@dataclass(frozen=True, slots=True)
class Misreading:
    """A detector's error half-way, with the stream that decides it."""

    segment: Misread
    stream: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A condition on classical bits."""

    clbits: tuple[int, ...]
    value: int
    steps: tuple[Step, ...]
    otherwise: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Final:
    """The measurement that the circuit ends with."""

    segment: Measurement


Step = Stretch | Decision | Misreading | Choice | Initialize | Final


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """A whole circuit.

    Attributes:
        num_qubits: of the states: the circuit's.
        steps: in order.
        splits: whether shots can part for a reason that depends on the state.
        measures: whether any measurement stands in it.
        loads: whether a state must be loaded as an array.
        events: expected number of events of a shot that takes no condition's branch.
    """

    num_qubits: int
    steps: tuple[Step, ...]
    splits: bool
    measures: bool
    loads: bool
    events: float


def script(num_qubits: int, segments: Sequence[Segment]) -> Script:
    """The steps of a circuit's segments."""
    writer = _Writer(num_qubits)
    steps = writer.steps(segments, last=True)
    return Script(
        writer.num_qubits,
        steps,
        writer.splits,
        measures(segments),
        prepares(segments),
        writer.events,
    )


@dataclass(slots=True)
class OpList:
    """Kernel operations under construction."""

    codes: list[int] = field(default_factory=list)
    num_controls: list[int] = field(default_factory=list)
    qubit_counts: list[int] = field(default_factory=list)
    qubits: list[int] = field(default_factory=list)
    params: list[float] = field(default_factory=list)
    param_counts: list[int] = field(default_factory=list)

    def add(self, code: int, qubits: Iterable[int], params: Sequence[float] = ()) -> None:
        """Append an operation without controls."""
        wires = list(qubits)
        self.codes.append(code)
        self.num_controls.append(0)
        self.qubit_counts.append(len(wires))
        self.qubits += wires
        self.params += params
        self.param_counts.append(len(params))

    def packed(self, num_qubits: int, matrices: Sequence[Operator] = ()) -> PackedCircuit:
        """As the kernel takes them."""
        return PackedCircuit(
            num_qubits,
            np.array(self.codes, dtype=np.uint8),
            np.array(self.num_controls, dtype=np.uint8),
            _offsets(self.qubit_counts),
            np.array(self.qubits, dtype=np.int32),
            _offsets(self.param_counts),
            np.array(self.params, dtype=np.float64),
            tuple(matrices),
        )


def joined(num_qubits: int, parts: Sequence[PackedCircuit]) -> PackedCircuit:
    """Several packed circuits, one after the other."""
    if len(parts) == 1 and parts[0].num_qubits == num_qubits:
        return parts[0]
    params: list[NDArray[np.float64]] = []
    matrices: list[Operator] = []
    places: dict[int, int] = {}
    for part in parts:
        # Parts of one circuit share their matrices.
        place = places.setdefault(id(part.matrices), len(matrices))
        if place == len(matrices):
            matrices += part.matrices
        params.append(_shifted(part, place) if place else part.params)
    return PackedCircuit(
        num_qubits,
        np.concatenate([part.codes for part in parts]) if parts else np.zeros(0, np.uint8),
        np.concatenate([part.num_controls for part in parts]) if parts else np.zeros(0, np.uint8),
        _joined_offsets([part.qubit_offsets for part in parts]),
        np.concatenate([part.qubits for part in parts]) if parts else np.zeros(0, np.int32),
        _joined_offsets([part.param_offsets for part in parts]),
        np.concatenate(params) if parts else np.zeros(0),
        tuple(matrices),
    )


def between(packed: PackedCircuit, start: int, stop: int) -> PackedCircuit:
    """Operations `start` to `stop`, the matrices shared."""
    first, last = int(packed.qubit_offsets[start]), int(packed.qubit_offsets[stop])
    first_param, last_param = int(packed.param_offsets[start]), int(packed.param_offsets[stop])
    return PackedCircuit(
        packed.num_qubits,
        packed.codes[start:stop],
        packed.num_controls[start:stop],
        packed.qubit_offsets[start : stop + 1] - first,
        packed.qubits[first:last],
        packed.param_offsets[start : stop + 1] - first_param,
        packed.params[first_param:last_param],
        packed.matrices if last_param > first_param else (),
    )


def _shifted(part: PackedCircuit, by: int) -> NDArray[np.float64]:
    """The parameters of a part whose matrices come after `by` others."""
    if not part.matrices:
        return part.params
    params = part.params.copy()
    params[part.param_offsets[:-1][part.codes == int(OpCode.MATRIX)]] += by
    return params


def _offsets(counts: Sequence[int]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def _joined_offsets(parts: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    if not parts:
        return np.zeros(1, dtype=np.int32)
    ends = np.concatenate([[0], np.cumsum([part[-1] for part in parts])])
    shifted = [part[1:] + end for part, end in zip(parts, ends[:-1], strict=True)]
    return np.concatenate([[0], *shifted]).astype(np.int32)


class _Writer:
    """Writes steps; gates and channels are collected until something else comes."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.splits = False
        self.events = 0.0
        self._next_stream = _STREAMS
        self._begin()

    def steps(self, segments: Sequence[Segment], last: bool, counted: bool = True) -> tuple[Step, ...]:
        found: list[Step] = []
        for index, segment in enumerate(segments):
            ends = last and index == len(segments) - 1
            if isinstance(segment, UnitarySegment):
                self._gates(segment.packed)
            elif isinstance(segment, Noise):
                self._site(segment, counted)
            else:
                self._flush(found)
                found += self._other(segment, ends)
        self._flush(found)
        return tuple(found)

    def _other(self, segment: Segment, ends: bool) -> list[Step]:
        if isinstance(segment, Measurement):
            if ends:
                return [Final(segment)]
            self.splits = True
            cuts = range(0, len(segment.qubits), JOINT_QUBITS_MAX)
            pieces = [slice(cut, cut + JOINT_QUBITS_MAX) for cut in cuts]
            return [
                Decision(Measurement(segment.qubits[piece], segment.clbits[piece]), self._stream())
                for piece in pieces
            ]
        if isinstance(segment, Reset):
            self.splits = True
            return [Decision(segment, self._stream())]
        if isinstance(segment, Misread):
            self.splits = True
            return [Misreading(segment, self._stream())]
        if isinstance(segment, Conditional):
            then = self.steps(segment.segments, last=False, counted=False)
            otherwise = self.steps(segment.otherwise, last=False, counted=False)
            return [Choice(segment.clbits, segment.value, then, otherwise)]
        assert isinstance(segment, Initialize)
        return [segment]

    def _stream(self) -> int:
        self._next_stream += _STREAMS
        return self._next_stream

    def _begin(self) -> None:
        self._parts: list[PackedCircuit] = []
        self._count = 0
        self._sites: list[Site] = []
        self._forced: list[int] = []
        self._drift = 0.0

    def _gates(self, packed: PackedCircuit) -> None:
        self._parts.append(packed)
        self._count += len(packed)

    def _site(self, noise: Noise, counted: bool) -> None:
        found = behaviour(noise.channel)
        start = self._count
        if found.quiet is not None:
            ops = OpList()
            ops.add(int(OpCode.MATRIX), noise.qubits, (0.0,))
            self._parts.append(ops.packed(self.num_qubits, (found.quiet,)))
            self._count += 1
            self._drift += found.quiet_log_range
        if found.hazard > 0:
            self._sites.append(Site(start, self._count, noise.qubits, found))
            self.splits = self.splits or found.depends
            self.events += -math.expm1(-found.hazard) if counted else 0.0
        if self._drift > DRIFT_MAX:
            self._forced.append(self._count)
            self._drift = 0.0

    def _flush(self, found: list[Step]) -> None:
        if self._count or self._sites:
            found.append(self._stretch())
        self._begin()

    def _stretch(self) -> Stretch:
        packed = joined(self.num_qubits, self._parts)
        packed = _shared_matrices(packed)
        count = len(packed)
        pieces = max(1, min(CUTS_MAX, count // CUT_OPS_MIN)) if self._sites else 1
        cuts = {count * piece // pieces for piece in range(pieces + 1)} | set(self._forced)
        ordered = tuple(sorted(cuts))
        hazards = np.concatenate([[0.0], np.cumsum([site.behaviour.hazard for site in self._sites])])
        return Stretch(
            packed,
            tuple(self._sites),
            hazards,
            ordered,
            frozenset(self._forced),
            self._stream(),
            tuple(between(packed, a, b) for a, b in pairwise(ordered)),
        )


def _shared_matrices(packed: PackedCircuit) -> PackedCircuit:
    """Equal matrices kept once."""
    if len(packed.matrices) < 2:
        return packed
    index: dict[bytes, int] = {}
    kept: list[Operator] = []
    moved = np.zeros(len(packed.matrices), dtype=np.int64)
    for old, matrix in enumerate(packed.matrices):
        key = matrix.tobytes()
        if key not in index:
            index[key] = len(kept)
            kept.append(matrix)
        moved[old] = index[key]
    params = packed.params.copy()
    places = packed.param_offsets[:-1][packed.codes == int(OpCode.MATRIX)]
    params[places] = moved[params[places].astype(np.int64)]
    return PackedCircuit(
        packed.num_qubits,
        packed.codes,
        packed.num_controls,
        packed.qubit_offsets,
        packed.qubits,
        packed.param_offsets,
        params,
        tuple(kept),
    )
