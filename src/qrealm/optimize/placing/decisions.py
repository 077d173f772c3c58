"""What was decided, among what, and why: kept as arrays by the kernel, made into words when asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

# The order is that of the kernel's decisions, its reasons and the parts of a change.
KINDS = ("placed", "placed by eviction", "nowhere", "moved", "moved to empty a node")
REASONS = ("closed", "not allowed", "a rule forbids")
# Smaller differences are rounding, or decided between equals.
TIE = 1e-11
PARTS = ("bins", "cost", "balance", "fragmentation", "moves", "rules")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that an item could go to.

    Attributes:
        node: its name.
        parts: change of each part of the objective (see `qrealm.optimize.problems.evaluate`) if it goes
            there; parts that do not change are absent.
        evicts: items of lower priority that would have to go.
    """

    node: str
    parts: Mapping[str, float]
    evicts: int = 0

    @property
    def change(self) -> float:
        """Of the objective: smaller is better."""
        return sum(self.parts.values())

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:+.4g}" for name, value in self.parts.items())
        evicts = f", evicting {_count(self.evicts, 'item')}" if self.evicts else ""
        return f"{self.node}: {self.change:+.4g}{f' ({parts})' if parts else ''}{evicts}"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one item.

    Attributes:
        item: its name.
        chosen: the node it has now; None when it has none.
        before: the node it had before, which may be gone; None when it had none.
        kind: one of `KINDS`.
        candidates: the best nodes, the chosen one first. Empty when none would do.
        change: of the objective, without what leaving the item out costs; for a move it includes what
            leaving the old node brings.
        fits: number of nodes that it could have gone to.
        refused: the others, counted by reason; a node with several reasons counts for the first of them,
            and for the resource that it lacks most of, as a share of its capacity.
        evicted: items of lower priority that had to go; each has a decision of its own, later on.
        evicted_by: the item for which this one had to go.
        nearest: the node that lacks least, when none would do, and how much of what it lacks.
    """

    item: str
    chosen: str | None
    before: str | None
    kind: str
    candidates: tuple[Candidate, ...]
    change: float
    fits: int
    refused: Mapping[str, int]
    evicted: tuple[str, ...] = ()
    evicted_by: str | None = None
    nearest: tuple[str, Mapping[str, float]] | None = None

    @property
    def runner_up(self) -> Candidate | None:
        """The second best node."""
        return self.candidates[1] if len(self.candidates) > 1 else None

    @property
    def runner_up_cost(self) -> float | None:
        """By how much the objective would be larger on the second best node."""
        return None if self.runner_up is None else self.runner_up.change - self.candidates[0].change

    @property
    def reason(self) -> str:
        """Why here, in one sentence."""
        if self.chosen is None or self.kind == "nowhere":
            return "no node would take it"
        if self.kind == "moved":
            return f"moving it lowers the objective by {-self.change:.4g}"
        if self.kind == "moved to empty a node":
            return f"node {self.before} is emptied: all its items find room on nodes in use"
        if self.kind == "placed by eviction":
            return f"no node had room; here the least important items go: {', '.join(self.evicted)}"
        if self.fits == 1:
            return "the only node that would take it"
        if self.runner_up_cost is not None and self.runner_up_cost < TIE:
            return "no node is better; between equals, the room left over decides, then the seed"
        return f"the best of {_count(self.fits, 'node')} by the objective"

    def explain(self) -> str:
        """Several lines: what, why, the candidates, who was refused."""
        end = f"on {self.chosen}" if self.chosen is not None else "has no node"
        lines = [f"{self.item} {end}: {self.reason}"]
        if self.before is not None and self.before != self.chosen:
            lines.append(f"  it was on {self.before}")
        if self.evicted_by is not None:
            lines.append(f"  it had to make room for {self.evicted_by}")
        for rank, candidate in enumerate(self.candidates):
            lines.append(f"  {rank + 1}. {candidate}")
        if self.runner_up is not None:
            lines.append(f"  {self.runner_up.node} would have cost {self.runner_up_cost:.4g} more")
        if self.refused:
            counts = ", ".join(f"{number:,} {_reason(why, number)}" for why, number in self.refused.items())
            lines.append(f"  not: {counts}")
        if self.nearest is not None:
            node, lacks = self.nearest
            amounts = ", ".join(f"{amount:.4g} {name}" for name, amount in lacks.items())
            lines.append(f"  nearest: it needs {amounts} more on node {node}")
        return "\n".join(lines)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _reason(why: str, number: int) -> str:
    if why == "a rule forbids":
        return "would break a rule"
    if why.startswith("lacks "):
        return why.replace("lacks", "lacks" if number == 1 else "lack")
    return f"{'is' if number == 1 else 'are'} {why}"


@dataclass(frozen=True, slots=True)
class Move:
    """An item that goes from one node to another; None is nowhere."""

    item: str
    source: str | None
    target: str | None


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers in a kernel's decisions mean."""

    items: Sequence[str]
    nodes: Sequence[str]
    resources: Sequence[str]


class Decisions(Sequence[Decision]):
    """Decisions in the order in which they were made. Each is put into words only when it is asked for."""

    def __init__(self, arrays: Sequence[Mapping[str, np.ndarray]], names: Names) -> None:
        self._arrays = [part for part in arrays if len(part["item"])]
        self._names = names
        self._starts = np.cumsum([0, *(len(part["item"]) for part in self._arrays)])

    @classmethod
    def joined(cls, several: Sequence[Decisions]) -> Decisions:
        """All of them in order; they are about one cluster and use the same numbers."""
        return cls([part for one in several for part in one._arrays], several[-1]._names)

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> Decision: ...
    @overload
    def __getitem__(self, index: slice) -> list[Decision]: ...
    def __getitem__(self, index: int | slice) -> Decision | list[Decision]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"there are {len(self)} decisions; number {index} is not there")
        part = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._decision(self._arrays[part], number - int(self._starts[part]))

    def of(self, item: str) -> Decision:
        """The last decision about an item. Raises KeyError when there is none."""
        for part in reversed(self._arrays):
            for number in range(len(part["item"]) - 1, -1, -1):
                if self._names.items[part["item"][number]] == item:
                    return self._decision(part, number)
        raise KeyError(item)

    @property
    def change(self) -> float:
        """Of the objective, by all of them together, without what leaving items out costs."""
        return float(sum(part["change"].sum() for part in self._arrays))

    @property
    def moves(self) -> tuple[Move, ...]:
        """What to do: one move for each item whose node is another now, in the order of first decisions."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for part in self._arrays:
            numbers = zip(part["item"].tolist(), part["from"].tolist(), part["chosen"].tolist(), strict=True)
            for item, source, chosen in numbers:
                first.setdefault(item, source)
                last[item] = chosen
        items, nodes = self._names.items, self._names.nodes
        return tuple(
            Move(
                items[item],
                nodes[source] if source >= 0 else None,
                nodes[last[item]] if last[item] >= 0 else None,
            )
            for item, source in first.items()
            if source != last[item]
        )

    def _decision(self, part: Mapping[str, np.ndarray], at: int) -> Decision:
        items, nodes, resources = self._names.items, self._names.nodes, self._names.resources
        per = len(part["candidate"]) // len(part["item"])
        parts = part["parts"].reshape(-1, per, len(PARTS))[at]
        candidates = tuple(
            Candidate(
                nodes[node],
                {name: value for name, value in zip(PARTS, parts[rank].tolist(), strict=True) if value},
                int(part["evicts"][at * per + rank]),
            )
            for rank, node in enumerate(part["candidate"][at * per : (at + 1) * per].tolist())
            if node >= 0
        )
        reasons = (*REASONS, *(f"lacks {name}" for name in resources))
        fits, *counts = part["refused"].reshape(len(part["item"]), -1)[at].tolist()
        begin, end = part["victim_start"][at : at + 2].tolist()
        by, nearest = int(part["evicted_by"][at]), int(part["nearest"][at])
        lack = part["lack"].reshape(len(part["item"]), -1)[at].tolist() if nearest >= 0 else []
        chosen, before = int(part["chosen"][at]), int(part["from"][at])
        return Decision(
            item=items[part["item"][at]],
            chosen=nodes[chosen] if chosen >= 0 else None,
            before=nodes[before] if before >= 0 else None,
            kind=KINDS[part["kind"][at]],
            candidates=candidates,
            change=float(part["change"][at]),
            fits=fits,
            refused={why: number for why, number in zip(reasons, counts, strict=True) if number},
            evicted=tuple(items[victim] for victim in part["victims"][begin:end].tolist()),
            evicted_by=items[part["item"][by]] if by >= 0 else None,
            nearest=None
            if nearest < 0
            else (nodes[nearest], {n: x for n, x in zip(resources, lack, strict=True) if x > 0}),
        )
