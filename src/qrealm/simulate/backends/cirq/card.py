"""What planning must know of Cirq's simulator. Imports no Cirq."""

from __future__ import annotations

from functools import partial

from qrealm.simulate.backends import peer_cards
from qrealm.simulate.backends.peer_cards import PeerCosts

ARRAYS = 3
"""A second buffer, the state that is handed out, and its probabilities."""

COSTS = PeerCosts(3e-3, 7e-5, 1.8e-9, 4e-6, 5e-5, ARRAYS)

CARD = peer_cards.peer_card(
    name="cirq",
    summary="Cirq's own state-vector simulator, on one core",
    qubits_max=30,
    refusal=peer_cards.pure_refusal,
    cost=partial(peer_cards.cost, COSTS),
    packages=("cirq",),
    extra="cirq",
    arrays=ARRAYS,
)
