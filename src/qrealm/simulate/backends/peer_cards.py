"""What the cards of backends share that carry a circuit to another simulator. Imports none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qrealm.base import limits
from qrealm.simulate.plan.types import BackendCard, Cost, Precision, Rates, Traits, Wants


@dataclass(frozen=True, slots=True)
class PeerCosts:
    """Another simulator's costs, measured with layers of RY, RZ and CX on 4 to 22 qubits, two cores, up to
    100,000 shots, and with a condition at the beginning.

    Attributes:
        run_seconds: fixed cost.
        gate_seconds: of converting and planning one gate.
        touch_seconds: of one gate on one amplitude, on the machine of `_REFERENCE_FLOPS`.
        shot_seconds: of one sample.
        half_way_seconds: of one gate in one shot of a circuit that measures half-way, besides the amplitudes.
        arrays: whole states that a run holds besides the first.
    """

    run_seconds: float
    gate_seconds: float
    touch_seconds: float
    shot_seconds: float
    half_way_seconds: float
    arrays: int


_REFERENCE_FLOPS = 1.6e11
"""What the state-vector kernel does in a second on the machine where the costs were measured."""


def refusal(traits: Traits, wants: Wants) -> str | None:
    """What none of them can do."""
    if traits.misread:
        return "a bit is misread half-way, and something looks at it"
    if wants.sampled:
        return "it takes no sampled observables; leave sampled out for exact ones"
    if traits.mid_circuit and wants.exact:
        return "it gives only counts of a circuit that measures half-way"
    return None


def pure_refusal(traits: Traits, wants: Wants) -> str | None:
    """What those cannot do either that keep a pure state."""
    if traits.channels:
        return "it keeps a pure state, and the circuit has noise"
    if wants.density_matrix:
        return "it keeps a pure state, not a density matrix"
    return refusal(traits, wants)


def cost(costs: PeerCosts, traits: Traits, wants: Wants, rates: Rates, *, mixed: bool = False) -> Cost:
    """What a run would take."""
    precision = wants.precision_or_default
    width = traits.num_qubits * (2 if mixed else 1)
    amplitudes = float(1 << min(width, 400))
    operations = traits.gates + traits.channels
    scale = max(0.1, min(10.0, _REFERENCE_FLOPS / rates.flops_per_second))
    runs = max(1, wants.shots) if traits.mid_circuit else 1
    seconds = (
        costs.run_seconds
        + operations * costs.gate_seconds
        + runs * operations * amplitudes * costs.touch_seconds * scale
        + wants.shots * costs.shot_seconds
        + (runs * operations * costs.half_way_seconds if traits.mid_circuit else 0.0)
        + wants.terms * amplitudes * 4 * costs.touch_seconds * scale
    )
    memory = int(amplitudes * precision.amplitude_bytes) * (1 + costs.arrays) + limits.RUN_OVERHEAD_BYTES
    return Cost(seconds, memory + wants.shots * limits.SHOT_BYTES)


def peer_card(
    name: str,
    summary: str,
    qubits_max: int,
    refusal: Callable[[Traits, Wants], str | None],
    cost: Callable[[Traits, Wants, Rates], Cost],
    packages: tuple[str, ...],
    extra: str,
    arrays: int,
) -> BackendCard:
    """The card of another simulator: for comparison, so AUTO never chooses it. `arrays`: see `PeerCosts`."""
    return BackendCard(
        name=name,
        summary=f"{summary}; for comparison",
        qubits_max=qubits_max,
        precisions=(Precision.SINGLE, Precision.DOUBLE),
        overhead_bytes=limits.RUN_OVERHEAD_BYTES,
        refusal=refusal,
        cost=cost,
        packages=packages,
        extra=extra,
        automatic=False,
        states=1 + arrays,
    )
