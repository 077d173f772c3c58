"""Which shots meet which events in a stretch, and the operations that events put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.backends.trajectories.draws import uniforms
from qrealm.simulate.backends.trajectories.sites import Insertion, Operator
from qrealm.simulate.backends.trajectories.steps import OpList, Stretch, between, joined

Shots = NDArray[np.uint64]

Event = tuple[int, int]
"""(site, which of its choices); -1 where that depends on the state."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Shots that meet the same events in a stretch.

    Attributes:
        events: in order; not empty.
        shots: shot numbers, ascending.
    """

    events: tuple[Event, ...]
    shots: Shots


def patterns(stretch: Stretch, shots: Shots, seed: int) -> tuple[Shots, list[Pattern]]:
    """(shots without an event, the others by their events in the order of the first one).

    Sites are gone through by the waiting time to the next event: with the running sum of hazards as the
    clock, the time is exponential, and it starts anew after every site with an event.
    """
    found = _draw(stretch, shots, seed)
    if found is None:
        return shots, []
    places, sites = found
    choices = _choose(stretch, shots[places], sites, seed)
    order = np.lexsort((sites, places))
    places, sites, choices = places[order], sites[order], choices[order]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    ends = np.append(starts[1:], len(places))
    pairs = list(zip(sites.tolist(), choices.tolist(), strict=True))
    groups: dict[tuple[Event, ...], list[int]] = {}
    for place, start, end in zip(places[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
        groups.setdefault(tuple(pairs[start:end]), []).append(place)
    quiet = np.ones(len(shots), dtype=bool)
    quiet[places] = False
    noisy = [Pattern(events, shots[np.array(members)]) for events, members in groups.items()]
    noisy.sort(key=lambda pattern: pattern.events)
    return shots[quiet], noisy


def _draw(stretch: Stretch, shots: Shots, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """(places in `shots`, sites) of all events; None for none."""
    hazards = stretch.hazards
    all_places: list[NDArray[np.int64]] = []
    all_sites: list[NDArray[np.int64]] = []
    places = np.arange(len(shots))
    clock = np.zeros(len(shots))
    round_ = 0
    while len(places) and len(hazards) > 1:
        numbers = uniforms(seed, stretch.stream + round_, shots[places])
        clock = clock - np.log1p(-numbers)
        sites = np.searchsorted(hazards[1:], clock, side="left")
        here = sites < len(hazards) - 1
        places, sites = places[here], sites[here]
        all_places.append(places)
        all_sites.append(sites)
        clock = hazards[sites + 1]
        round_ += 1
    if not all_places:
        return None
    joined_places = np.concatenate(all_places)
    return (joined_places, np.concatenate(all_sites)) if len(joined_places) else None


def _choose(stretch: Stretch, shots: Shots, sites: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Which event happens, for each pair of a shot and a site."""
    choices = np.full(len(sites), -1, dtype=np.int64)
    order = np.argsort(sites, kind="stable")
    borders = np.flatnonzero(np.diff(sites[order])) + 1
    for members in np.split(order, borders):
        site = int(sites[members[0]])
        bounds = stretch.sites[site].behaviour.bounds
        if bounds is None or stretch.sites[site].behaviour.depends:
            continue
        numbers = uniforms(seed, stretch.site_stream(site), shots[members])
        choices[members] = np.minimum(np.searchsorted(bounds, numbers, side="right"), len(bounds) - 1)
    return choices


class Splicer:
    """Packs parts of a stretch with events in them."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._cut_places = np.array(stretch.cuts)

    def cut_before(self, site: int) -> int:
        """Which cut a shot with its first event here leaves the quiet run at."""
        start = self._stretch.sites[site].start
        return int(np.searchsorted(self._cut_places, start, side="right")) - 1

    def packed(self, start: int, stop: int, put: Sequence[tuple[int, Insertion]]) -> PackedCircuit:
        """Operations `start` to `stop` of the quiet run with events in the place of their sites'.

        Args:
            put: (site, what it puts in), in order; each site lies between `start` and `stop`.
        """
        stretch = self._stretch
        parts: list[PackedCircuit] = []
        here = start
        for number, insertion in put:
            site = stretch.sites[number]
            if site.start > here:
                parts.append(between(stretch.packed, here, site.start))
            parts.append(inserted(insertion, site.qubits, stretch.packed.num_qubits))
            here = max(here, site.stop)
        if stop > here or not parts:
            parts.append(between(stretch.packed, here, stop))
        return joined(stretch.packed.num_qubits, parts)


def inserted(insertion: Insertion, qubits: Sequence[int], num_qubits: int) -> PackedCircuit:
    """The operations of an event."""
    ops = OpList()
    matrices: tuple[Operator, ...] = ()
    if insertion.matrix is None:
        for code, place in insertion.paulis:
            ops.add(code, (qubits[place],))
    else:
        ops.add(int(OpCode.MATRIX), qubits, (0.0,))
        matrices = (insertion.matrix,)
    return ops.packed(num_qubits, matrices)


def scaling(factor: float, num_qubits: int) -> PackedCircuit:
    """Multiplies a state by a real number."""
    return inserted(Insertion(matrix=factor * np.eye(2, dtype=np.complex128)), (0,), num_qubits)
