"""Noticing what containers do by themselves: states that change are told, and one that has ended for good is
written down as stopped, so that a finished job is not run again when its node is lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress

from qrealm.base.errors import NoSuchContainerError, QrealmError
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.labels import runs
from qrealm.control.containers.lifecycle import removed_key
from qrealm.control.containers.values import ContainerRecord, NodeRecord, Phase, Wanted
from qrealm.fleet.containers.protocol import LABEL_CONTAINER, LABEL_ENGINE, ContainerFacts, ContainerState

_ENDED = frozenset({ContainerState.EXITED, ContainerState.DEAD})


class Noticing:
    """Compares what a node's list says with what it said last. Nothing here counts against a node."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, ContainerFacts]] = {}
        self._ended: dict[tuple[str, str], float] = {}
        self._left: dict[str, frozenset[str]] = {}

    def notice(self, node: NodeRecord, limit_s: float) -> None:
        """Look at a node's list once; tell what has changed since the last time."""
        ctx = self._ctx
        try:
            there = ctx.drivers.of(node, limit_s, "look").glance({LABEL_ENGINE: ctx.store.engine_id})
        except QrealmError as problem:
            log.info("the containers of node %s cannot be seen: %s", node.name, problem.message)
            return
        seen = {facts.engine_id: facts for facts in there}
        with self._lock:
            before = self._seen.get(node.name, seen)
            self._seen[node.name] = seen
        for engine_id in seen.keys() & before.keys():
            facts, was = seen[engine_id], before[engine_id]
            if (facts.state, facts.health) != (was.state, was.health):
                told = {"node": node.name, "state": facts.state.value}
                ctx.tell("container", "state", facts.name, told | _of_health(facts))
            if facts.state is ContainerState.RESTARTING is not was.state:
                # It has ended, though its engine starts it again and again. Its wish to run stands.
                told = {"node": node.name, "exit_code": facts.exit_told, "restarting": "true"}
                ctx.tell("container", "die", facts.name, told)
        self._note_data(node, seen)
        self._note_ends(node, seen)
        self._note_left(node, seen)

    def left_behind(self, node: str) -> frozenset[str]:
        """Ids of containers that had been removed when a node was looked at last, and were there."""
        with self._lock:
            return self._left.get(node, frozenset())

    def forget(self, node: str) -> None:
        """A node is lost: what its containers did last says nothing of them any more."""
        with self._lock:
            self._seen.pop(node, None)
            self._left.pop(node, None)
            for key in [key for key in self._ended if key[0] == node]:
                del self._ended[key]

    def _note_data(self, node: NodeRecord, seen: Mapping[str, ContainerFacts]) -> None:
        """Write down where containers have data in volumes that their images declare. When the node is lost,
        they wait for it instead of starting elsewhere without. Where volumes cannot be seen, on a swarm's
        member that is another host than its manager, none are taken to be there: else nothing there would
        start elsewhere."""
        for record in self._ctx.store.containers.all():
            facts = seen.get(str(record.engine_id))
            here = facts is not None and record.node == node.name and record.phase is Phase.READY
            if here and facts is not None and facts.volumes and record.data_node != node.name:
                with suppress(NoSuchContainerError):  # it has been removed meanwhile
                    self._ctx.change_if_same(record, data_node=node.name)

    def _note_ends(self, node: NodeRecord, seen: Mapping[str, ContainerFacts]) -> None:
        """Write down those as stopped that ended a while ago. Not at once: the engine of a host that is being
        shut down ends its containers before it is silent, and they are to run elsewhere."""
        now = self._ctx.clock.monotonic()
        for record in self._ctx.store.containers.all():
            if record.node != node.name or record.engine_id is None:
                continue
            key = (node.name, record.engine_id)
            facts = seen.get(record.engine_id)
            if facts is None or not _for_good(record, facts):
                with self._lock:
                    self._ended.pop(key, None)
                continue
            with self._lock:
                since = self._ended.setdefault(key, now)
            if now - since >= self._ctx.config.node_lost_after_s:
                self._note_end(record, node)

    def _note_left(self, node: NodeRecord, seen: Mapping[str, ContainerFacts]) -> None:
        """Take note of what was removed and is there: an engine may make a container when nobody waits for
        it any more, and has forgotten it. What has no seal of ours is left alone."""
        ctx = self._ctx
        there = {facts.labels[LABEL_CONTAINER] for facts in seen.values() if LABEL_CONTAINER in facts.labels}
        unknown = there - {record.id for record in ctx.store.containers.all()} if there else there
        removed = {each for each in unknown if ctx.store.settings.get(removed_key(each)) is not None}
        candidates = [each for each in seen.values() if each.labels.get(LABEL_CONTAINER) in removed]
        left = {each.labels[LABEL_CONTAINER] for each in candidates if ctx.seals.ours(each)}
        with self._lock:
            self._left[node.name] = frozenset(left)

    def _note_end(self, seen: ContainerRecord, node: NodeRecord) -> None:
        ctx = self._ctx
        with ctx.names.try_hold(seen.name) as held:
            if not held or ctx.record(seen.id) != seen:
                return  # a command is at it, or has been
            facts = ctx.drivers.of(node).inspect(str(seen.engine_id))
            if runs(facts):
                return
            with ctx.store.transaction():
                ctx.change_if_same(seen, wanted=Wanted.STOPPED)
                told = {"node": node.name, "exit_code": facts.exit_told}
                ctx.tell("container", "die", seen.name, told)


def _for_good(record: ContainerRecord, facts: ContainerFacts) -> bool:
    """Whether a container that is to run has ended, and its engine will not start it again."""
    if record.phase is not Phase.READY or record.wanted is not Wanted.RUNNING or record.begun is not None:
        return False
    restart = record.spec.restart.name
    by_itself = restart == "no" or (restart == "on-failure" and facts.exit_code == 0)
    return facts.state in _ENDED and by_itself


def _of_health(facts: ContainerFacts) -> dict[str, str]:
    return {} if facts.health is None else {"health": facts.health}
