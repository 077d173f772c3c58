"""Exact values from runs of the parts of a circuit that they depend on, and the account of those runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter

from qrealm.base import cancel
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.segments import split_readout
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.execute import layout_of
from qrealm.simulate.plan.cones import Cone, Dependencies
from qrealm.simulate.plan.types import Choice
from qrealm.simulate.request import RunRequest
from qrealm.simulate.results import told_of

RunPart = Callable[[Circuit, RunRequest], tuple[Found, Choice | None]]
"""What one part finds, and how AUTO chose for it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One part that was run."""

    qubits: int
    terms: int
    found: Found
    choice: Choice | None
    seconds: float

    def told(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "qubits": self.qubits,
            "terms": self.terms,
            "backend": self.found.plan.backend,
            "seconds": self.seconds,
            "reasons": [*([self.choice.why] if self.choice else []), *self.found.plan.reasons],
            "considered": told_of(self.choice),
            **self.found.details,
        }


def parts_of(circuit: Circuit, request: RunRequest) -> Iterator[tuple[Cone, RunRequest]]:
    """Each part of a circuit that terms of the observables depend on, and what is asked of it: its terms
    under their places in the part's list."""
    kept, _ = split_readout(circuit.instructions)
    terms = {(x, z) for _, observable in request.observables for x, z, _ in observable.strings()}
    for cone in Dependencies(kept).group(terms):
        asked = [(str(place), cone.moved(term)) for place, term in enumerate(cone.terms)]
        sums = tuple((name, PauliSum.from_strings([(x, z, 1.0)])) for name, (x, z) in asked)
        yield cone, replace(request, observables=sums)


def by_cones(circuit: Circuit, request: RunRequest, run_part: RunPart) -> tuple[Found, Choice | None]:
    """Exact values alone, from the parts of the circuit that they depend on.

    Returns:
        (what all parts found together, with the plan of the widest; how AUTO chose for that one). The details
        tell of each part under ``parts``.
    """
    strings = [(name, observable.strings()) for name, observable in request.observables]
    values: dict[tuple[int, int], float] = {}
    parts: list[_Part] = []
    for cone, asked in parts_of(circuit, request):
        cancel.check()
        started = perf_counter()
        found, choice = run_part(cone.circuit(), asked)
        values.update((term, found.values[str(place)]) for place, term in enumerate(cone.terms))
        parts.append(_Part(len(cone.qubits), len(cone.terms), found, choice, perf_counter() - started))
    widest = max(parts, key=lambda part: part.qubits)  # there is at least one term
    found = Found(
        replace(widest.found.plan, reasons=(_summary(parts), *widest.found.plan.reasons)),
        layout_of(circuit),
        values={name: sum(value * values[x, z] for x, z, value in terms) for name, terms in strings},
        details=_details(parts),
        warnings=tuple(dict.fromkeys(line for part in parts for line in part.found.warnings)),
    )
    return found, widest.choice


def _summary(parts: list[_Part]) -> str:
    runs: dict[str, int] = {}
    for part in parts:
        runs[part.found.plan.backend] = runs.get(part.found.plan.backend, 0) + 1
    where = ", ".join(f"{count} on {name}" for name, count in runs.items())
    most = max(part.qubits for part in parts)
    return f"the observables depend on at most {most} qubits at a time: {len(parts)} runs of parts, {where}"


def _details(parts: list[_Part]) -> dict[str, object]:
    """Sizes, each part's account, and what approximations threw away of all parts together."""
    details: dict[str, object] = {
        "light_cones": sorted((part.qubits for part in parts), reverse=True),
        "parts": [part.told() for part in parts],
    }
    told = [part.found.details.get("truncation_error") for part in parts]
    errors = [each for each in told if isinstance(each, float)]
    if errors:
        kept = math.prod(1.0 - error for error in errors)
        details |= {"truncation_error": 1.0 - kept, "fidelity_estimate": kept}
    return details
