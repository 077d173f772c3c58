"""What planning must know of Qiskit Aer. Imports no Qiskit."""

from __future__ import annotations

from qrealm.simulate.backends import peer_cards
from qrealm.simulate.backends.peer_cards import PeerCosts
from qrealm.simulate.plan.types import Cost, Rates, Traits, Wants

ARRAYS = 2
"""Aer hands its state out as a copy, and that is converted."""

COSTS = PeerCosts(7e-2, 8e-5, 2.9e-9, 3e-6, 5e-7, ARRAYS)


def is_mixed(traits: Traits, wants: Wants) -> bool:
    """Whether Aer must hold a density matrix."""
    return traits.channels > 0 or wants.density_matrix


def refusal(traits: Traits, wants: Wants) -> str | None:
    """A density matrix has neither state vector nor amplitudes; Aer's conditions take no Kraus operators."""
    if is_mixed(traits, wants) and (wants.statevector or wants.amplitudes):
        return "with noise it keeps a density matrix, which has no state vector"
    if traits.conditioned_noise:
        return "it has noise inside a condition"
    return peer_cards.refusal(traits, wants)


def cost(traits: Traits, wants: Wants, rates: Rates) -> Cost:
    """What a run would take."""
    return peer_cards.cost(COSTS, traits, wants, rates, mixed=is_mixed(traits, wants))


CARD = peer_cards.peer_card(
    name="qiskit",
    summary="Qiskit Aer's state vector, or its density matrix where there is noise",
    qubits_max=40,
    refusal=refusal,
    cost=cost,
    packages=("qiskit_aer", "qiskit"),
    extra="aer",
    arrays=ARRAYS,
)
