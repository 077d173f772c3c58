"""One Cirq program with a sweep of parameters: translated once where its symbols can stay open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cirq
import numpy as np

from qrealm.base.errors import ParameterError, QrealmError
from qrealm.circuits import Circuit
from qrealm.faces.providers.cirq.translate import Translation, translate
from qrealm.faces.providers.warned import warned
from qrealm.simulate.results import Result
from qrealm.simulate.run import run, sweep

Prepare = Callable[[Circuit], Circuit]
"""From the translated circuit to the one that runs: an initial state before it, say."""


def run_all(
    program: Any, qubits: Sequence[Any], params: Any, prepare: Prepare, seed: int, **options: Any
) -> Iterator[tuple[Any, Translation, Result]]:
    """Run a program once for each parameter resolver: (resolver, translation, result) in order.

    Args:
        qubits: Cirq's qubits, most significant first.
        params: anything that Cirq sweeps over.
        seed: the whole sweep's.
        options: for `qrealm.run`.

    Raises:
        ParameterError: a symbol without a value, or with one that is not real.
        QrealmError: as `translate` and `qrealm.run`.
    """
    resolvers = list(cirq.to_resolvers(params))
    names = sorted(cirq.parameter_names(program))
    opened = _open_translation(program, qubits, names) if names else translate(program, qubits)
    if opened is not None and names:
        rows = [_values(resolver, names) for resolver in resolvers]
        results = sweep(prepare(opened.circuit), rows, seed=seed, **options) if rows else []
        for resolver, result in zip(resolvers, results, strict=True):
            yield resolver, opened, warned(result)
        return
    seeds = np.random.SeedSequence(seed).generate_state(max(1, len(resolvers)), np.uint64).tolist()
    for resolver, own_seed in zip(resolvers, seeds, strict=False):
        found = opened or _resolved(program, qubits, resolver, names)
        yield resolver, found, warned(run(prepare(found.circuit), seed=own_seed, **options))


def _open_translation(program: Any, qubits: Sequence[Any], names: Sequence[str]) -> Translation | None:
    """The program with its symbols open; None where a gate or an expression needs numbers."""
    try:
        found = translate(program, qubits)
    except (QrealmError, TypeError, ValueError):
        return None  # what is wrong in itself is told when the program is translated with numbers
    # A symbol called "pi" is a number to qrealm: then the program is resolved by Cirq.
    return found if sorted(p.name for p in found.circuit.parameters) == names else None


def _resolved(program: Any, qubits: Sequence[Any], resolver: Any, names: Sequence[str]) -> Translation:
    _values(resolver, names)
    return translate(cirq.resolve_parameters(program, resolver), qubits)


def _values(resolver: Any, names: Sequence[str]) -> dict[str, float]:
    """A number for each symbol."""
    values = {}
    for name in names:
        value = resolver.value_of(name)
        try:
            values[name] = float(value)
        except (TypeError, ValueError):
            raise ParameterError(
                f"the symbol {name!r} of a Cirq circuit is {value!s:.60}; the rule is a real number for each",
                hint=f"pass cirq.ParamResolver({{{name!r}: 0.1}})",
            ) from None
    return values


__all__ = ["run_all"]
