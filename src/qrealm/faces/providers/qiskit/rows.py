"""Parameter values as rows of numbers, and a run for each row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import Circuit
from qrealm.faces.providers.qiskit.options import seeds_from
from qrealm.simulate.results import Result
from qrealm.simulate.run import run, sweep


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
        backend_options: `options` of `run`.
        arguments: what `run` and `sweep` both take.
    """
    if rows.shape[1]:
        return sweep(circuit, rows, seed=seed, options=backend_options, **arguments)
    seeds = seeds_from(seed, len(rows))
    return [run(circuit, seed=each, options=backend_options, **arguments) for each in seeds]


def told_of(found: Iterable[Result]) -> dict[str, Any]:
    """What a pub's metadata has of its runs.

    Returns:
        ``warnings``, none twice; ``truncation_error``, the largest, where a backend threw any away.
    """
    lines: dict[str, None] = {}
    errors: list[float] = []
    for each in found:
        lines.update(dict.fromkeys(each.warnings))
        if (error := each.truncation_error) is not None:
            errors.append(error)
    return {"warnings": list(lines)} | ({"truncation_error": max(errors)} if errors else {})
