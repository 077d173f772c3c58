"""Which blocks of a QIR program come together again, and in which order they may be followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EXIT = "\0exit"
"""What comes after every return; no block can have this name."""


def order(successors: Mapping[str, Sequence[str]], entry: str) -> tuple[list[str], str]:
    """Blocks that can be reached, each after all that lead to it, and a block that a loop leads back to.

    The second is "" where there is no loop; otherwise the order means nothing.
    """
    done: list[str] = []
    state: dict[str, int] = {entry: 1}  # 1 while it is being followed, 2 afterwards
    stack: list[tuple[str, int]] = [(entry, 0)]
    while stack:
        block, place = stack.pop()
        following = successors[block]
        if place == len(following):
            state[block] = 2
            done.append(block)
            continue
        stack.append((block, place + 1))
        target = following[place]
        if target == EXIT:
            continue
        if state.get(target) == 1:
            return [], target
        if target not in state:
            state[target] = 1
            stack.append((target, 0))
    return done[::-1], ""


def meeting_points(successors: Mapping[str, Sequence[str]], blocks: Sequence[str]) -> dict[str, str]:
    """For each block the first one that every way from it to the end goes through, or `EXIT`.

    Cooper, Harvey and Kennedy's algorithm on the graph turned round; without loops one pass is enough.

    Args:
        successors: of each block; a block that returns has `EXIT`.
        blocks: in the order of `order`.
    """
    rank = {EXIT: len(blocks), **{block: place for place, block in enumerate(blocks)}}
    found: dict[str, str] = {EXIT: EXIT}
    for block in reversed(blocks):
        first, *others = successors[block]
        for other in others:
            while first != other:
                if rank[first] < rank[other]:
                    first = found[first]
                else:
                    other = found[other]
        found[block] = first
    return found


__all__ = ["EXIT", "meeting_points", "order"]
