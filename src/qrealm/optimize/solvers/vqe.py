"""The variational quantum eigensolver (A. Peruzzo et al., arXiv:1304.3061) for spins, simulated exactly.

A hardware-efficient ansatz of RY rotations and chains of CX, whose amplitudes are real; its mean energy
follows the adjoint gradient of `qrealm.gradient`. Each descent starts from random angles. Answers are the
best samples of the state at its start and end, improved by nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qrealm.base.errors import ProblemError
from qrealm.base.machine import memory_limits
from qrealm.circuits import Circuit, Parameter, PauliSum
from qrealm.optimize.problems import Ising
from qrealm.optimize.solvers.protocol import Candidate, Search, SolverCard
from qrealm.optimize.solvers.variational import FloatArray, Script, VariationalSearch, descend

QUBITS_MAX = 22
LAYERS_MAX = 1000
SHOTS_MAX = 10_000_000
_STATE_BYTES = 48  # per amplitude: two states, and what a sample needs


def _refusal(problem: Ising) -> str:
    if problem.num_variables > QUBITS_MAX:
        return f"vqe simulates up to {QUBITS_MAX} qubits; this problem has {problem.num_variables}"
    if not len(problem.couplings.values) and not problem.linear.any():
        return "vqe needs a problem with an energy to follow; this one is constant"
    needed, available = _STATE_BYTES << problem.num_variables, memory_limits()[1]
    if needed > available:
        return f"vqe needs {needed / 2**30:.3g} GiB for its states; {available / 2**30:.3g} GiB are available"
    return ""


CARD = SolverCard(
    name="vqe",
    takes=("Ising",),
    word="quantum (simulated)",
    help="VQE with a hardware-efficient ansatz; the best of its samples, improved by nothing else",
    unit="values with gradient",
    refusal=_refusal,
)


@dataclass(frozen=True, slots=True)
class VqeOptions:
    """How it searches.

    Attributes:
        layers: chains of CX, each followed by a rotation of every qubit.
        shots: samples at the start and end of each descent.
        iterations_max: of each descent.
        tolerance: a descent ends when a step gains less than this share of the value.
        threads: of one evaluation; the portfolio's threads run searches side by side.
    """

    layers: int = 2
    shots: int = 1024
    iterations_max: int = 200
    tolerance: float = 1e-6
    threads: int = 1

    def __post_init__(self) -> None:
        limits = (("layers", 0, LAYERS_MAX), ("shots", 1, SHOTS_MAX), ("iterations_max", 1, 10**7))
        for name, least, most in (*limits, ("threads", 1, 1024)):
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most:
                raise ProblemError(
                    f"vqe got {name}={value!r}; it must be a whole number from {least} to {most}"
                )
        if not 0 <= self.tolerance < math.inf:
            raise ProblemError(f"vqe got tolerance={self.tolerance!r}; it must be finite and not negative")


def start(problem: Ising, options: VqeOptions | None, *, seed: int, hint: np.ndarray | None) -> Search:
    """Begin from random angles; hints are not used."""
    del hint
    chosen = options or VqeOptions()
    states = AnsatzStates(problem, chosen)
    generator = np.random.default_rng([seed, 0])

    def script(measure: Callable[[FloatArray], None]) -> Script:
        while True:
            point = generator.uniform(-math.pi, math.pi, states.num_angles)
            measure(point)
            _, point = yield from descend(
                point, iterations_max=chosen.iterations_max, tolerance=chosen.tolerance
            )
            measure(point)

    return VariationalSearch(states, script, shots=chosen.shots, seed=seed)


def ansatz(num_qubits: int, layers: int) -> Circuit:
    """RY on every qubit, then for each layer CX along the line and RY again; (layers + 1) · qubits angles."""
    circuit = Circuit(num_qubits, name="real amplitudes")
    for layer in range(layers + 1):
        if layer:
            for qubit in range(num_qubits - 1):
                circuit.cx(qubit, qubit + 1)
        for qubit in range(num_qubits):
            circuit.ry(Parameter(f"theta_{layer * num_qubits + qubit}"), qubit)
    return circuit


def hamiltonian(problem: Ising) -> PauliSum:
    """The energies as a sum of products of Z."""
    pairs = problem.couplings
    terms = [(f"Z{qubit}", float(field)) for qubit, field in enumerate(problem.linear) if field]
    terms += [
        (f"Z{row} Z{col}", float(value))
        for row, col, value in zip(pairs.rows, pairs.cols, pairs.values, strict=True)
    ]
    return PauliSum([("I", problem.offset), *terms])


class AnsatzStates:
    """States of the ansatz.

    Attributes:
        num_angles: of the ansatz.
    """

    bound = -math.inf

    def __init__(self, problem: Ising, options: VqeOptions) -> None:
        self._problem, self._threads = problem, options.threads
        self._circuit = ansatz(problem.num_variables, options.layers)
        self._hamiltonian = hamiltonian(problem)
        self.num_angles = len(self._circuit.parameters)

    def gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """See `States`."""
        from qrealm.simulate.gradient import gradient

        found = gradient(self._circuit, self._hamiltonian, angles.tolist(), threads=self._threads)
        return found.value, found.derivatives

    def sample(self, angles: FloatArray, shots: int, seed: int) -> Candidate | None:
        """See `States`."""
        from qrealm.simulate.run import run

        counts = run(self._circuit, shots, seed, threads=self._threads, parameters=angles.tolist()).counts
        best: Candidate | None = None
        for text in sorted(counts):
            spins = 1 - 2 * np.array([int(digit) for digit in reversed(text)], dtype=np.int8)
            value = self._problem.energy(spins)
            if best is None or value < best.value:
                best = Candidate(spins, value)
        return best
