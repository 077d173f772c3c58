"""The tensor-network backend: amplitudes and exact values by contraction."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel, limits
from qrealm.base.errors import QubitError, TooLargeError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.circuits import Circuit
from qrealm.circuits.segments import split_readout
from qrealm.simulate.backends.mps.linalg import one_thread
from qrealm.simulate.backends.mps.program import ChainProgram, prepare
from qrealm.simulate.backends.mps.sampling import Drawn, outcomes_of
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.backends.tensor_network.card import CARD
from qrealm.simulate.backends.tensor_network.network import Network, Problem
from qrealm.simulate.backends.tensor_network.options import TensorNetworkOptions
from qrealm.simulate.backends.tensor_network.paths import Path, Paths
from qrealm.simulate.bits import BitLayout
from qrealm.simulate.execute import layout_of, packed_or_none
from qrealm.simulate.memory import LEDGER, refusal_told
from qrealm.simulate.plan.choose import fits
from qrealm.simulate.plan.cones import Dependencies
from qrealm.simulate.plan.types import Plan, Precision
from qrealm.simulate.request import RunRequest

SLICE_SHARE = 0.25
SLICE_BYTES_MAX = 4 * 2**30
"""Memory of one contraction unless the options say otherwise; larger tensors gain little."""


class TensorNetworkBackend:
    """Runs whole circuits."""

    card = CARD

    @refusal_told
    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit of gates and final measurements.

        Raises:
            TooLargeError: the amplitudes to sample from do not fit.
            ResourceError: the best contraction found would take longer than a month.
            QubitError: there is no qubit.
        """
        if not circuit.num_qubits:
            raise QubitError("a run needs at least one qubit; the circuit has none")
        packed = packed_or_none(circuit)
        assert packed is not None  # the card refuses what is not gates alone
        with one_thread():
            return _Run(circuit, prepare(packed), request).found()


@dataclass(frozen=True, slots=True)
class _Crew:
    """A plan, and how many networks are contracted side by side."""

    plan: Plan
    workers: int

    @property
    def memory_bytes(self) -> int:
        """Peak memory of the run."""
        return self.plan.memory_bytes


class _Run:
    """One run."""

    def __init__(self, circuit: Circuit, program: ChainProgram, request: RunRequest) -> None:
        given = request.options
        self._options = given if isinstance(given, TensorNetworkOptions) else TensorNetworkOptions()
        self._circuit, self._program, self._request = circuit, program, request
        planning = request.planning
        self._precision = planning.precision_or_default
        self._dtype = np.dtype(np.complex64 if self._precision is Precision.SINGLE else np.complex128)
        share = int(min(SLICE_BYTES_MAX, SLICE_SHARE * LEDGER.alone_bytes(memory_available_bytes)))
        self._slice_bytes = self._options.memory_bytes or share
        self._paths = Paths(self._dtype.itemsize, self._options.trials, request.seed)

    def found(self) -> Found:
        """Everything that was asked."""
        request, planning = self._request, self._request.planning
        layout = layout_of(self._circuit)
        groups = self._groups() if planning.shots else []
        fixed = self._fixed_bytes(groups)
        network = Network(self._program)
        strings = {(x, z) for _, each in request.observables for x, z, _ in each.strings()}
        everything = list(range(self._circuit.num_qubits))
        tasks: dict[object, Problem] = {index: network.amplitude(index) for index in request.amplitudes}
        tasks.update(self._values(strings))
        tasks.update({tuple(group): network.state(group) for group in groups})
        if planning.state_copy:
            tasks["state"] = network.state(everything)
        paths: dict[object, Path] = {}
        for name, problem in tasks.items():
            open_bytes = 8 * self._dtype.itemsize << len(problem.output) if problem.output else 0
            paths[name] = self._paths.find(problem, max(self._slice_bytes, open_bytes))
        peak = max((path.peak_bytes for path in self._paths.all), default=0)
        crew, reserved = LEDGER.reserve(
            lambda available: self._crew(fixed, peak, len(tasks), available), memory_available_bytes
        )
        with reserved:
            answers = self._contract(tasks, paths, crew.workers)
            drawn = self._sample(layout, groups, answers) if planning.shots else Drawn(_NO_BITS, _NO_SHOTS)
        places = [bit for bit in layout.bit_of_qubit if bit >= 0]
        outcomes, draws = outcomes_of(drawn, places if planning.shots else [], layout.num_bits)
        return Found(
            crew.plan,
            layout,
            outcomes,
            draws,
            {
                name: math.fsum(value * float(answers[x, z].real) for x, z, value in each.strings())
                for name, each in request.observables
            },
            amplitudes={index: complex(answers[index]) for index in request.amplitudes},
            statevector=answers["state"].reshape(-1) if planning.state_copy else None,
            details=self._told(len(network)),
        )

    # ---- the parts -------------------------------------------------------------------------------

    def _values(self, strings: set[tuple[int, int]]) -> dict[object, Problem]:
        """One network for each Pauli string, of the gates that it depends on."""
        kept, _ = split_readout(self._circuit.instructions)
        ways = Dependencies(kept)
        by_support: dict[int, list[tuple[int, int]]] = {}
        for x, z in sorted(strings):
            by_support.setdefault(x | z, []).append((x, z))
        tasks: dict[object, Problem] = {}
        for terms in by_support.values():
            cancel.check()
            (cone,) = ways.group(terms)
            network = Network(prepare(cone.circuit().packed()))
            for term in terms:
                x, z = cone.moved(term)
                letters = {
                    q: (x >> q & 1) + 2 * (z >> q & 1) for q in range(len(cone.qubits)) if (x | z) >> q & 1
                }
                tasks[term] = network.value(letters)
        return tasks

    def _groups(self) -> list[list[int]]:
        """Measured qubits with those that gates join them to."""
        layout = layout_of(self._circuit)
        joined = {carrier: {carrier} for carrier in self._program.carrier}
        for op in self._program.ops:
            whole = set().union(*(joined[carrier] for carrier in op.qubits))
            joined.update(dict.fromkeys(whole, whole))
        groups: dict[int, list[int]] = {}
        for qubit, carrier in enumerate(self._program.carrier):
            groups.setdefault(min(joined[carrier]), []).append(qubit)
        return [group for group in groups.values() if any(layout.bit_of_qubit[q] >= 0 for q in group)]

    def _contract(
        self, tasks: dict[object, Problem], paths: dict[object, Path], workers: int
    ) -> dict[object, NDArray[Any]]:
        """Every network's value. Each is computed on one thread, so that the number of threads changes
        nothing."""
        answers: dict[object, NDArray[Any]] = {}
        names = list(tasks)

        def one(name: object) -> NDArray[Any]:
            return paths[name].contract(tasks[name], self._dtype)

        if workers == 1 or len(names) == 1:
            return {name: one(name) for name in names}
        with ThreadPoolExecutor(workers) as pool:
            for start in range(0, len(names), workers):
                cancel.check()
                batch = names[start : start + workers]
                answers.update(zip(batch, pool.map(one, batch), strict=True))
        return answers

    def _sample(
        self, layout: BitLayout, groups: list[list[int]], answers: dict[object, NDArray[Any]]
    ) -> Drawn:
        """Shots: each group's basis state from its probabilities, the groups independent."""
        shots = self._request.planning.shots
        generator = np.random.default_rng(self._request.seed)
        column = {
            qubit: index for index, qubit in enumerate(q for q, b in enumerate(layout.bit_of_qubit) if b >= 0)
        }
        read = np.zeros((shots, len(column)), dtype=np.uint8)
        for group in groups:
            cancel.check()
            weights = np.abs(answers[tuple(group)].reshape(-1).astype(np.complex128)) ** 2
            sums = np.cumsum(weights)
            drawn = np.searchsorted(sums, generator.random(shots) * sums[-1], side="right")
            drawn = np.minimum(drawn, len(sums) - 1)
            for place, qubit in enumerate(group):
                if qubit in column:
                    read[:, column[qubit]] = (drawn >> place) & 1
        return Drawn(read, np.ones(shots, dtype=np.int64))

    # ---- memory ----------------------------------------------------------------------------------

    def _fixed_bytes(self, groups: list[list[int]]) -> int:
        """Memory beside the contractions."""
        count, planning = self._circuit.num_qubits, self._request.planning
        states = sum(4 * 16 << len(group) for group in groups)
        whole = 2 * self._dtype.itemsize << count if planning.state_copy else 0
        return limits.RUN_OVERHEAD_BYTES + states + whole + planning.shots * (limits.SHOT_BYTES + 4 * count)

    def _check_memory(self, needed: int, available: int) -> None:
        if not fits(needed, available):
            raise TooLargeError(
                f"a run of {self._circuit.num_qubits} qubits on the tensor_network backend",
                needed_bytes=needed,
                available_bytes=int(available * limits.MEMORY_SHARE_MAX),
                hint="ask for amplitudes or observables, or draw fewer shots",
            )

    def _crew(self, fixed: int, peak: int, tasks: int, available: int) -> _Crew:
        self._check_memory(fixed + peak, available)
        threads = self._request.planning.threads or cores_default()
        room = int(available * limits.MEMORY_SHARE_MAX) - fixed
        workers = max(1, min(threads, tasks, room // max(1, peak)))
        slices = max((path.slices for path in self._paths.all), default=1)
        reasons = (f"the largest network is contracted in {slices} slices, to fit",) if slices > 1 else ()
        plan = Plan(CARD.name, self._precision, threads, peak, fixed + workers * peak, 0, reasons)
        return _Crew(plan, workers)

    def _told(self, tensors: int) -> dict[str, object]:
        """What was contracted, for the metadata."""
        paths = self._paths.all
        return {
            "tensors": tensors,
            "paths": len(paths),
            "trials": sum(path.trials for path in paths),
            "slices": max((path.slices for path in paths), default=1),
            "contraction_width": max((path.width for path in paths), default=0.0),
            "contraction_flops": max((path.flops for path in paths), default=0.0),
        }


_NO_BITS = np.zeros((0, 0), dtype=np.uint8)
_NO_SHOTS = np.zeros(0, dtype=np.int64)

BACKEND = TensorNetworkBackend()
