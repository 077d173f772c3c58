"""What planning must know of Cirq's simulator. Imports no Cirq."""

from __future__ import annotations

from functools import partial

from qrealm.simulate.backends import peer_cards
from qrealm.simulate.backends.peer_cards import PeerCosts
from qrealm.simulate.plan.types import Traits, Wants

ARRAYS = 3
"""A second buffer, the state that is handed out, and its probabilities."""

COSTS = PeerCosts(3e-3, 7e-5, 1.8e-9, 4e-6, 5e-5, ARRAYS)


def refusal(traits: Traits, wants: Wants) -> str | None:
    """Cirq controls gates by outcomes, not measurements."""
    if traits.conditioned_measurement:
        return "it measures inside a condition"
    return peer_cards.pure_refusal(traits, wants)


CARD = peer_cards.peer_card(
    name="cirq",
    summary="Cirq's own state-vector simulator, on one core",
    qubits_max=30,
    refusal=refusal,
    cost=partial(peer_cards.cost, COSTS),
    packages=("cirq",),
    extra="cirq",
    arrays=ARRAYS,
)
