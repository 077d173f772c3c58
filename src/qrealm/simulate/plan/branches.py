"""How often a circuit parts that measures half-way: from what was read of it, nothing is run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qrealm.simulate.plan.types import Traits

ERROR_POWER = 0.75
"""Of the shots with an error, this power is taken for the ways in which they part: syndromes repeat."""

_OPEN_MAX = 60


@dataclass(frozen=True, slots=True)
class Branches:
    """What following the outcomes comes to.

    Attributes:
        share: how many times over the circuit is run, all branches together.
        partings: outcomes that are followed, at all decisions.
        collapses: the same for each qubit that is measured.
        ways: branches at the end.
    """

    share: float
    partings: float
    collapses: float
    ways: float


def branches(traits: Traits, drawn: float) -> Branches:
    """What `drawn` shots part into.

    What stands before a decision is run once for all ways that part there. Open outcomes, taken to be equally
    likely, part in all ways that so many shots find; outcomes that only errors change part as often as there
    is one.
    """
    total = max(1, traits.gates + traits.channels)
    share, partings, collapses, ways, last, opened, certain = 0.0, 0.0, 0.0, 1.0, 0.0, 0, 0
    for before, more_open, more_certain in traits.decided:
        place = min(1.0, before / total)
        share += ways * (place - last)
        opened, certain = min(opened + more_open, _OPEN_MAX), min(certain + more_certain, _OPEN_MAX)
        last = place
        errors = drawn * -math.expm1(-traits.events * place)
        ways = min(drawn, found(opened, drawn) + min(2.0**certain - 1, errors**ERROR_POWER))
        partings += ways
        collapses += ways * (more_open + more_certain)
    return Branches(share + ways * (1.0 - last), partings, collapses, ways)


def found(opened: int, drawn: float) -> float:
    """How many of the outcomes of so many fair bits turn up in so many draws."""
    possible = 2.0**opened
    return -possible * math.expm1(-drawn / possible)
