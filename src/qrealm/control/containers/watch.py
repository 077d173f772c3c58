"""Watching the nodes: one that stops answering is lost and its containers are placed again; one that comes
back is cleaned of what has been made elsewhere meanwhile.

The watch itself only asks whether nodes answer, and writes down who goes where. Whatever speaks to engines
for longer is done by `Mending`: nothing that is stuck on one node keeps it from seeing the loss of another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from qrealm.base.errors import EngineRefusalError, InternalError, NodeDownError, QrealmError
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.deciding import Deciding
from qrealm.control.containers.draining import Draining
from qrealm.control.containers.mending import Mending
from qrealm.control.containers.moves import Moves
from qrealm.control.containers.noticing import Noticing
from qrealm.control.containers.reconcile import Reconcile
from qrealm.control.containers.removing import Removing
from qrealm.control.containers.settling import Settling
from qrealm.control.containers.values import UNSEEN, ContainerRecord, NodeRecord, NodeState, Phase

PROBES_AT_ONCE = 32
RETRY_S = 5.0
"""Seconds between tries to finish what could not be finished."""

RETRY_S_MAX = 300.0
"""To which those grow for a container that cannot be made again: each may fetch its image."""

PROBE_S_MIN = 0.5

_UNFINISHED = (Phase.CREATING, Phase.REMOVING)


class _Try(NamedTuple):
    """A making that failed: how long was waited after it, and when it is tried again by the clock."""

    waited_s: float
    again_at: float


_NO_TRY = _Try(RETRY_S / 2, 0.0)


class Watch:
    """Looks at every node a few times in the time after which it counts as lost.

    `look` is one round; `start` has a thread make rounds until `stop`.
    """

    def __init__(self, context: Context, deciding: Deciding, moves: Moves, reconcile: Reconcile) -> None:
        self._ctx = context
        self._deciding = deciding
        self._moves = moves
        self._reconcile = reconcile
        self._mending = Mending()
        self._noticing = Noticing(context)
        self._settling = Settling(context.config.node_lost_after_s)
        self._lock = threading.Lock()
        self._answered: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._why_silent: dict[str, str] = {}
        self._returning: set[str] = set()
        self._uncompared: set[str] = set()
        self._later: dict[str, frozenset[str]] = {}
        self._refused: dict[str, str] = {}
        self._admit: Callable[[NodeRecord], NodeRecord] = lambda node: node
        self._draining: Draining | None = None
        self._removing: Removing | None = None
        self._tries: dict[str, _Try] = {}
        self._retried = context.clock.monotonic()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def probe_s(self) -> float:
        """How long a node may take to say that it is there."""
        return max(PROBE_S_MIN, self._ctx.config.node_lost_after_s / 2)

    def start(self) -> None:
        """Begin to make rounds. No error when that has been done."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._rounds, name="watch-nodes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make no more rounds, and begin no mending; what is under way goes on."""
        self._ended.set()
        self._mending.stop()

    def is_ending(self) -> bool:
        """Whether no more rounds are made."""
        return self._ended.is_set()

    def close(self) -> None:
        """Wait for the round that is being made and for what is being mended; whoever calls has closed the
        connections: else a node that does not answer may take half the time after which it is lost."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        self._mending.close()

    def _rounds(self) -> None:
        period_s = max(0.1, self._ctx.config.node_lost_after_s / 4)
        while not self._ended.wait(period_s):
            try:
                self._round()
            except QrealmError as problem:
                log.error("a round of watching the nodes broke off: %s", problem)
            except Exception:  # noqa: BLE001 - the watch must outlive whatever a round meets
                log.exception("a round of watching the nodes broke off")

    def look(self) -> None:
        """One round: ask every node, act on what has changed, and wait until that is done."""
        self._round()
        self._mending.wait()

    def _round(self) -> None:
        nodes = [node for node in self._ctx.store.nodes.all() if not node.simulated]
        problems = self.ask(nodes)
        if self.is_ending():
            return  # nodes that were broken off by that are not silent
        now = self._ctx.clock.monotonic()
        self._settling.heard(nodes, problems, now)
        silent: dict[str, str] = {}
        back: list[NodeRecord] = []
        for node in nodes:
            problem = problems[node.name]
            self._why_silent[node.name] = "" if problem is None else problem.message
            if problem is None:
                self._answered[node.name] = now
                self._failures[node.name] = 0
                self._ctx.drivers.allow(node.endpoint)
                if node.state is NodeState.LOST:
                    back.append(node)
                else:
                    self._there(node)
            elif node.state is not NodeState.LOST and self._silent(node, now, problem):
                silent[node.name] = problem.message
        # All at once, so that nothing of one is placed on another.
        self._lose(silent)
        with self._lock:
            back = [node for node in back if node.name not in self._returning]
            self._returning.update(node.name for node in back)
        for node in back:
            self._mending.submit(node.name, "return", partial(self._returned, node))
        if now - self._retried >= RETRY_S:
            self._retried = now
            self._retry()

    def last_heard(self, node: NodeRecord) -> tuple[float, str]:
        """When a node answered last, in seconds since 1970 UTC, and why it did not when it was asked last;
        empty when it did."""
        at = self._answered.get(node.name)
        ctx = self._ctx
        seen_at = node.seen_at if at is None else ctx.clock.now() - (ctx.clock.monotonic() - at)
        # Only of one that has never been taken in: another may have its name since.
        refused = self._refused.get(node.name, "") if node.engine == UNSEEN else ""
        return seen_at, self._why_silent.get(node.name) or refused

    def admit_by(self, admit: Callable[[NodeRecord], NodeRecord]) -> None:
        """What makes a node of one that answers for the first time, or raises why it may be none."""
        self._admit = admit

    def go_on_by(self, draining: Draining, removing: Removing) -> None:
        """Who goes on with drains and removals of nodes that were cut off."""
        self._draining, self._removing = draining, removing

    def refuse(self, name: str, reason: str) -> None:
        """A node that answers and may be none stays lost; this is told with it."""
        if self._refused.get(name) != reason:
            log.warning("node %s is not taken in: %s", name, reason)
        self._refused[name] = reason

    def ask(
        self, nodes: Iterable[NodeRecord], limit_s: float = float("inf")
    ) -> dict[str, QrealmError | None]:
        """Ask nodes whether they are there, all at once: by name None for each that is, else its problem.

        Args:
            limit_s: the most that an answer may take, where `probe_s` is longer.
        """
        asked, limit_s = list(nodes), min(limit_s, self.probe_s)
        with ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe") as pool:
            found = pool.map(lambda node: self._ping(node, limit_s), asked)
            return dict(zip((node.name for node in asked), found, strict=True))

    def _ping(self, node: NodeRecord, limit_s: float) -> QrealmError | None:
        try:
            self._ctx.drivers.of(node, limit_s, "ping").ping()
        except EngineRefusalError:
            return None  # whoever says no is there
        except QrealmError as problem:
            self._ctx.drivers.forget(node.endpoint, "ping")
            return problem
        except Exception as bug:  # noqa: BLE001 - of one node: the others are looked at all the same
            surprise = InternalError(f"{node.name}: {type(bug).__name__}: {bug}")
            if self._why_silent.get(node.name) != surprise.message:
                log.exception("node %s cannot be asked whether it is there", node.name)
            return surprise
        return None

    def _there(self, node: NodeRecord) -> None:
        """A node answers, as before: see what its containers do."""
        if node.name in self._uncompared:
            self._mending.submit(node.name, "compare", partial(self._compared, node))
        self._mending.submit(node.name, "notice", partial(self._noticing.notice, node, self.probe_s))

    def _silent(self, node: NodeRecord, now: float, problem: QrealmError) -> bool:
        """Whether a node that did not answer has been silent for so long that it is lost."""
        if isinstance(problem, NodeDownError):
            return True  # its cluster has waited already
        self._failures[node.name] = self._failures.get(node.name, 0) + 1
        since = self._answered.setdefault(node.name, now)
        if self._settling.may_come(node.name, now):
            return False
        # A machine that slept sees a long silence at its first look; two failures are a node's own fault.
        return now - since >= self._ctx.config.node_lost_after_s and self._failures[node.name] >= 2

    def silent_at_start(self, node: NodeRecord) -> None:
        """A node that did not answer when the engine was opened: nobody waits for it, and it is compared with
        the records when it answers."""
        self._ctx.drivers.bar(node.endpoint)
        self._uncompared.add(node.name)

    def lose(self, node: NodeRecord, problem: str) -> None:
        """A node is gone: its containers are placed on the others, and are being made there again."""
        self._lose({node.name: problem})

    def _lose(self, problems: Mapping[str, str]) -> None:
        if not problems:
            return
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            gone = [
                node
                for node in ctx.store.nodes.all()
                if node.name in problems and node.state is not NodeState.LOST
            ]
            for node in gone:
                seen_at, _ = self.last_heard(node)
                lost = replace(node, state=NodeState.LOST, returns_as=node.state, seen_at=seen_at)
                ctx.store.nodes.save(lost)
                ctx.tell("node", "lost", node.name, {"problem": problems[node.name]})
            placed = self._deciding.place_again("node lost", self._awaited()) if gone else []
            again = self._moves.mark(placed)
        for node in gone:
            # What is stuck there breaks off, and holds nobody's name any longer.
            ctx.drivers.bar(node.endpoint)
            self._noticing.forget(node.name)
        self._make(again)

    def _compared(self, node: NodeRecord) -> bool:
        """Bring records and a node together; whether it answered. Else it is tried again."""
        found = self._reconcile.node(node, patient=False)
        with self._lock:
            self._later[node.name] = frozenset(found.later)
        # Whoever was at them may have ended before this was written down.
        self._look_later(node, found.later, "compared")
        self._look_at_what_waited(f"compared {node.name}")
        for line in found.problems:
            log.warning("node %s answers again: %s", node.name, line)
        answered = node.name not in found.unreachable
        (self._uncompared.discard if answered else self._uncompared.add)(node.name)
        return answered

    def _returned(self, node: NodeRecord) -> None:
        try:
            if node.engine == UNSEEN:
                try:
                    node = self._admit(node)
                except QrealmError as problem:
                    self.refuse(node.name, problem.message)
                    return
            # Before it takes new containers: what has its data there goes first.
            if self._compared(node):
                ctx = self._ctx
                with ctx.planning, ctx.store.transaction():
                    known = {each.name: each for each in ctx.store.nodes.all()}
                    now = known.get(node.name)
                    if now is not None and now.state is NodeState.LOST:
                        ctx.store.nodes.save(replace(now, state=now.returns_as, seen_at=ctx.clock.now()))
                        ctx.tell("node", "return", node.name)
        finally:
            with self._lock:
                self._returning.discard(node.name)
        if not self.is_ending():  # else it may not have returned, and what is its own still waits for it
            self._place_waiting()

    def place_waiting(self) -> None:
        """Try again to place what waits for a node, and wait until it has been made there."""
        wait(self._place_waiting())

    def _place_waiting(self) -> list[Future[None]]:
        ctx = self._ctx
        with ctx.planning, ctx.store.transaction():
            again = self._moves.mark(self._deciding.place_again("start after waiting", self._awaited()))
        return self._make(again)

    def _awaited(self) -> frozenset[str]:
        """Lost nodes that are coming back, or still may: what is theirs is not placed elsewhere yet."""
        now = self._ctx.clock.monotonic()
        lost = [node.name for node in self._ctx.store.nodes.all() if node.state is NodeState.LOST]
        with self._lock:
            returning = set(self._returning)
        return frozenset(n for n in lost if n in returning or self._settling.may_come(n, now))

    def forget(self, node: str) -> None:
        """A node is no more; another may get its name."""
        self._settling.forget(node)
        self._noticing.forget(node)
        for known in (self._answered, self._failures, self._why_silent, self._refused):
            known.pop(node, None)
        self._uncompared.discard(node)
        with self._lock:
            self._later.pop(node, None)

    def _retry(self) -> None:
        records = self._ctx.store.containers.all()
        nodes = {node.name: node for node in self._ctx.store.nodes.all()}
        lost = {node.name for node in nodes.values() if node.state is NodeState.LOST}
        placeless = (Phase.READY, Phase.MAKING_AGAIN)
        # On a lost node: made there in the moment in which it was lost.
        if any(r.phase is Phase.WAITING or (r.node in lost and r.phase in placeless) for r in records):
            self._place_waiting()
        self._go_on(set(nodes), lost)
        for name in nodes.keys() - lost:
            for left in self._noticing.left_behind(name):
                self._mending.submit(name, ("left", left), partial(self._take_away, nodes[name], left))
            self._look_later(nodes[name], self._later.get(name, frozenset()), "retry")
        there = [r for r in records if r.node in nodes and r.node not in lost]
        now = self._ctx.clock.monotonic()
        for gone in self._tries.keys() - {record.id for record in records}:
            self._tries.pop(gone, None)
        due = [r for r in there if now >= self._tries.get(r.id, _NO_TRY).again_at]
        self._make([r for r in due if r.phase is Phase.MAKING_AGAIN])
        for record in there:
            if record.begun is not None or record.phase in _UNFINISHED:
                node = nodes[str(record.node)]
                self._mending.submit(node.name, ("finish", record.id), partial(self._finish, node, record))

    def _go_on(self, nodes: set[str], lost: set[str]) -> None:
        """Go on with what was begun with whole nodes. One that was silent at the start is compared with the
        records first."""
        if self._draining is None or self._removing is None:
            return
        removed = nodes & set(self._removing.begun())
        for name in removed - (self._uncompared - lost):
            self._mending.submit(name, "remove", partial(self._removing.go_on, name))
        for name in nodes & set(self._draining.begun()) - removed - lost - self._uncompared:
            self._mending.submit(name, "drain", partial(self._draining.go_on, name))

    def _take_away(self, node: NodeRecord, container_id: str) -> None:
        found = self._reconcile.left_behind(node, container_id)
        for name in found.removed:
            log.warning("%s had been removed, and was there on node %s again: it is removed", name, node.name)
        self._told(container_id, "; ".join(found.problems))

    def _look_later(self, node: NodeRecord, containers: Iterable[str], why: str) -> None:
        """Look at containers that somebody was at when a node was compared with the records."""
        for each in containers:
            self._mending.submit(node.name, ("later", each, why), partial(self._look_again, node, each))

    def _look_at_what_waited(self, why: str) -> None:
        """Somebody has ended who was at containers: do now what would be done with the next retry."""
        with self._lock:
            waiting, returning = dict(self._later), set(self._returning)
        for node in self._ctx.store.nodes.all() if any(waiting.values()) else ():
            if node.state is not NodeState.LOST or node.name in returning:
                self._look_later(node, waiting.get(node.name, ()), why)

    def _look_again(self, node: NodeRecord, container_id: str) -> None:
        record = self._ctx.record(container_id)
        with self._ctx.names.try_hold(container_id if record is None else record.name) as held:
            if not held:
                return
            look = self._reconcile
            found = look.left_behind(node, container_id) if record is None else look.one(node, record)
        self._told(container_id if record is None else record.name, "; ".join(found.problems))
        if not found.problems:
            with self._lock:
                self._later[node.name] = self._later.get(node.name, frozenset()) - {container_id}
            self._look_at_what_waited(f"looked at {container_id} on {node.name}")

    def _finish(self, node: NodeRecord, record: ContainerRecord) -> None:
        """Finish what was cut off, unless a command is at it."""
        with self._ctx.names.try_hold(record.name) as held:
            if held:
                self._told(record.name, "; ".join(self._reconcile.one(node, record).problems))

    def _make(self, records: Iterable[ContainerRecord]) -> list[Future[None]]:
        tasks = [
            self._mending.submit(str(record.node), ("make", record.id), partial(self._make_now, record))
            for record in records
        ]
        return [task for task in tasks if task is not None]

    def _make_now(self, record: ContainerRecord) -> None:
        name, problem = record.name, ""
        try:
            self._moves.make_again_now(name)
            self._tries.pop(record.id, None)
        except QrealmError as failed:
            log.warning("cannot make %s again: %s", name, failed)
            problem = f"{name}: {failed.message}"
        except Exception as bug:  # noqa: BLE001 - of one container: it is told as any other problem
            log.exception("cannot make %s again", name)
            problem = f"{name}: {type(bug).__name__}: {bug}"
        if problem:
            wait_s = min(2 * self._tries.get(record.id, _NO_TRY).waited_s, RETRY_S_MAX)
            self._tries[record.id] = _Try(wait_s, self._ctx.clock.monotonic() + wait_s)
        self._told(name, problem)
        self._look_at_what_waited(f"made on {record.node}")

    def _told(self, name: str, problem: str) -> None:
        """Tell a problem, once however often it comes; empty when there is none any more."""
        with self._lock:
            before = self._problems.pop(name, "")
            if problem:
                self._problems[name] = problem
        # What closing breaks off is no problem of the container.
        if problem and problem != before and not self.is_ending():
            self._ctx.tell("engine", "problem", name, {"problem": problem})
