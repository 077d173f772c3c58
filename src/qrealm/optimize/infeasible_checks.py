"""Contradictions that can be seen without a search: each check is a proof in words, or silent.

Every check gets a problem all of whose items must have a bin, and whose rules are all demands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from qrealm.optimize.bounds import bins_needed
from qrealm.optimize.problems import Assignment, Item, Rule
from qrealm.optimize.problems.arrays import RuleArrays
from qrealm.optimize.problems.assignment import BIN
from qrealm.optimize.problems.evaluate import TOLERANCE

SETS_MAX = 64
CLIQUE_ITEMS_MAX = 300
MATCHING_MAX = 2_000_000
NAMES_MAX = 8
Texts = tuple[str, ...]


def names_of(names: Iterable[str]) -> str:
    """Names, the first few of them when they are many."""
    all_names = list(names)
    more = f" and {len(all_names) - NAMES_MAX} more" if len(all_names) > NAMES_MAX else ""
    return ", ".join(repr(name) for name in all_names[:NAMES_MAX]) + more


def item_text(item: Item) -> str:
    """That an item must have a bin, and which."""
    takes = ", ".join(f"{amount:g} {resource}" for resource, amount in item.demand.items())
    needs = "".join(f", needs {key}={value}" for key, value in item.needs.items())
    where = "" if item.allowed is None else f", may go to {names_of(item.allowed)} only"
    if item.allowed == ():
        where = ", may go nowhere"
    return f"item {item.name!r} must have a bin (takes {takes or 'nothing'}{needs}{where})"


def rule_text(rule: Rule) -> str:
    """What a rule demands."""
    over = "bin" if rule.over == BIN else rule.over
    says = {
        "together": f"must be in one {over}",
        "apart": f"must each be in another {over}",
        "spread": f"must be spread over every {over}, with a difference of at most {rule.skew}",
    }[rule.kind]
    return f"items {names_of(rule.items)} {says}"


def first_contradiction(problem: Assignment) -> Texts:
    """The texts of the first check that finds something; empty when none does."""
    if not problem.items:
        return ()
    if not problem.bins:
        return (item_text(problem.items[0]), "there are no bins")
    checks: tuple[Callable[[Assignment], Texts], ...] = (
        no_bin_for_an_item,
        rules_at_odds,
        too_much_for_a_group,
        too_few_domains,
        too_few_for_a_spread,
        too_much_in_all,
        too_many_that_share_with_none,
        too_few_bins,
    )
    for check in checks:
        texts = check(problem)
        if texts:
            return texts
    return ()


def _brings_room(problem: Assignment) -> bool:
    return bool((problem.arrays.demand < 0).any())


def fits_alone(problem: Assignment, item: int) -> np.ndarray:
    """Bins that an item may go to and has room in, bool of shape (bins,)."""
    arrays = problem.arrays
    allowed: np.ndarray = arrays.allowed[arrays.allowed_set[item]]
    if _brings_room(problem):
        return allowed
    fits: np.ndarray = np.all(arrays.demand[item] <= arrays.capacity * (1 + TOLERANCE), axis=1)
    return np.asarray(allowed & fits)


def no_bin_for_an_item(problem: Assignment) -> Texts:
    """An item whose labels no bin has, or that is larger than every bin that it may go to."""
    arrays = problem.arrays
    keys = np.column_stack([arrays.allowed_set, arrays.demand])
    _, firsts = np.unique(keys, axis=0, return_index=True)
    for number in firsts.tolist():
        item = problem.items[number]
        allowed = arrays.allowed[arrays.allowed_set[number]]
        if not allowed.any():
            return (item_text(item), _who_has(problem, item))
        if fits_alone(problem, number).any():
            continue
        for resource, amount in zip(arrays.resources, arrays.demand[number].tolist(), strict=True):
            most = float(arrays.capacity[allowed, arrays.resources.index(resource)].max())
            if amount > most * (1 + TOLERANCE):
                return (item_text(item), f"no bin that it may go to has more than {most:g} {resource}")
        return (item_text(item), "no bin that it may go to has enough of all of these at once")
    return ()


def _who_has(problem: Assignment, item: Item) -> str:
    if item.allowed == ():
        return "its list of allowed bins is empty"
    for key, value in item.needs.items():
        if not any(place.labels.get(key) == value for place in problem.bins):
            return f"no bin has the label {key}={value}"
    return "no bin that it may go to has all the labels that it needs"


class _Groups:
    """Items that demands tie to one bin, or to one domain of a label."""

    def __init__(self, problem: Assignment, over: str) -> None:
        self._leader = list(range(len(problem.items)))
        self.rules: list[RuleArrays] = []
        for rule in problem.arrays.rules:
            if rule.rule.kind == "together" and rule.rule.over in (BIN, over):
                self.rules.append(rule)
                for item in rule.items[1:].tolist():
                    self._leader[self.of(item)] = self.of(int(rule.items[0]))

    def of(self, item: int) -> int:
        while self._leader[item] != item:
            self._leader[item] = self._leader[self._leader[item]]
            item = self._leader[item]
        return item

    def ties(self, group: int) -> Texts:
        return tuple(
            rule_text(r.rule) for r in self.rules if len(r.items) and self.of(int(r.items[0])) == group
        )


def rules_at_odds(problem: Assignment) -> Texts:
    """Items that several rules tie together and another wants apart."""
    groups: dict[str, _Groups] = {}
    for rule in problem.arrays.rules:
        if rule.rule.kind != "apart":
            continue
        tied = groups.setdefault(rule.rule.over, _Groups(problem, rule.rule.over))
        seen: dict[int, int] = {}
        for item in rule.items.tolist():
            if tied.of(item) in seen:
                pair = (problem.items[seen[tied.of(item)]].name, problem.items[item].name)
                both = f"items {pair[0]!r} and {pair[1]!r} cannot be both"
                return (*tied.ties(tied.of(item)), rule_text(rule.rule), both)
            seen[tied.of(item)] = item
    return ()


def too_much_for_a_group(problem: Assignment) -> Texts:
    """Items that must be in one bin, or one domain, where no such place is allowed to all and has room."""
    arrays = problem.arrays
    for rule in arrays.rules:
        if rule.rule.kind != "together" or len(rule.items) < 2:
            continue
        tied = _Groups(problem, BIN if rule.rule.over == BIN else rule.rule.over)
        group = tied.of(int(rule.items[0]))
        chosen = rule.items.tolist()
        if rule.rule.over == BIN:
            chosen = [item for item in range(len(problem.items)) if tied.of(item) == group]
        room = np.zeros((rule.num_domains, len(arrays.resources)))
        np.add.at(room, rule.domains, arrays.capacity)
        open_to_all = np.ones(rule.num_domains, dtype=bool)
        for item in chosen:
            reached = np.zeros(rule.num_domains, dtype=bool)
            reached[rule.domains[fits_alone(problem, item)]] = True
            open_to_all &= reached
        ties = tied.ties(group) if rule.rule.over == BIN else (rule_text(rule.rule),)
        if not open_to_all.any():
            return (*ties, *_items(problem, chosen), f"no {rule.rule.over} is open to all of them")
        total = arrays.demand[chosen].sum(axis=0)
        others = np.minimum(arrays.demand, 0).sum(axis=0) - np.minimum(arrays.demand[chosen], 0).sum(axis=0)
        if not (open_to_all & np.all(total + others <= room * (1 + TOLERANCE), axis=1)).any():
            takes = ", ".join(f"{x:g} {name}" for name, x in zip(arrays.resources, total, strict=True))
            return (*ties, f"together they take {takes}; no {rule.rule.over} open to all has that much room")
    return ()


def _items(problem: Assignment, numbers: Iterable[int]) -> Texts:
    return tuple(item_text(problem.items[number]) for number in list(numbers)[:NAMES_MAX])


def too_few_domains(problem: Assignment) -> Texts:
    """More items that must be apart than there are domains for them (P. Hall, 1935)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    for rule in problem.arrays.rules:
        if rule.rule.kind != "apart" or len(rule.items) * rule.num_domains > MATCHING_MAX:
            continue
        reached = np.zeros((len(rule.items), rule.num_domains), dtype=bool)
        for row, item in enumerate(rule.items.tolist()):
            reached[row, rule.domains[fits_alone(problem, item)]] = True
        domain_of = maximum_bipartite_matching(csr_array(reached), perm_type="column")
        unmatched = np.flatnonzero(domain_of < 0)
        if not len(unmatched):
            continue
        members, domains = _deficient(reached, domain_of, int(unmatched[0]))
        who = names_of(problem.items[int(rule.items[row])].name for row in members)
        return (
            rule_text(rule.rule),
            f"items {who} ({len(members)}) must all be placed",
            f"all bins that they fit are in {len(domains)} of the domains over {rule.rule.over}",
        )
    return ()


def _deficient(reached: np.ndarray, domain_of: np.ndarray, first: int) -> tuple[list[int], list[int]]:
    """Members, and the fewer domains that they reach in all: by alternating paths from an unmatched one."""
    member_of = {int(domain): row for row, domain in enumerate(domain_of) if domain >= 0}
    members, domains, queue = [first], set[int](), [first]
    while queue:
        for domain in np.flatnonzero(reached[queue.pop()]).tolist():
            if domain not in domains:
                domains.add(domain)
                members.append(member_of[domain])
                queue.append(member_of[domain])
    return sorted(members), sorted(domains)


def too_few_for_a_spread(problem: Assignment) -> Texts:
    """Items to be spread over domains some of which none of them can reach."""
    for rule in problem.arrays.rules:
        if rule.rule.kind != "spread":
            continue
        reached = np.zeros(rule.num_domains, dtype=bool)
        for item in rule.items.tolist():
            reached[rule.domains[fits_alone(problem, item)]] = True
        most = rule.rule.skew * int(reached.sum())
        if not reached.all() and len(rule.items) > most:
            missing = rule.num_domains - int(reached.sum())
            closed = (
                f"{missing} of the {rule.num_domains} domains over {rule.rule.over} can hold none of them"
            )
            others = f"so the others may hold {rule.rule.skew} each, {most} of {len(rule.items)}"
            return (rule_text(rule.rule), closed, others)
    return ()


def too_much_in_all(problem: Assignment) -> Texts:
    """Items that together take more than all the bins have that any of them may go to."""
    arrays = problem.arrays
    sets, counts = np.unique(arrays.allowed_set, return_counts=True)
    candidates = [arrays.allowed[s] for s in sets[np.argsort(-counts)][:SETS_MAX]]
    candidates.append(np.ones(len(problem.bins), dtype=bool))
    for bins in candidates:
        inside = ~(arrays.allowed & ~bins).any(axis=1)
        chosen = inside[arrays.allowed_set]
        # What others bring counts as room here.
        total = arrays.demand[chosen].sum(axis=0) + np.minimum(arrays.demand[~chosen], 0).sum(axis=0)
        room = arrays.capacity[bins].sum(axis=0)
        for at in np.flatnonzero(total > room * (1 + TOLERANCE)).tolist():
            # The largest of them are enough.
            needed = np.where(chosen, np.maximum(arrays.demand[:, at], 0), 0)
            order = np.argsort(-needed, kind="stable")
            limit = float(room[at]) * (1 + TOLERANCE) - float(np.minimum(arrays.demand[:, at], 0).sum())
            count = min(int(np.searchsorted(np.cumsum(needed[order]), limit, side="right")) + 1, len(order))
            who = names_of(problem.items[i].name for i in order[:count].tolist())
            where = names_of(problem.bins[b].name for b in np.flatnonzero(bins).tolist())
            resource = arrays.resources[at]
            total_needed = float(needed[order[:count]].sum())
            return (
                f"items {who} ({count}) must have a bin and take {total_needed:g} {resource} in all",
                f"the bins that they may go to, {where}, have {room[at]:g} {resource} in all",
            )
    return ()


def too_many_that_share_with_none(problem: Assignment) -> Texts:
    """More items than bins, no two of which may share one: for their sizes or for rules."""
    arrays = problem.arrays
    n, m = len(problem.items), len(problem.bins)
    ruled = sorted({int(i) for r in arrays.rules if r.rule.kind == "apart" for i in r.items})
    room = arrays.capacity.max(axis=0)
    size = (arrays.demand / np.where(room > 0, room, 1.0)).max(axis=1, initial=0.0)
    large = [] if _brings_room(problem) else np.argsort(-size, kind="stable")[:CLIQUE_ITEMS_MAX].tolist()
    order = list(dict.fromkeys([*large, *ruled]))[: 2 * CLIQUE_ITEMS_MAX]
    if n <= m or not order:
        return ()
    apart = np.zeros((len(order), len(order)), dtype=bool)
    if not _brings_room(problem):
        for resource in range(len(room)):
            column = arrays.demand[order, resource]
            apart |= column[:, None] + column[None, :] > room[resource] * (1 + TOLERANCE)
    where = {item: at for at, item in enumerate(order)}
    for rule in arrays.rules:
        if rule.rule.kind == "apart":
            at = [where[i] for i in rule.items.tolist() if i in where]
            apart[np.ix_(at, at)] = True
    np.fill_diagonal(apart, False)
    clique: list[int] = []
    still = np.ones(len(order), dtype=bool)
    while still.any() and len(clique) <= m:
        chosen = int(np.argmax(np.where(still, (apart & still).sum(axis=1), -1)))
        clique.append(order[chosen])
        still &= apart[chosen]
    if len(clique) <= m:
        return ()
    who = ", ".join(repr(problem.items[i].name) for i in clique)
    rules = [
        rule_text(r.rule)
        for r in arrays.rules
        if r.rule.kind == "apart" and len(set(r.items.tolist()) & set(clique)) > 1
    ]
    return (f"items {who} must have bins, no two of them the same", *rules, f"there are {m} bins")


def too_few_bins(problem: Assignment) -> Texts:
    """More bins are needed than there are, by a bound on packings."""
    needed = bins_needed(problem)
    if needed <= len(problem.bins):
        return ()
    share = problem.arrays.demand / np.maximum(problem.arrays.capacity.max(axis=0), 1e-300)
    order = np.argsort(-share.max(axis=1, initial=0.0), kind="stable").tolist()
    low, high = len(problem.bins), len(order)
    while high - low > 1:  # the largest items are enough; as few of them as show it
        middle = (low + high) // 2
        low, high = (low, middle) if _needed(problem, order[:middle]) > len(problem.bins) else (middle, high)
    who = names_of(problem.items[i].name for i in order[:high])
    return (
        f"items {who} ({high}) need at least {_needed(problem, order[:high])} bins",
        f"there are {len(problem.bins)} bins",
    )


def _needed(problem: Assignment, chosen: list[int]) -> int:
    items = tuple(problem.items[number] for number in chosen)
    return bins_needed(replace(problem, items=items, rules=(), placement_cost=None))
