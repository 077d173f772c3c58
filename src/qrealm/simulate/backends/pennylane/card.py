"""What planning must know of PennyLane's lightning.qubit. Imports no PennyLane."""

from __future__ import annotations

from qrealm.simulate.backends import peer_cards
from qrealm.simulate.backends.peer_cards import PeerCosts
from qrealm.simulate.plan.types import Cost, Rates, Traits, Wants

ARRAYS = 1
"""The state that is handed out."""

COSTS = PeerCosts(1.5e-3, 4e-5, 4e-10, 1e-7, 0.0, ARRAYS)


def refusal(traits: Traits, wants: Wants) -> str | None:
    """Circuits whose measurements all come last."""
    if traits.mid_circuit:
        return "it runs circuits whose measurements all come last; this one decides something half-way"
    return peer_cards.pure_refusal(traits, wants)


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """What a run would take: with exact values and shots the circuit is run twice."""
    runs = 2 if wants.exact and wants.shots else 1
    once = peer_cards.cost(COSTS, traits, wants, rates)
    return Cost(once.seconds * runs, once.memory_bytes)


CARD = peer_cards.peer_card(
    name="pennylane",
    summary="PennyLane's lightning.qubit",
    qubits_max=32,
    refusal=refusal,
    cost=cost,
    packages=("pennylane", "pennylane_lightning"),
    extra="pennylane",
    arrays=ARRAYS,
)
