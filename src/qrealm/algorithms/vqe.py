"""The variational quantum eigensolver (A. Peruzzo et al., arXiv:1304.3061)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from qrealm.algorithms.ansatz import hardware_efficient_ansatz
from qrealm.algorithms.energy import Callback, EnergyFunction
from qrealm.algorithms.noisy_runs import under_noise
from qrealm.algorithms.optimizers import (
    GRADIENT_OPTIMIZERS,
    SAMPLING_OPTIMIZERS,
    FloatArray,
    check_optimizer,
    minimize,
)
from qrealm.algorithms.options import NoisyRunOptions, check_options, check_share, check_whole
from qrealm.algorithms.progress import ProgressLine
from qrealm.algorithms.spectrum import as_hamiltonian
from qrealm.base import limits
from qrealm.base.errors import ParameterError, RequestError
from qrealm.circuits import Circuit, PauliSum
from qrealm.simulate.request import check_seed, draw_seed

if TYPE_CHECKING:
    from qrealm.algorithms.options import NoiseSource

ITERATIONS_MAX = 10_000_000

_ROTATIONS = {"hardware_efficient": ("ry", "rz"), "real_amplitudes": ("ry",)}


@dataclass(frozen=True, slots=True, eq=False)
class VqeResult:
    """The lowest energy that was found, and the way to it.

    Attributes:
        energy: of the final parameters; an upper bound of the ground energy where it is exact.
        standard_error: of the energy; 0 where it is exact.
        parameters: the final values by name.
        history: energy at each evaluation, in order.
        evaluations: their number.
        iterations: as the optimizer counts.
        converged: whether the optimizer met its tolerance before its limit; never for SPSA, which has none.
        message: why it stopped.
        optimizer: its name.
        ansatz: the circuit, its parameters open; ``ansatz.bind(parameters)`` is the state's preparation.
        execution_time: seconds.
    """

    energy: float
    standard_error: float
    parameters: dict[str, float]
    history: tuple[float, ...]
    evaluations: int
    iterations: int
    converged: bool
    message: str
    optimizer: str
    ansatz: Circuit
    execution_time: float

    def plot(self, path: str | Path, *, reference: float | None = None, title: str = "") -> Path:
        """Save the energy against the evaluations; the ending of `path` picks the format.

        Args:
            path: png, svg or pdf.
            reference: an energy to compare with, such as `ground_energy`'s; the distance to it is drawn on a
                logarithmic axis below.
            title: text above the axes.

        Raises:
            MissingExtraError: matplotlib is not installed; it comes with ``pip install "qrealm[plot]"``.
            RequestError: the file's ending is no picture format.
        """
        from qrealm.algorithms.pictures import save_convergence

        return save_convergence(
            self.history,
            Path(path),
            value_name="energy",
            reference=reference,
            distance=True,
            title=title,
        )


def run_vqe(
    hamiltonian: PauliSum | str,
    ansatz: str | Circuit = "hardware_efficient",
    *,
    layers: int | None = None,
    optimizer: str = "L-BFGS-B",
    initial_values: Mapping[Any, float] | Sequence[float] | NDArray[np.float64] | None = None,
    iterations_max: int = 1000,
    tolerance: float = 1e-8,
    learning_rate: float | None = None,
    shots: int = 0,
    seed: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
    **options: Unpack[NoisyRunOptions],
) -> VqeResult:
    """Look for a Hamiltonian's ground energy.

    Args:
        hamiltonian: a Pauli sum or its text, such as ``"Z0 Z1 + 0.5 X0"``.
        ansatz: ``"hardware_efficient"`` (RY and RZ), ``"real_amplitudes"`` (RY), or a circuit of gates with
            open parameters.
        layers: of a named ansatz; 2 when None.
        optimizer: L-BFGS-B, SLSQP or Adam, which follow the exact adjoint gradient; COBYLA, Nelder-Mead or
            SPSA, which need values only.
        initial_values: by name or in the order of ``ansatz.parameters``; drawn from -pi to pi when None.
        iterations_max: of the optimizer; for COBYLA evaluations.
        tolerance: SciPy's `tol`; for Adam the largest derivative at which it stops; SPSA has none.
        learning_rate: of Adam (0.1 radians when None) and SPSA (measured when None).
        shots: 0 for exact energies; else samples for each measured basis.
        seed: of initial values, samples and SPSA's directions.
        callback: called with (number of the evaluation, parameters, energy).
        progress: write a line to standard error while it runs.
        options: precision, threads, backend and noise, as for `qrealm.run`. With noise the energies are those
            of the noisy state, exact or from shots, and the optimizer is one that needs values only.

    Raises:
        ObservableError: the Hamiltonian cannot be read, is not Hermitian or a constant.
        RequestError: an option is unknown, out of range or contradicts another.
        ParameterError: the initial values do not fit the ansatz.
        TooLargeError: the state does not fit in memory.
    """
    check_options(run_vqe, options, NoisyRunOptions)
    begun = perf_counter()
    energy = as_hamiltonian(hamiltonian)
    circuit = _ansatz(ansatz, layers, energy.num_qubits)
    check_whole("shots", shots, 0, limits.SHOTS_MAX)
    name = check_optimizer(optimizer, shots, learning_rate)
    prepared = _with_noise(circuit, options.pop("noise", None), name)
    most = check_whole("iterations_max", iterations_max, 1, ITERATIONS_MAX)
    check_share("tolerance", tolerance, 0, math.inf)
    generator = np.random.default_rng(draw_seed() if seed is None else check_seed(seed))
    start = _start(circuit, initial_values, generator)
    line = ProgressLine(most if name in ("Adam", "COBYLA") else None) if progress else None
    function = EnergyFunction(
        prepared, energy, shots=shots, generator=generator, options=options, callback=callback, progress=line
    )
    try:
        found = minimize(
            name,
            function.value,
            function.value_and_gradient,
            start,
            iterations_max=most,
            tolerance=tolerance,
            learning_rate=learning_rate,
            generator=generator,
        )
    finally:
        if line is not None:
            line.close()
    # The lowest of many sampled values is lucky, not low: there the optimizer's last point counts.
    point = found.point if shots else function.best_point
    value, error = function.estimate(point)
    names = [parameter.name for parameter in circuit.parameters]
    return VqeResult(
        energy=value,
        standard_error=error,
        parameters=dict(zip(names, point.tolist(), strict=True)),
        history=tuple(function.history),
        evaluations=len(function.history),
        iterations=found.iterations,
        converged=found.converged,
        message=found.message,
        optimizer=name,
        ansatz=circuit,
        execution_time=perf_counter() - begun,
    )


def _ansatz(ansatz: str | Circuit, layers: int | None, num_qubits: int) -> Circuit:
    """The circuit to vary."""
    if isinstance(ansatz, str):
        if ansatz not in _ROTATIONS:
            raise RequestError(
                f"ansatz is {ansatz!r:.60}; it must be one of {', '.join(_ROTATIONS)}, or a Circuit"
            )
        depth = 2 if layers is None else layers
        return hardware_efficient_ansatz(num_qubits, depth, rotations=_ROTATIONS[ansatz])
    if not isinstance(ansatz, Circuit):
        raise RequestError(f"ansatz is a {type(ansatz).__name__}; it must be a name or a qrealm Circuit")
    if layers is not None:
        raise RequestError("layers belongs to a named ansatz; a Circuit has its own")
    if not ansatz.parameters:
        raise RequestError("the ansatz has no open parameters", hint="build it with qrealm.Parameter")
    if ansatz.num_qubits < num_qubits:
        raise RequestError(f"the ansatz has {ansatz.num_qubits} qubits; the Hamiltonian acts on {num_qubits}")
    return ansatz


def _with_noise(circuit: Circuit, noise: NoiseSource | None, optimizer: str) -> Circuit:
    """What prepares the state whose energy is taken. Raises RequestError where that has no gradient."""
    if noise is not None and optimizer in GRADIENT_OPTIMIZERS:
        raise RequestError(
            f"{optimizer} follows gradients, which there are none of with noise",
            hint=f"optimizer= one of {', '.join(SAMPLING_OPTIMIZERS)}",
        )
    return under_noise(circuit, noise)


def _start(circuit: Circuit, values: Any, generator: np.random.Generator) -> FloatArray:
    """The first point, shape (P,)."""
    names = [parameter.name for parameter in circuit.parameters]
    if values is None:
        return generator.uniform(-math.pi, math.pi, len(names))
    if isinstance(values, Mapping):
        named = {str(getattr(key, "name", key)): value for key, value in values.items()}
        if named.keys() != set(names):
            raise ParameterError(
                f"initial_values name {sorted(named)[:5]}; the ansatz has {names[:5]}"
                + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            )
        values = [named[name] for name in names]
    try:
        point = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"initial_values are {values!r:.60}; they must be numbers") from None
    if point.shape != (len(names),) or not np.isfinite(point).all():
        raise ParameterError(
            f"initial_values have the shape {point.shape}; the rule is {len(names)} finite numbers"
        )
    return point
