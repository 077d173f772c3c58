"""AUTO: asks every card, and takes the cheapest that can run the circuit well enough. Pure: every fact is an
argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from qrealm.base.errors import QubitError
from qrealm.base.units import format_gib, format_seconds
from qrealm.simulate.plan.choose import fits
from qrealm.simulate.plan.types import (
    BackendCard,
    Choice,
    Considered,
    Cost,
    DeviceFacts,
    Rates,
    Traits,
    Wants,
)

_NO_DEVICES: dict[str, DeviceFacts] = {}
_NOTHING_KNOWN: dict[str, Cost] = {}
_ANY_RATES = Rates(1.0, 1.0, 1.0, 1.0, 1.0)
"""Where only memory is asked, which does not depend on speed."""


def look(
    traits: Traits,
    wants: Wants,
    cards: Iterable[BackendCard],
    rates: Rates,
    *,
    missing: Callable[[BackendCard], str],
    memory_available_bytes: int,
    devices: Mapping[str, DeviceFacts] = _NO_DEVICES,
    known: Mapping[str, Cost] = _NOTHING_KNOWN,
) -> tuple[Considered, ...]:
    """What every card says: those that can, cheapest first, then those that cannot, and why.

    Args:
        traits, wants: what is to be run, and what is asked of it.
        cards: those that may be chosen, in the order that decides between equals.
        rates: what this machine does per second.
        missing: which package a card lacks here; empty when it can be loaded.
        memory_available_bytes: what may be allocated.
        devices: by name of a card, the processor that its backend runs on, where that has its own memory.
        known: costs that are known better than their cards can tell, by name.
    """
    host = DeviceFacts(rates, memory_available_bytes)
    able: list[Considered] = []
    refused: list[Considered] = []
    for card in cards:
        why = refusal(card, traits, wants) or missing(card)
        cost = None
        if not why:
            device = devices.get(card.name, host)
            cost = known.get(card.name) or card.cost(traits, wants, device.rates)
            room = device.memory_available_bytes
            if not fits(cost.memory_bytes, room):
                why = f"it needs {format_gib(cost.memory_bytes)} of {format_gib(room)}"
            elif cost.error > wants.accuracy:
                why = f"its error of about {cost.error:.1g} is above the accuracy asked, {wants.accuracy:.1g}"
        (refused if why else able).append(Considered(card.name, cost, why))
    able.sort(key=lambda each: each.cost.seconds if each.cost else 0.0)
    return (*able, *refused)


def chosen(considered: tuple[Considered, ...]) -> Choice | None:
    """The first of what `look` found; None when none can."""
    able = [each for each in considered if not each.refused]
    return Choice(able[0].name, _why(able[0], able), considered) if able else None


def able(
    traits: Traits, wants: Wants, cards: Iterable[BackendCard], memory_available_bytes: int
) -> list[str]:
    """Names of the cards that can run this in so much memory, whatever their time and error."""
    return [
        card.name
        for card in cards
        if not refusal(card, traits, wants)
        and fits(card.cost(traits, wants, _ANY_RATES).memory_bytes, memory_available_bytes)
    ]


def refusal(card: BackendCard, traits: Traits, wants: Wants) -> str:
    """Why a card cannot run this, whatever the memory; empty when it can.

    Raises:
        QubitError: there is no qubit to run.
    """
    if traits.num_qubits < 1:
        raise QubitError("a run needs at least one qubit; the circuit has none")
    if traits.num_qubits > card.qubits_max:
        return f"it takes up to {card.qubits_max} qubits; the circuit has {traits.num_qubits}"
    if wants.precision is not None and wants.precision not in card.precisions:
        return f"it has no {wants.precision.value} precision"
    return card.refusal(traits, wants) or ""


def _why(best: Considered, able: list[Considered]) -> str:
    assert best.cost is not None
    told = f"{best.name}: about {format_seconds(best.cost.seconds)}, {format_gib(best.cost.memory_bytes)}"
    if len(able) > 1 and able[1].cost is not None:
        return f"{told}; next would be {able[1].name} with about {format_seconds(able[1].cost.seconds)}"
    return f"{told}; no other can run it"
