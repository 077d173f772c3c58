"""What the configuration says of nodes: all of it holds, or nothing, and is carried out from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from qrealm.base.errors import InternalError, NameTakenError, QrealmError, RequestError
from qrealm.control.containers.admitting import Admitting, address_of, same_engine
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.draining import MARK as DRAINING
from qrealm.control.containers.files import NodeEntry
from qrealm.control.containers.left_out import LeftOut
from qrealm.control.containers.removing import MARK as REMOVING
from qrealm.control.containers.values import UNSEEN, NodeRecord, NodeState
from qrealm.control.containers.watch import Watch
from qrealm.fleet.containers import detect

LOCAL = "local"
LOOK_S = 5.0
"""How long an engine may take, when all is opened, to say that it is there, and what it is; the watch asks
again."""
LOCAL_S = 20.0
"""The same for the engine of this machine, without which there is no node."""
LOOKS_AT_ONCE = 16

Keep = Callable[[], AbstractContextManager[None]]
"""Keeps the configuration when it is entered, and gives it up again where its body fails."""


class Configuring:
    """Takes the nodes of the configuration in when all is opened."""

    def __init__(self, context: Context, admitting: Admitting, left_out: LeftOut, watch: Watch) -> None:
        self._ctx = context
        self._admitting = admitting
        self._left_out = left_out
        self._watch = watch
        self._surprises: dict[str, str] = {}

    def take_up(self, keep: Keep) -> tuple[str, ...]:
        """See `Nodes.add_configured`."""
        known = {node.name: node for node in self._ctx.store.nodes.all()}
        new, told = self._hold(known, keep)
        # Whoever is cut off from here on has written down what there is to do.
        told += self._taken_in(new)
        if not known and not self._ctx.config.nodes:
            self._save_new(self._admitting.look(LOCAL, detect(), {}, None, None, LOCAL_S))
        return tuple(told)

    def admitted(self, node: NodeRecord) -> NodeRecord:
        """The record of a configured node that answers for the first time: what it is, and what it has beyond
        what was given. Raises what `Admitting.look` raises for one that may be none."""
        ctx = self._ctx
        found = self._looked_at(node)
        with ctx.planning, ctx.store.transaction():
            seen = replace(
                ctx.store.nodes.get(node.name),
                engine=found.engine,
                cpus=found.cpus,
                memory_bytes=found.memory_bytes,
                simulated=found.simulated,
            )
            ctx.store.nodes.save(seen)
        return seen

    def _hold(self, known: Mapping[str, NodeRecord], keep: Keep) -> tuple[list[NodeRecord], list[str]]:
        """Let the configuration hold, all of it or nothing.

        Returns:
            The nodes that are to be asked what they are: those that are new, have never answered, or are
            other engines now than the nodes that had their names. A line for each entry that is no node, and
            for each node that stays as it was.
        """
        ctx = self._ctx
        entries = self._left_out.entries()
        for entry in entries:
            self._check_place(entry, known.get(entry.name))
        new, now, told = self._sorted(entries, known)
        carried, names = self._carried(new, known)
        asked: list[NodeRecord] = []
        with keep(), ctx.planning, ctx.store.transaction():
            self._left_out.tidy()
            # All of them before any is taken in: two may have exchanged their engines.
            for entry in new:
                if entry.name in known:
                    ctx.store.nodes.delete(entry.name)
            self._carry_marks([entry.name for entry in new], names)
            for record in [*now, *carried.values()]:
                ctx.store.nodes.save(record)
                ctx.tell("node", "configure", record.name)
            for entry in new:
                if entry.name in carried:
                    continue
                record = self._unseen(entry)
                try:
                    self._admitting.check_once(record)
                except NameTakenError as taken:
                    told.append(_none(taken))
                else:
                    ctx.store.nodes.save(record)
                    asked.append(record)
        return asked, told

    def _sorted(
        self, entries: tuple[NodeEntry, ...], known: Mapping[str, NodeRecord]
    ) -> tuple[list[NodeEntry], list[NodeRecord], list[str]]:
        """The entries of other engines than their names had, the known nodes that change, and a line for each
        that stays as it was."""
        new: list[NodeEntry] = []
        now: list[NodeRecord] = []
        told: list[str] = []
        for entry in entries:
            before = known.get(entry.name)
            if before is None or not self._is_same(entry, before):
                new.append(entry)
                continue
            try:
                record = self._as_configured(entry, before)
            except QrealmError as problem:
                told.append(f"node {entry.name!r} stays as it was: {problem.message}")
                log.warning("%s", told[-1])
                continue
            if record != before:
                now.append(record)
        return new, now, told

    def _carried(
        self, new: list[NodeEntry], known: Mapping[str, NodeRecord]
    ) -> tuple[dict[str, NodeRecord], dict[str, str]]:
        """By their new names the nodes whose engines go from one name to another, and their names before.
        Whether one is closed, and what was given of it by hand, goes with the engine."""
        found: dict[str, NodeRecord] = {}
        names: dict[str, str] = {}
        going = [known[entry.name] for entry in new if entry.name in known]
        for entry in new:
            before = next((node for node in going if self._is_same(entry, node)), None)
            if before is not None:
                going.remove(before)
                with suppress(QrealmError):  # a url that is none: told when it is asked what it is
                    found[entry.name] = self._as_configured(entry, replace(before, name=entry.name))
                    names[entry.name] = before.name
        return found, names

    def _carry_marks(self, given: list[str], names: Mapping[str, str]) -> None:
        """What was begun with whole nodes goes with their engines, too.

        Args:
            given: names that other engines have now.
            names: by the names that nodes have now, those that they had.
        """
        settings = self._ctx.store.settings
        for mark in (DRAINING, REMOVING):
            begun = settings.all(mark)
            for name in given:
                settings.delete(mark + name)
            for name, before in names.items():
                if (told := begun.get(mark + before)) is not None:
                    settings.set(mark + name, told)

    def _is_same(self, entry: NodeEntry, node: NodeRecord) -> bool:
        """Whether an entry leads to the engine of a node that has answered."""
        endpoint = self._admitting.whole(entry.name, entry.endpoint)
        return node.engine != UNSEEN and same_engine(endpoint, node.endpoint)

    def _check_place(self, entry: NodeEntry, before: NodeRecord | None) -> None:
        """Raises RequestError where a node's engine is another one now, and containers are on that before."""
        if before is None or before.engine == UNSEEN or self._is_same(entry, before):
            return
        endpoint = self._admitting.whole(entry.name, entry.endpoint)
        records = self._ctx.store.containers.all()
        if there := [record.name for record in records if entry.name in (record.node, record.data_node)]:
            raise RequestError(
                f"the configuration gives node {entry.name!r} the engine {address_of(endpoint)}, and "
                f"its containers are on {address_of(before.endpoint)}: {', '.join(there)}",
                hint=f"give the new engine a name of its own; or put the address back, move them "
                f"(qdocker nodes drain {entry.name}), and change it then",
            )

    def _as_configured(self, entry: NodeEntry, before: NodeRecord) -> NodeRecord:
        """A known node as the configuration says; what it does not say stays. Raises what the driver raises
        for a url that is none."""
        endpoint = self._admitting.whole(entry.name, entry.endpoint)
        cpus, memory_bytes = entry.cpus or before.cpus, entry.memory_bytes or before.memory_bytes
        if endpoint != before.endpoint and endpoint.driver == "simulated":  # its size is part of its address
            facts = self._ctx.drivers.of(endpoint).facts()
            cpus, memory_bytes = entry.cpus or facts.cpus, entry.memory_bytes or facts.memory_bytes
        labels = dict(entry.labels) or before.labels
        return replace(before, endpoint=endpoint, labels=labels, cpus=cpus, memory_bytes=memory_bytes)

    def _unseen(self, node: NodeEntry) -> NodeRecord:
        """The record of a configured node of which nothing else is known."""
        return NodeRecord(
            name=node.name,
            endpoint=self._admitting.whole(node.name, node.endpoint),
            engine=UNSEEN,
            cpus=node.cpus or 0.0,
            memory_bytes=node.memory_bytes or 0,
            state=NodeState.LOST,
            simulated=False,
            labels=dict(node.labels),
            added_at=self._ctx.clock.now(),
        )

    def _taken_in(self, new: list[NodeRecord]) -> list[str]:
        """Ask new nodes what they are, all at once. Those that do not say it stay lost: the watch takes them
        in.

        Returns:
            A line for each that is none, as its engine is another one's.
        """
        ctx = self._ctx
        problems = self._watch.ask(new, LOOK_S)

        def look(node: NodeRecord) -> NodeRecord | QrealmError:
            try:
                return problems[node.name] or self._looked_at(node, LOOK_S)
            except QrealmError as problem:
                return problem

        with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look") as pool:
            found = list(zip(new, pool.map(look, new), strict=True))
        told = []
        for node, answer in found:
            if isinstance(answer, NodeRecord):
                # In the order of the configuration, whoever answers first.
                self._save_new(replace(answer, added_at=node.added_at))
            elif isinstance(answer, NameTakenError):
                self._watch.forget(node.name)
                ctx.store.nodes.delete(node.name)
                told.append(_none(answer))
            else:
                ctx.tell("node", "unreachable", node.name, {"problem": answer.message})
                self._watch.refuse(node.name, answer.message)
        return told

    def _looked_at(self, node: NodeRecord, limit_s: float | None = None) -> NodeRecord:
        """What a configured node is. Raises InternalError besides what `Admitting.look` raises."""
        cpus, memory_bytes = node.cpus or None, node.memory_bytes or None
        try:
            return self._admitting.look(node.name, node.endpoint, node.labels, cpus, memory_bytes, limit_s)
        except QrealmError:
            raise
        except Exception as bug:
            surprise = InternalError(f"{node.name}: {type(bug).__name__}: {bug}")
            if self._surprises.get(node.name) != surprise.message:
                self._surprises[node.name] = surprise.message
                log.exception("node %s cannot be asked what it is", node.name)
            raise surprise from bug

    def _save_new(self, node: NodeRecord) -> None:
        with self._ctx.store.transaction():
            self._ctx.store.nodes.save(node)
            self._ctx.tell("node", "add", node.name, {"engine": node.engine})


def _none(taken: NameTakenError) -> str:
    """What is said of an entry whose engine is another node."""
    log.warning("%s", taken.message)
    return f"{taken.message}; the configuration names it still"
