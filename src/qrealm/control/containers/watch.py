"""Watching the nodes: one that stops answering is lost and its containers are placed again; one that comes
back is cleaned of what has been made elsewhere meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from qrealm.base.errors import EngineUnavailableError, NodeDownError, QrealmError
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.deciding import Deciding
from qrealm.control.containers.moves import Moves
from qrealm.control.containers.reconcile import Reconcile
from qrealm.control.containers.values import NodeRecord, NodeState, Phase
from qrealm.fleet.containers.protocol import LABEL_ENGINE

PROBES_AT_ONCE = 32
RETRY_S = 5.0
"""Seconds between tries to make again what could not be made."""


class Watch:
    """Looks at every node a few times in the time after which it counts as lost.

    `look` is one round; `start` has a thread make rounds until `stop`.
    """

    def __init__(self, context: Context, deciding: Deciding, moves: Moves, reconcile: Reconcile) -> None:
        self._ctx = context
        self._deciding = deciding
        self._moves = moves
        self._reconcile = reconcile
        self._answered: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._seen: dict[str, dict[str, tuple[str, str | None]]] = {}
        self._retried = context.clock.now()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to make rounds. No error when that has been done."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._rounds, name="watch-nodes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make no more rounds; waits for the one that is being made."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _rounds(self) -> None:
        period_s = max(0.1, self._ctx.config.node_lost_after_s / 4)
        while not self._ended.wait(period_s):
            try:
                self.look()
            except QrealmError as problem:
                log.error("a round of watching the nodes broke off: %s", problem)
            except Exception:  # noqa: BLE001 - the watch must outlive whatever a round meets
                log.exception("a round of watching the nodes broke off")

    def look(self) -> None:
        """One round: ask every node, act on what has changed."""
        nodes = [node for node in self._ctx.store.nodes.all() if not node.simulated]
        with ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe") as pool:
            problems = dict(zip((n.name for n in nodes), pool.map(self._probe, nodes), strict=True))
        now = self._ctx.clock.now()
        silent: dict[str, str] = {}
        back: list[NodeRecord] = []
        for node in nodes:
            problem = problems[node.name]
            if problem is None:
                self._answered[node.name] = now
                self._failures[node.name] = 0
                if node.state is NodeState.LOST:
                    back.append(node)
            elif node.state is not NodeState.LOST and self._silent(node, now, problem):
                silent[node.name] = problem.message
        # All at once, so that nothing of one is placed on another.
        self._lose(silent)
        for node in back:
            self._returned(node)
        if back:
            # After all of them: what waits may be on one that came back.
            self.place_waiting()
        if now - self._retried >= RETRY_S:
            self._retried = now
            self._retry()

    def _probe(self, node: NodeRecord) -> QrealmError | None:
        """None when the node answers, else what went wrong; takes note of what its containers do."""
        limit_s = max(0.5, self._ctx.config.node_lost_after_s / 2)
        try:
            driver = self._ctx.drivers.of(node, limit_s)
            there = driver.find({LABEL_ENGINE: self._ctx.store.engine_id})
        except QrealmError as problem:
            if isinstance(problem, EngineUnavailableError):
                self._ctx.drivers.forget(node.endpoint)
            return problem
        seen: dict[str, tuple[str, str | None]] = {f.name: (f.state.value, f.health) for f in there}
        before = self._seen.get(node.name, seen)
        self._seen[node.name] = seen
        for name in seen.keys() & before.keys():
            state, health = seen[name]
            if (state, health) != before[name]:
                told = {"node": node.name, "state": state, **({"health": health} if health else {})}
                self._ctx.tell("container", "state", name, told)
        return None

    def _silent(self, node: NodeRecord, now: float, problem: QrealmError) -> bool:
        """Whether a node that did not answer has been silent for so long that it is lost."""
        if isinstance(problem, NodeDownError):
            return True  # its cluster has waited already
        self._failures[node.name] = self._failures.get(node.name, 0) + 1
        since = self._answered.setdefault(node.name, now)
        # A machine that slept sees a long silence at its first look; two failures are a node's own fault.
        return now - since >= self._ctx.config.node_lost_after_s and self._failures[node.name] >= 2

    def lose(self, node: NodeRecord, problem: str) -> None:
        """A node is gone: its containers are placed on the others and made there again."""
        self._lose({node.name: problem})

    def _lose(self, problems: Mapping[str, str]) -> None:
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            gone = [
                node
                for node in ctx.store.nodes.all()
                if node.name in problems and node.state is not NodeState.LOST
            ]
            if not gone:
                return
            for node in gone:
                ctx.store.nodes.save(replace(node, state=NodeState.LOST, returns_as=node.state))
                ctx.tell("node", "lost", node.name, {"problem": problems[node.name]})
            names = self._moves.mark(self._deciding.place_again("node lost"))
        self._make(names)

    def _returned(self, node: NodeRecord) -> None:
        # Before it takes new containers: what has its data there goes first.
        found = self._reconcile.node(node)
        for line in found.problems:
            log.warning("after the return of %s: %s", node.name, line)
        if node.name in found.unreachable:
            return
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            now = next((each for each in ctx.store.nodes.all() if each.name == node.name), None)
            if now is None:
                return
            ctx.store.nodes.save(replace(now, state=now.returns_as, seen_at=ctx.clock.now()))
            ctx.tell("node", "return", node.name)

    def place_waiting(self) -> None:
        """Try again to place what waits for a node."""
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            names = self._moves.mark(self._deciding.place_again("start after waiting"))
        self._make(names)

    def _retry(self) -> None:
        records = self._ctx.store.containers.all()
        lost = {n.name for n in self._ctx.store.nodes.all() if n.state is NodeState.LOST}
        placeless = (Phase.READY, Phase.MAKING_AGAIN)
        # On a lost node: made there in the moment in which it was lost.
        if any(r.phase is Phase.WAITING or (r.node in lost and r.phase in placeless) for r in records):
            self.place_waiting()
        again = [r.name for r in records if r.phase is Phase.MAKING_AGAIN and r.node not in lost]
        self._make(again)

    def _make(self, names: Iterable[str]) -> None:
        done, problems = self._moves.make_again(list(names))
        for name in done:
            self._problems.pop(name, None)
        for name, line in problems.items():
            # The same problem is told once, however often it is tried.
            if self._problems.get(name) != line:
                self._problems[name] = line
                self._ctx.tell("engine", "problem", name, {"problem": line})
