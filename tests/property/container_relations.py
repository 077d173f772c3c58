"""Relations of containers as docs/registers.md has them: who follows whom, and what that says of states."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from qrealm.control.containers.values import MODES


@dataclass(frozen=True)
class Tie:
    """The second container follows the first. Names; `states` is the number of states of both."""

    first: str
    second: str
    mode: str
    shift: int
    spent: bool
    states: int

    def image(self, index):
        """Of a state of the first; what stands for no state is copied."""
        if index >= self.states:
            return index
        return self.states - 1 - index if self.mode == "opposite" else (index + self.shift) % self.states

    def back(self, index):
        """Of a state of the second."""
        if index >= self.states:
            return index
        return self.states - 1 - index if self.mode == "opposite" else (index - self.shift) % self.states

    def turned(self):
        """The same said the other way round."""
        shift = -self.shift % self.states
        return replace(self, first=self.second, second=self.first, shift=shift)


def in_force(ties):
    return [tie for tie in ties if not tie.spent]


def images_from(name, ties, size):
    """By name, the state of each container that ties join to one, for every state of that one."""
    found = {name: tuple(range(size))}
    waiting = [name]
    for here in waiting:
        for tie in ties:
            if here not in (tie.first, tie.second):
                continue
            other, step = (tie.second, tie.image) if tie.first == here else (tie.first, tie.back)
            if other not in found:
                found[other] = tuple(step(index) for index in found[here])
                waiting.append(other)
    return found


def joined(name, ties):
    """Names of all that ties join to a container, itself included."""
    return set(images_from(name, ties, 0))


def leader_of(name, ties):
    return next((tie.first for tie in ties if tie.second == name), None)


def leaders_of(name, ties):
    """Whom it follows, whom that follows, and so on."""
    found = []
    while (name := leader_of(name, ties)) is not None:
        found.append(name)
    return found


def below(name, ties):
    """Who follows it, directly or over others."""
    return {tie.second for tie in ties if name in (tie.first, *leaders_of(tie.first, ties))}


def turned_to(name, ties):
    """The ties of one tree, so that this container leads all others."""
    found = images_from(name, ties, 0)
    order = {each: place for place, each in enumerate(found)}
    mine = [tie for tie in ties if tie.first in found]
    return [tie if order[tie.first] < order[tie.second] else tie.turned() for tie in mine]


def spread_over(name, ties):
    """Who is joined to a container by spread alone, and which state each has where that has its first."""
    found = images_from(name, [tie for tie in ties if tie.mode == "spread"], 1)
    return {other: images[0] for other, images in found.items()}


def shares(offsets, states):
    """How many have each state, the most first."""
    counts = Counter(offsets.values())
    return sorted((counts[state] for state in range(states)), reverse=True)


def says_otherwise(one, two, mode, ties, states):
    """Whether what is in force says something else of two containers; None where it says nothing."""
    images = images_from(one, ties, states).get(two)
    if images is None:
        return None
    if mode == "same":
        return images != tuple(range(states))
    if mode == "opposite":
        return images != tuple(reversed(range(states)))
    if two in spread_over(one, ties):
        return False
    return any(index == image for index, image in enumerate(images))


def check_forest(ties):
    """Nobody follows two, and there is no circle."""
    followers = [tie.second for tie in ties]
    assert len(set(followers)) == len(followers), ties
    for tie in ties:
        assert tie.second not in spread_of_leaders(tie.first, ties), ties


def spread_of_leaders(name, ties):
    """Whom it follows, itself included, however long the way: a circle ends."""
    found = {name}
    while (name := leader_of(name, ties)) is not None and name not in found:
        found.add(name)
    return found


def check_spent(before, told):
    """Of the spent relations, only those are gone that contradict what is there now."""
    check_forest(told)
    kept = [tie for tie in told if tie.spent]
    assert set(kept) <= set(before)
    for gone in set(before) - set(kept):
        circle = gone.second in joined(gone.first, told)
        assert circle or leader_of(gone.second, told) is not None, (gone, told)


def check_removed(before, told, gone):
    """Relations after some containers were removed: whoever was tied through them is tied directly."""
    left = [tie for tie in before if not {tie.first, tie.second} & gone]
    assert set(left) <= set(told), (left, told)
    for tie in told:
        assert not {tie.first, tie.second} & gone
        says = images_from(tie.first, before, tie.states)
        assert says[tie.second] == tuple(map(tie.image, range(tie.states))), (tie, before)
    for name in {end for tie in before for end in (tie.first, tie.second)} - gone:
        tree = [tie for tie in before if tie.first in joined(name, before)]
        modes, states = {tie.mode for tie in tree}, tree[0].states
        if states > 2 and {"opposite", "spread"} <= modes:
            continue  # such a tie has no name
        assert joined(name, told) == joined(name, before) - gone
        leader = next((each for each in leaders_of(name, before) if each not in gone), None)
        if leader is not None:
            assert leader_of(name, told) == leader


def check_dealt(before, told):
    """Relations that come into force again: as they were, spread ones dealt evenly where they were not."""
    assert {(t.first, t.second, t.mode) for t in told} == {(t.first, t.second, t.mode) for t in before}
    assert all(tie.mode in MODES and not tie.spent for tie in told)
    old = {(tie.first, tie.second): tie for tie in before}
    for tie in told:
        counts = shares(spread_over(tie.first, before), tie.states)
        if tie.mode != "spread" or counts[0] - counts[-1] <= 1:
            assert tie.shift == old[tie.first, tie.second].shift, (before, told)
        else:
            counts = shares(spread_over(tie.first, told), tie.states)
            assert counts[0] - counts[-1] <= 1, (before, told)


def dealt_on(offsets, more, states):
    """`shares` once so many more have been dealt, each to the least used."""
    counts = shares(offsets, states)
    for _ in range(more):
        counts[counts.index(min(counts))] += 1
    return sorted(counts, reverse=True)
