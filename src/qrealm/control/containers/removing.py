"""Removing nodes: that one goes with its containers is written down first, so that a removal that was cut off
is finished, and one that failed leaves the node as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    QrealmError,
    RequestError,
    StoreError,
)
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.draining import Draining
from qrealm.control.containers.left_out import LeftOut
from qrealm.control.containers.lifecycle import Lifecycle
from qrealm.control.containers.reconcile import Found, Reconcile
from qrealm.control.containers.reports import NodeRemovalReport
from qrealm.control.containers.values import NodeRecord, NodeState

MARK = "removing-node:"
"""Beginning of the name of the setting that says that it was begun; the node's name follows."""


def turn(node: str) -> str:
    """Name of the lock of whoever removes a node; no container can have it."""
    return f"rm:{node}"


class Removing:
    """Forgets nodes.

    Args:
        forget: told the name of each node that is no more.
        ending: whether the engine is being closed: then no node answers, and nothing is given up for that.
    """

    def __init__(
        self,
        context: Context,
        lifecycle: Lifecycle,
        reconcile: Reconcile,
        draining: Draining,
        left_out: LeftOut,
        forget: Callable[[str], None],
        ending: Callable[[], bool],
    ) -> None:
        self._ctx = context
        self._lifecycle = lifecycle
        self._reconcile = reconcile
        self._draining = draining
        self._left_out = left_out
        self._forget = forget
        self._ending = ending
        self._told: dict[str, str] = {}

    def remove(self, name: str, *, force: bool) -> NodeRemovalReport:
        """See `Nodes.remove`."""
        removed: dict[str, str | None] = {}
        try:
            with self._ctx.names.hold(turn(name), "nodes rm", begins=True):
                self._remove(name, force, removed)
        except QrealmError as problem:
            if removed:
                problem.message += f"; removed before that: {', '.join(removed)}"
                problem.args = (problem.message, *problem.args[1:])
            raise
        return NodeRemovalReport(name, tuple(removed), self._incomplete(removed))

    def begun(self) -> list[str]:
        """Nodes that are being removed with their containers, or were when the process ended."""
        return [name.removeprefix(MARK) for name in self._ctx.store.settings.all(MARK)]

    def check_none(self, node: str) -> None:
        """Raises RequestError while a node is being removed with its containers; inside a transaction."""
        if self._ctx.store.settings.get(MARK + node) is not None:
            raise RequestError(
                f"node {node!r} is being removed with its containers",
                hint="qdocker nodes ls shows when it is gone",
            )

    def go_on(self, node: str) -> None:
        """Finish a removal that was cut off, unless somebody is at it. One that cannot be finished is told,
        and the node is as it was before."""
        ctx = self._ctx
        with ctx.names.try_hold(turn(node)) as held:
            if not held or not self._is_meant(node):
                return
            if node not in self._told:
                log.warning("node %s: its removal was cut off, and is finished", node)
            try:
                self._remove(node, True, {})
            except QrealmError as problem:
                if self._ending():
                    return
                self._tell(node, f"its removal was cut off, and cannot be finished: {problem.message}")
            if node not in self.begun():
                self._told.pop(node, None)

    def _tell(self, node: str, problem: str) -> None:
        """Tell a problem, once however often it comes as long as it is tried again."""
        if self._told.get(node) != problem:
            self._told[node] = problem
            self._ctx.tell("engine", "problem", node, {"problem": problem})

    def _is_meant(self, node: str) -> bool:
        """Whether a node is the one whose removal was begun, and no other that has got its name."""
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            told = ctx.store.settings.get(MARK + node)
            if told is None:
                return False
            found = self._found(node)
            meant = found is not None and found.added_at == json.loads(told)["added_at"]
            if not meant:
                ctx.store.settings.delete(MARK + node)
            return meant

    def _remove(self, name: str, force: bool, removed: dict[str, str | None]) -> None:
        """The lock of its removal held. `removed` gets the cluster of each container that went, by its
        name."""
        ctx = self._ctx
        node = ctx.store.nodes.get(name)
        # Copies that a move could not remove must not stay behind.
        found = Found() if node.state is NodeState.LOST else self._reconcile.node(node)
        if not force:
            self._check_nothing_left(node, found)
            self._dropped(name, force)
            return
        with ctx.planning, ctx.store.transaction():
            self._close(ctx.store.nodes.get(name))
        try:
            for container in self._on(name):
                self._check_open(name)
                self._remove_from(name, container, removed)
            self._dropped(name, force)
        except BaseException:
            # What closing breaks off is finished after the next start.
            self._check_open(name)
            self._open_again(name)
            raise
        if name in found.unreachable:
            told = "it did not answer when it was removed: what containers have left there stays"
            ctx.tell("engine", "problem", name, {"problem": told})
        for problem in found.problems:
            log.warning("node %s was removed: %s", name, problem)

    def _incomplete(self, removed: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
        """What is left of each cluster of which some were removed.

        Args:
            removed: the cluster of each container that was, by its name.
        """
        left: dict[str, list[str]] = {}
        for record in self._ctx.store.containers.all():
            if record.cluster is not None and record.cluster in removed.values():
                left.setdefault(record.cluster, []).append(record.name)
        return {cluster: tuple(names) for cluster, names in left.items()}

    def _check_nothing_left(self, node: NodeRecord, found: Found) -> None:
        """Raises where it is not known that a node without containers has no copies of others either."""
        if self._on(node.name):
            return  # that is told
        hint = f"to remove it all the same: qdocker nodes rm --force {node.name}"
        if node.name in found.unreachable:
            with suppress(RequestError):  # an address that is none: nothing can have been left there
                self._ctx.drivers.of(node)
                raise EngineUnavailableError(
                    f"node {node.name!r} does not answer: what moves have left there cannot be removed",
                    hint=hint,
                )
        elif left := [problem for problem in found.problems if problem not in found.others]:
            raise EngineRefusalError(f"node {node.name!r} is not removed: {'; '.join(left)}", hint=hint)

    def _check_open(self, node: str) -> None:
        """Raises EngineUnavailableError when the engine is being closed."""
        if self._ending():
            raise EngineUnavailableError(
                f"node {node!r}: the engine is being closed", hint="the next start finishes its removal"
            )

    def _close(self, node: NodeRecord) -> None:
        """Let a node take nothing new, and write down why, and what it was before; inside a transaction."""
        store = self._ctx.store
        if store.settings.get(MARK + node.name) is None:
            before = node.returns_as if node.state is NodeState.LOST else node.state
            told = {"before": before.value, "added_at": node.added_at}
            store.settings.set(MARK + node.name, json.dumps(told))
        if node.state is NodeState.READY:
            store.nodes.save(replace(node, state=NodeState.DRAINING))
        elif node.state is NodeState.LOST:
            store.nodes.save(replace(node, returns_as=NodeState.DRAINING))

    def _open_again(self, name: str) -> None:
        """A removal has failed: the node takes containers if it did before."""
        ctx = self._ctx
        try:
            with ctx.planning, ctx.store.transaction():
                told, node = ctx.store.settings.get(MARK + name), self._found(name)
                if told is None:
                    return
                ctx.store.settings.delete(MARK + name)
                before = NodeState(json.loads(told)["before"])
                if node is not None and node.state is NodeState.LOST:
                    ctx.store.nodes.save(replace(node, returns_as=before))
                elif node is not None:
                    ctx.store.nodes.save(replace(node, state=before))
        except StoreError as problem:
            # The caller is told why the removal failed; it is tried again by the watch.
            log.error("node %s is still closed for its removal: %s", name, problem)

    def _remove_from(self, node: str, container: str, removed: dict[str, str | None]) -> None:
        """Remove a container of a node, unless it has gone or moved elsewhere meanwhile; `removed` then has
        its cluster."""
        ctx = self._ctx
        with ctx.names.hold(container, f"nodes rm {node}"):
            if container in self._on(node):
                cluster = ctx.store.containers.get(container).cluster
                self._lifecycle.remove(container, force=True)
                removed[container] = cluster

    def _dropped(self, name: str, force: bool) -> None:
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            if force:
                self._check_open(name)
            node = ctx.store.nodes.get(name)
            if left := self._on(name):
                raise EngineRefusalError(
                    f"node {name!r} has containers: {', '.join(left)}",
                    hint=f"move them: qdocker nodes drain {name}; or remove them too: "
                    f"qdocker nodes rm --force {name}",
                )
            ctx.store.nodes.delete(name)
            self._draining.end(name)
            ctx.store.settings.delete(MARK + name)
            self._left_out.removed(name)
            ctx.tell("node", "remove", name)
        self._forget(name)
        ctx.drivers.forget(node.endpoint)

    def _found(self, name: str) -> NodeRecord | None:
        return next((node for node in self._ctx.store.nodes.all() if node.name == name), None)

    def _on(self, name: str) -> list[str]:
        """Names of the containers that a node has."""
        return [record.name for record in self._ctx.store.containers.all() if record.node == name]
