"""Decisions in words: why here, why not there, and what there is no room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from qrealm.base.errors import NoRoomError
from qrealm.control.containers.placement.admission import processors
from qrealm.control.containers.placement.gains import Gain
from qrealm.control.containers.placement.ports import is_taken_reason
from qrealm.control.containers.values import CandidateRecord, DecisionRecord
from qrealm.optimize import Item

# Differences below this are rounding: two nodes are equally good.
TIE = 1e-11
NODES_TOLD_MAX = 10
NAMES_TOLD_MAX = 5

REPLACEMENT = "replacement"
"""Recorded as the scheduler of what was decided without one."""

ALL_ELSE = "all else as decided"
"""A node is compared with others for one container: the others are where the same decision has them."""


def lack_in_words(lacks: Mapping[str, float], cpus_allowed: float) -> str:
    """What a node would need more of, as ``"needs 300 MiB more memory"``; empty when nothing.

    Args:
        cpus_allowed: what limits on the node may add up to.
    """
    words = []
    if lacks.get("cpus", 0.0) > 0:
        more = float(f"{lacks['cpus']:.3g}")
        noun = "processor" if more == 1 else "processors"
        words.append(f"{more:g} more {noun} than the {cpus_allowed:g} that it may give")
    if lacks.get("memory", 0.0) > 0:
        words.append(f"{max(1.0, lacks['memory']):,.0f} MiB more memory")
    return f"needs {' and '.join(words)}" if words else ""


def parts_in_words(parts: Mapping[str, float]) -> str:
    """Changes of the objective by part, as ``"balance +0.0123, moves +0.02"``."""
    return ", ".join(f"{name} {value:+.4g}" for name, value in parts.items())


def placed_reason(
    candidates: Sequence[CandidateRecord], scheduler: str, why_now: str = "", *, with_others: bool = False
) -> str:
    """Why the first of the candidates was taken for a container that had to go somewhere.

    Args:
        why_now: what happened before, as ``"node a is lost"``.
        with_others: whether others go elsewhere by the same decision.
    """
    start = f"{why_now}; " if why_now else ""
    given = f", {ALL_ELSE}" if with_others else ""
    if len(candidates) == 1:
        return f"{start}{candidates[0].node} is the only node that takes it{given}"
    chosen, other = candidates[0], candidates[1]
    more = other.change - chosen.change
    if more > TIE:
        parts = parts_in_words(_difference(other.parts, chosen.parts))
        return (
            f"{start}{chosen.node} is the best of {len(candidates)} nodes{given}; "
            f"{other.node} would cost {more:.4g} more ({parts})"
        )
    if more < -TIE:
        cheaper = f"{other.node} would cost {-more:.4g} less{given}"
        return f"{start}{scheduler} took {chosen.node}, though {cheaper}"
    return f"{start}no node is better than {chosen.node}{given}; {other.node} is as good"


def moved_reason(container: str, before: str, target: str, gain: Gain) -> str:
    """Why a container moves, by the gain of its group: what was gained, whatever the order of the moves."""
    change = gain.change
    others = [name for name in gain.members if name != container]
    end = "" if others else "s"
    parts = parts_in_words(gain.parts)
    if not gain.parts:
        effect = f"leave{end} the objective as it is"
    elif change > 0:
        effect = f"raise{end} the objective by {change:.4g} ({parts})"
    else:
        effect = f"lower{end} the objective by {-change:.4g} ({parts})"
    if not others:
        return f"moving it from {before} to {target} {effect}; the move costs {gain.costs:.4g}"
    left = len(others) - NAMES_TOLD_MAX
    told = [*others[:NAMES_TOLD_MAX], f"{left} more"] if left > 0 else others
    names = f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
    return (
        f"moves from {before} to {target} with {names}: together they {effect}; "
        f"the moves cost {gain.costs:.4g}"
    )


def kept_reason(candidates: Sequence[CandidateRecord], *, with_others: bool = False) -> str:
    """Why a container stays where it is: the first of the candidates.

    Args:
        with_others: whether others go elsewhere by the same decision.
    """
    here = candidates[0]
    given = f", {ALL_ELSE}" if with_others else ""
    if len(candidates) == 1:
        return f"stays on {here.node}: no other node takes it{given}"
    other = candidates[1]
    cost = other.parts.get("moves", 0.0)
    gain = here.change - (other.change - cost)
    if gain <= TIE:
        return f"stays on {here.node}: no other node is better{given}"
    return (
        f"stays on {here.node}: moving it to {other.node} would lower the objective by {gain:.4g} "
        f"and cost {cost:.4g}{given}"
    )


def waiting_reason(refused: Mapping[str, str]) -> str:
    """Why a container has no node."""
    if not refused:
        return "no node takes it: there is none"
    told = [f"{node}: {why}" for node, why in list(refused.items())[:NODES_TOLD_MAX]]
    return f"no node takes it; {'; '.join(told)}"


def no_room(item: Item, refused: Mapping[str, str], with_others: bool) -> NoRoomError:
    """The error about a container that no node takes.

    Args:
        refused: nodes and why each does not, the nearest first.
        with_others: whether others that are placed by the same call have a part in it.
    """
    want = f"{processors(item.demand['cpus'])} and {item.demand['memory']:,.0f} MiB of memory"
    told = [f"{node}: {why}" for node, why in list(refused.items())[:NODES_TOLD_MAX]]
    if len(refused) > NODES_TOLD_MAX:
        told.append(f"and {len(refused) - NODES_TOLD_MAX} nodes more")
    others = ", with the others of the same call placed" if with_others else ""
    return NoRoomError(
        f"no node takes container {item.name!r}, which wants {want}{others}: "
        f"{'; '.join(told) or 'there is no node'}",
        hint=f"{_instead(refused.values())}, remove containers, or add a node (qdocker nodes add)",
    )


def _instead(reasons: Iterable[str]) -> str:
    """What to ask for instead."""
    told = list(reasons)
    short = any(why.startswith(("needs ", "its host has ")) for why in told)
    taken = any(is_taken_reason(why) for why in told)
    port = "publish another port, or let the engine choose one (-p 80)"
    less = "ask for less (--cpu, --memory)"
    return ", ".join([*([port] if taken else []), *([less] if short or not taken else [])])


def explain(decision: DecisionRecord) -> str:
    """Several lines: what, why, the candidates, who was refused, how good the whole placement is."""
    end = f"on {decision.chosen}" if decision.chosen is not None else "has no node"
    # Nobody has chosen a scheduler of that name.
    none = decision.scheduler == REPLACEMENT
    by = "without a scheduler" if none else f"by {decision.scheduler}"
    lines = [f"{decision.container} {end} ({decision.action}, {by}): {decision.reason}"]
    if decision.before is not None and decision.before != decision.chosen:
        lines.append(f"  it was on {decision.before}")
    for rank, candidate in enumerate(decision.candidates, 1):
        parts = {name: value for name, value in candidate.parts.items() if abs(value) > TIE}
        told = f" ({parts_in_words(parts)})" if parts else ""
        lines.append(f"  {rank}. {candidate.node}: {candidate.change:+.4g}{told}")
    if decision.runner_up_cost is not None:
        more = decision.runner_up_cost
        compared = f"{abs(more):.4g} {'more' if more > 0 else 'less'}" if abs(more) > TIE else "the same"
        lines.append(f"  {decision.candidates[1].node} would have cost {compared}, {ALL_ELSE}")
    lines += [f"  not {node}: {why}" for node, why in decision.refused.items()]
    if decision.objective is not None:
        lines.append(f"  {_whole(decision, decision.objective)}")
    return "\n".join(lines)


def _whole(decision: DecisionRecord, objective: float) -> str:
    found = f"found by {decision.solver} in {decision.seconds:.3g} s" if decision.solver else ""
    if decision.bound is None:
        proven = "nothing is proven about better ones"
    elif objective - decision.bound <= 1e-9 * max(1.0, abs(objective)):
        proven = "proven to be the best there is"
    else:
        proven = f"no placement costs less than {decision.bound:.4g}"
    return ", ".join(part for part in (f"the whole placement costs {objective:.4g}", found, proven) if part)


def _difference(more: Mapping[str, float], less: Mapping[str, float]) -> dict[str, float]:
    """By how much each part is larger, where it is."""
    names = dict.fromkeys([*more, *less])
    changes = {name: more.get(name, 0.0) - less.get(name, 0.0) for name in names}
    return {name: change for name, change in changes.items() if abs(change) > TIE}
