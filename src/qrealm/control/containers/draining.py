"""Emptying nodes: that it was begun is written down first, so that one that was cut off is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from qrealm.base.errors import QrealmError
from qrealm.control.containers.balancing import Balancing
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.reports import BalanceReport
from qrealm.control.containers.values import NodeState, Phase

RETRY_S = 5.0
"""Seconds after which what could not be moved is tried again, doubled after each try."""

TRIES_MAX = 5
"""Then what has not moved stays. A try may stop a container for a moment."""

MARK = "draining:"
"""Beginning of the name of the setting that says that it was begun; the node's name follows."""


def turn(node: str) -> str:
    """Name of the lock of whoever empties a node; no container can have it."""
    return f"drain:{node}"


class _Tries(NamedTuple):
    """How often a drain has been gone on with, and when it is tried again by the clock."""

    number: int
    again_at: float


class Draining:
    """Moves away what closed nodes have.

    Args:
        ending: whether the engine is being closed; no move is begun then.
    """

    def __init__(self, context: Context, balancing: Balancing, ending: Callable[[], bool]) -> None:
        self._ctx = context
        self._balancing = balancing
        self._ending = ending
        self._tries: dict[str, _Tries] = {}
        self._told: dict[str, dict[str, str]] = {}

    def begin(self, node: str) -> None:
        """Write down that a node is about to be emptied; inside a transaction."""
        self._ctx.store.settings.set(MARK + node, "begun")

    def end(self, node: str) -> None:
        """What can be moved has been, or nobody wants it any more."""
        self._ctx.store.settings.delete(MARK + node)
        self._tries.pop(node, None)
        self._told.pop(node, None)

    def empty(self, node: str) -> BalanceReport:
        """Move what a node has, as far as others take it; its lock held."""
        try:
            report = self._balancing.empty(node, partial(self._halted, node))
        except QrealmError:
            self._over(node)
            raise
        self._over(node)
        return report

    def _over(self, node: str) -> None:
        """Whoever asked is told what stays. What closing breaks off is gone on with after the next start."""
        if not self._ending():
            self.end(node)

    def _halted(self, node: str) -> str:
        """Why what a node has is not moved away any more; empty as long as it is."""
        if self._ending():
            return "the engine is being closed"
        state = self._state(node)
        if state is NodeState.DRAINING:
            return ""
        now = {None: "is no node any more", NodeState.READY: "takes containers again"}
        return f"node {node!r} {now.get(state, 'is lost')}"

    def _state(self, node: str) -> NodeState | None:
        return next((each.state for each in self._ctx.store.nodes.all() if each.name == node), None)

    def begun(self) -> list[str]:
        """Nodes that are being emptied, or were when the process ended."""
        return [name.removeprefix(MARK) for name in self._ctx.store.settings.all(MARK)]

    def go_on(self, node: str) -> None:
        """Go on with a drain that was cut off, unless somebody is at it. What cannot be moved now is tried a
        few times more, and each reason is told once."""
        ctx = self._ctx
        with ctx.names.try_hold(turn(node)) as held:
            if not held or node not in self.begun():
                return
            number, again_at = self._tries.get(node, _Tries(0, 0.0))
            state = self._state(node)
            if state not in (NodeState.DRAINING, NodeState.LOST):
                self.end(node)
            if state is not NodeState.DRAINING or (number and ctx.clock.monotonic() < again_at):
                return
            if not number:
                log.warning("node %s: its drain was cut off, and is gone on with", node)
            number += 1
            finished = self._try(node)
            if self._ending() or node not in self.begun():
                return
            if finished or number >= TRIES_MAX:
                self.end(node)
            else:
                wait_s = RETRY_S * 2 ** (number - 1)
                self._tries[node] = _Tries(number, ctx.clock.monotonic() + wait_s)

    def _try(self, node: str) -> bool:
        """Whether nothing is left that another try may move."""
        try:
            report = self._balancing.empty(node, partial(self._halted, node))
        except QrealmError as problem:
            self._tell(node, node, f"its drain was cut off, and cannot be gone on with: {problem.message}")
            return False
        if self._halted(node):
            return False
        for container, why in report.stays.items():
            self._tell(node, container, f"{container} stays on {node}, which is draining: {why}")
        there = [record for record in self._ctx.store.containers.all() if record.node == node]
        failed = any(move.error for move in report.moves)
        return not failed and all(record.phase is Phase.READY for record in there)

    def _tell(self, node: str, name: str, problem: str) -> None:
        told = self._told.setdefault(node, {})
        if told.get(name) != problem:
            told[name] = problem
            self._ctx.tell("engine", "problem", name, {"problem": problem})
