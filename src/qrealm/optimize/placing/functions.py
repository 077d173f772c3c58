"""`place`, `replace` and `rebalance`: a cluster in, decisions and the next cluster out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from qrealm.base.errors import ProblemError
from qrealm.optimize.placing.cluster import Cluster
from qrealm.optimize.placing.decisions import Decision, Decisions, Move
from qrealm.optimize.placing.placer import CANDIDATES, Placer
from qrealm.optimize.problems.assignment import Bin, Item

# The kernel's state for a cluster that a call has just made, for the next call to go on from: a matter of
# speed alone. Whoever takes it out owns it.
_STATE = "_placer"


@dataclass(frozen=True)
class Placement:
    """What was decided.

    Attributes:
        cluster: what there is when all of it is done.
        decisions: one for each item that was looked at, in order.
    """

    cluster: Cluster
    decisions: Decisions

    @property
    def moves(self) -> tuple[Move, ...]:
        """What to do."""
        return self.decisions.moves

    def why(self, item: str) -> Decision:
        """The last decision about an item. Raises ProblemError when there was none."""
        try:
            return self.decisions.of(item)
        except KeyError:
            raise ProblemError(f"nothing was decided about item {item!r}") from None


def place(
    cluster: Cluster,
    arriving: Iterable[Item],
    *,
    largest_first: bool = True,
    evict: bool = True,
    candidates: int = CANDIDATES,
) -> Placement:
    """Place items that arrive: those of high priority first, then the largest, then as given. What fits
    nowhere waits.

    Args:
        cluster: what there is now.
        arriving: items that are new.
        largest_first: False keeps the given order among items of the same priority.
        evict: whether items of lower priority may have to go for one that fits nowhere.
        candidates: how many nodes each decision remembers, the chosen one first.

    Raises:
        ProblemError: for a name that is there already.
    """
    placer = _placer_of(cluster, candidates)
    return _finish(placer, [placer.arrive(arriving, largest_first=largest_first, evict=evict)])


def replace(
    cluster: Cluster,
    *,
    gone: Iterable[str] = (),
    leaving: Iterable[str] = (),
    draining: Iterable[str] = (),
    joining: Iterable[Bin] = (),
    evict: bool = True,
    moves_max: int = 0,
    gain_min: float = 0.0,
    candidates: int = CANDIDATES,
) -> Placement:
    """Place again after things changed: items leave, nodes join, nodes are gone, nodes are emptied; what ran
    on those, and what waits, is placed, by priority.

    Args:
        cluster: what there was before.
        gone: names of nodes that are not there any more.
        leaving: names of items that end.
        draining: names of nodes to be closed and emptied.
        joining: nodes that are new.
        evict: whether items of lower priority may have to go for one that fits nowhere.
        moves_max: afterwards, at most so many moves of other items, see `rebalance`.
        gain_min: what each of these must bring.
        candidates: how many nodes each decision remembers, the chosen one first.
    """
    placer = _placer_of(cluster, candidates)
    with placer.one_step():
        placer.leave(leaving)
        placer.add_nodes(joining)
        decisions = [placer.remove_nodes(gone, evict=evict), placer.drain(draining, evict=evict)]
        if moves_max:
            decisions.append(placer.rebalance(moves_max, gain_min=gain_min))
    return _finish(placer, decisions)


def rebalance(
    cluster: Cluster,
    moves_max: int,
    *,
    gain_min: float = 0.0,
    seconds: float = math.inf,
    candidates: int = CANDIDATES,
) -> Placement:
    """Moves that lower the objective by more than they cost; see `Placer.rebalance`."""
    placer = _placer_of(cluster, candidates)
    return _finish(placer, [placer.rebalance(moves_max, gain_min=gain_min, seconds=seconds)])


def _placer_of(cluster: Cluster, candidates: int) -> Placer:
    if not isinstance(cluster, Cluster):
        raise ProblemError(f"a placement got {cluster!r:.60} for its cluster; it takes a Cluster")
    placer: Placer | None = cluster.__dict__.pop(_STATE, None)
    return placer if placer and placer.candidates == candidates else Placer(cluster, candidates=candidates)


def _finish(placer: Placer, decisions: list[Decisions]) -> Placement:
    cluster = placer.cluster
    object.__setattr__(cluster, _STATE, placer)
    return Placement(cluster, Decisions.joined(decisions))
