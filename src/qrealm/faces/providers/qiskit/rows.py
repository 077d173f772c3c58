"""Parameter values as rows of numbers, and a run for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import Circuit, PauliSum
from qrealm.faces.providers.qiskit.options import seeds_from
from qrealm.simulate.results import Result
from qrealm.simulate.run import expectations, run, sweep


def rows_of(pub: Any, circuit: Circuit) -> NDArray[np.float64]:
    """The values of a pub's bindings, flattened to one row each, shape (R, P).

    Columns are in the order of ``circuit.parameters``. A parameter that nothing but a delay has is no
    parameter of what is run, and has no column.
    """
    bindings = pub.parameter_values
    names = [parameter.name for parameter in pub.circuit.parameters]
    values = bindings.as_array(names).reshape(bindings.size, len(names))
    place = {name: column for column, name in enumerate(names)}
    return np.ascontiguousarray(values[:, [place[parameter.name] for parameter in circuit.parameters]])


def run_rows(
    circuit: Circuit, rows: NDArray[np.float64], *, seed: int, backend_options: Any = None, **arguments: Any
) -> list[Result]:
    """Run the circuit once for each row.

    Args:
        circuit: with as many open parameters as `rows` has columns.
        rows: shape (R, P); P may be 0.
        seed: of all runs; a single run of a circuit without parameters has this very one.
        backend_options: `options` of `run`, which a sweep does not have.
        arguments: what `run` and `sweep` both take.
    """
    if rows.shape[1] and backend_options is None:
        return sweep(circuit, rows, seed=seed, **arguments)
    seeds = seeds_from(seed, len(rows))
    return [
        run(circuit, seed=each, parameters=row, options=backend_options, **arguments)
        for each, row in zip(seeds, rows, strict=True)
    ]


def exact_rows(
    circuit: Circuit,
    rows: NDArray[np.float64],
    observables: list[PauliSum],
    *,
    backend_options: Any = None,
    **arguments: Any,
) -> NDArray[np.float64]:
    """Exact values for each row and observable, shape (R, K).

    Args:
        circuit, rows, backend_options: as for `run_rows`.
        observables: K different ones.
        arguments: what `run` and `expectations` both take.
    """
    if rows.shape[1] and backend_options is None:
        return expectations(circuit, rows, observables, **arguments)
    named = {str(place): observable for place, observable in enumerate(observables)}
    found = run_rows(
        circuit, rows, seed=0, backend_options=backend_options, shots=0, observables=named, **arguments
    )
    return np.array([list(each.expectation_values.values()) for each in found]).reshape(len(rows), len(named))
