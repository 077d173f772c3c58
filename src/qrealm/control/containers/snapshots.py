"""`export-state` and `import-state`: everything the store knows as one JSON document, and back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qrealm.base.errors import NameTakenError, NoRoomError, RequestError, StoreError
from qrealm.control.containers.context import Context
from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.control.containers.lifecycle import removed_key
from qrealm.control.containers.possible import check_ports_free, check_possible
from qrealm.control.containers.reconcile import Reconcile
from qrealm.control.containers.taking_over import check_nobodys, foreign, taken_over
from qrealm.control.containers.values import (
    ContainerRecord,
    DecisionRecord,
    MessageRecord,
    NodeRecord,
    NodeState,
    Phase,
    Register,
    Relation,
)
from qrealm.control.store.register_codec import from_bytes, to_bytes

FORMAT = "qdocker state"
VERSION = 1


class Snapshots:
    """Writes and reads whole states."""

    def __init__(self, context: Context, reconcile: Reconcile) -> None:
        self._ctx = context
        self._reconcile = reconcile

    def export(self) -> dict[str, Any]:
        """Everything: nodes, containers, registers, relations, decisions, messages with what opens them.

        The document has the containers' environments and private keys in it: keep it as you keep those.
        """
        ctx, store = self._ctx, self._ctx.store
        with ctx.planning, store.transaction():
            records = store.containers.all()
            return {
                "format": FORMAT,
                "version": VERSION,
                "engine_id": store.engine_id,
                "exported_at": ctx.clock.now(),
                "nodes": to_json(store.nodes.all()),
                "containers": to_json(records),
                "registers": [_text(to_bytes(register)) for register in store.registers.all()],
                "relations": to_json(store.relations.all()),
                "decisions": to_json(store.decisions.all()),
                "messages": to_json(store.messages.all()),
                "identities": {
                    record.id: _text(secret)
                    for record in records
                    if (secret := store.identities.get(record.id)) is not None
                },
            }

    def import_(self, document: Mapping[str, Any], *, take_over: bool = False) -> dict[str, Any]:
        """Take an exported state in: all of it, or none when anything stands in the way.

        A container that is on its node already, made by this very engine, is found there; every other is made
        again, on its node or, where that is not there, on another one, and started if it ran.

        Args:
            take_over: replace containers that the engine still has that the state was exported from. Each is
                stopped, removed and made again where it is, and runs again if it ran. Engines let nobody
                change what tells whose a container is, and have no two of one name. That engine must not
                run any more: it would make them again, too.

        Raises:
            RequestError: no exported state, or one that `create` and `entangle` would refuse.
            NoRoomError: too many containers, or two with one port of their host on one node.
            NameTakenError: a container of this name, or a node of this name with another engine, is here; or
                another engine has some of the containers, and `take_over` does not hold.
        """
        state = _State(document)
        state.check()
        ctx, store = self._ctx, self._ctx.store
        check_possible(state.containers, state.relations, state.registers, ctx.config.num_qubits)
        self._check_free(state)
        nodes = {node.name: node for node in (*state.nodes, *store.nodes.all())}
        there = foreign(ctx, nodes.values(), state.containers)
        if not take_over:
            check_nobodys(there, {record.id: record.name for record in state.containers})
        with ctx.planning, store.transaction():
            self._check_free(state)
            for node in state.nodes:
                if all(node.name != other.name for other in store.nodes.all()):
                    state_now = NodeState.DRAINING if _closed(node) else NodeState.READY
                    store.nodes.save(replace(node, state=state_now, seen_at=ctx.clock.now()))
            mine = state.engine_id == store.engine_id
            for record in state.containers:
                phase = record.phase
                if phase is Phase.CREATING or (phase is Phase.READY and not mine):
                    phase = Phase.MAKING_AGAIN
                # What another engine made is not ours to touch, unless it is taken over.
                made = record if mine else replace(record, engine_id=None)
                store.containers.save(
                    replace(made, phase=phase)
                    if record.id not in there
                    else taken_over(record, there, state.engine_id)
                )
                # It may have been removed here since it was exported.
                store.settings.delete(removed_key(record.id))
            store.registers.save(state.registers)
            store.relations.save(state.relations)
            for container, secret in state.identities.items():
                store.identities.save(container, secret)
            for message in state.messages:
                store.messages.save(message)
            for decision in reversed(state.decisions):  # the newest first, and appended last
                store.decisions.append(decision)
            ctx.tell("engine", "import", "state", {"containers": str(len(state.containers))})
        found = self._reconcile.all()
        return {
            "nodes": len(state.nodes),
            "containers": len(state.containers),
            "messages": len(state.messages),
            "made_again": found.made_again,
            "taken_over": sorted(record.name for record in state.containers if record.id in there),
            "problems": found.problems,
        }

    def _check_free(self, state: _State) -> None:
        store = self._ctx.store
        here = store.containers.all()
        ids, names = {record.id for record in here}, {record.name for record in here}
        taken = sorted(record.name for record in state.containers if record.name in names or record.id in ids)
        if taken:
            raise NameTakenError(
                f"import-state got containers that are here already: {', '.join(taken)}",
                hint="remove them, or import into an engine of its own (QUANTUM_DOCKER_HOME)",
            )
        endpoints = {node.name: node.endpoint for node in store.nodes.all()}
        for node in state.nodes:
            if endpoints.get(node.name, node.endpoint) != node.endpoint:
                raise NameTakenError(
                    f"import-state got a node {node.name!r}, which is here with another engine",
                    hint=f"qdocker nodes rm {node.name}, or give it the name that the document has",
                )
        if len(here) + len(state.containers) > self._ctx.config.max_containers:
            raise NoRoomError(
                f"import-state got {len(state.containers)} containers beside {len(here)}; the configuration "
                f"allows {self._ctx.config.max_containers}",
                hint="raise max_containers in the configuration",
            )
        check_ports_free(here, state.containers)


class _State:
    """An exported state, read. Raises RequestError for anything else."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise RequestError(
                "import-state got something that is no exported state",
                hint="give a file that qdocker export-state wrote",
            )
        if document.get("version") != VERSION:
            raise RequestError(
                f"import-state got version {document.get('version')!r} of an exported state; this qrealm "
                f"reads version {VERSION}"
            )
        try:
            self.engine_id = str(document["engine_id"])
            self.nodes = from_json(tuple[NodeRecord, ...], document["nodes"])
            self.containers = from_json(tuple[ContainerRecord, ...], document["containers"])
            self.relations = from_json(tuple[Relation, ...], document["relations"])
            self.decisions = from_json(tuple[DecisionRecord, ...], document["decisions"])
            self.messages = from_json(tuple[MessageRecord, ...], document["messages"])
            self.registers: list[Register] = [from_bytes(_bytes(text)) for text in document["registers"]]
            self.identities = {name: _bytes(text) for name, text in document["identities"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, StoreError) as problem:
            raise RequestError(
                f"import-state got a document that cannot be read: {problem!s:.200}",
                hint="give a file that qdocker export-state wrote, unchanged",
            ) from problem

    def check(self) -> None:
        """Raises RequestError for parts that do not belong together."""
        ids = [record.id for record in self.containers]
        members = [member.container for register in self.registers for member in register.members]
        group_of = {m.container: n for n, each in enumerate(self.registers) for m in each.members}
        nodes = {node.name for node in self.nodes}
        states = {record.id: len(record.quantum.states) for record in self.containers}
        fault = ""
        if len(set(ids)) < len(ids) or len({record.name for record in self.containers}) < len(ids):
            fault = "two containers have one name or id"
        elif sorted(members) != sorted(ids):
            fault = "a container is not a member of exactly one register"
        elif any(states[m.container] != m.num_states for each in self.registers for m in each.members):
            fault = "a register does not fit its container's states"
        elif any(record.node is not None and record.node not in nodes for record in self.containers):
            fault = "a container is on a node that is not in it"
        elif any({tie.first, tie.second} - set(ids) for tie in self.relations):
            fault = "a relation is of a container that is not in it"
        elif any(not tie.spent and group_of[tie.first] != group_of[tie.second] for tie in self.relations):
            fault = "a relation is of two containers that share no register"
        elif not self.identities.keys() <= set(ids):
            fault = "a key is of no container in it"
        if fault:
            raise RequestError(
                f"import-state got a document whose parts contradict each other: {fault}",
                hint="give a file that qdocker export-state wrote, unchanged",
            )


def _closed(node: NodeRecord) -> bool:
    return NodeState.DRAINING in (node.state, node.returns_as if node.state is NodeState.LOST else None)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as problem:
        raise ValueError(str(problem)) from problem
