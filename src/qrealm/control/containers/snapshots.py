"""`export-state` and `import-state`: everything the store knows as one JSON document, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qrealm.base.errors import NameTakenError, NoRoomError, RequestError
from qrealm.control.containers.admitting import same_engine
from qrealm.control.containers.context import Context
from qrealm.control.containers.json_codec import to_json
from qrealm.control.containers.lifecycle import removed_key, volumes_key
from qrealm.control.containers.possible import check_ports_free, check_possible, impossible
from qrealm.control.containers.possible_nodes import opening_fault
from qrealm.control.containers.reconcile import Reconcile
from qrealm.control.containers.state_document import (
    FORMAT,
    UNCHANGED,
    VERSION,
    ExportedState,
    read_state,
    text_of,
)
from qrealm.control.containers.taking_over import (
    LOOK_S,
    check_nobodys,
    check_volumes_stay,
    foreign,
    taken_over,
    volumes_kept,
)
from qrealm.control.containers.values import UNSEEN, NodeRecord, NodeState, Phase
from qrealm.control.store.register_codec import to_bytes


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
                "registers": [text_of(to_bytes(register)) for register in store.registers.all()],
                "relations": to_json(store.relations.all()),
                "decisions": to_json(store.decisions.all()),
                "messages": to_json(store.messages.all()),
                "identities": {
                    record.id: text_of(secret)
                    for record in records
                    if (secret := store.identities.get(record.id)) is not None
                },
            }

    def import_(
        self, document: Mapping[str, Any], *, take_over: bool = False, lose_volumes: bool = False
    ) -> dict[str, Any]:
        """Take an exported state in: all of it, or none when anything stands in the way.

        A container that is on its node already, made by this very engine, is found there; every other is made
        again, on its node or, where that is not there, on another one, and started if it ran.

        Args:
            take_over: replace containers that the engine still has that the state was exported from. Each is
                stopped, removed and made again where it is, and runs again if it ran. Engines let nobody
                change what tells whose a container is, and have no two of one name. That engine must not
                run any more: it would make them again, too. What such a container keeps in volumes
                without a name, as its image declares them, the new one goes on with: these stay, and are
                mounted there by the names that the engine gave them.
            lose_volumes: also replace those whose volumes without a name cannot stay, as in a swarm.

        Raises:
            RequestError: no exported state, or one that cannot be; what older versions made can be. Also for
                `lose_volumes` without `take_over`.
            EngineRefusalError: volumes would be lost, and `lose_volumes` does not hold.
            NoRoomError: too many containers, or two with one port of their host on one node.
            NameTakenError: a container of this name, or a node of this name with another engine, is here; or
                another engine has some of the containers, and `take_over` does not hold.
        """
        if lose_volumes and not take_over:
            raise RequestError(
                "import-state got --lose-volumes without --take-over, and the rule is that it goes with it",
                hint="without --take-over no container of another engine is touched; leave it out",
            )
        state = read_state(document)
        try:
            return self._taken(state, take_over, lose_volumes)
        except BaseException:
            self._forget_strangers(state)
            raise

    def _taken(self, state: ExportedState, take_over: bool, lose_volumes: bool) -> dict[str, Any]:
        ctx, store = self._ctx, self._ctx.store
        check_possible(state, ctx.config.num_qubits, ctx.clock.now())
        self._check_nodes(state)
        self._check_free(state)
        nodes = {node.name: node for node in (*state.nodes, *store.nodes.all())}
        there = foreign(ctx, nodes.values(), state.containers)
        if not take_over:
            check_nobodys(there, {record.id: record.name for record in state.containers})
        replaced = {r.id: taken_over(r, there, state.engine_id) for r in state.containers if r.id in there}
        if not lose_volumes:
            check_volumes_stay(replaced.values(), there)
        with ctx.planning, store.transaction():
            self._check_free(state)
            for node in state.nodes:
                if all(node.name != other.name for other in store.nodes.all()):
                    store.nodes.save(_taken_in(node, ctx.clock.now()))
            mine = state.engine_id == store.engine_id
            for record in state.containers:
                phase = record.phase
                if phase is Phase.CREATING or (phase is Phase.READY and not mine):
                    phase = Phase.MAKING_AGAIN
                # What another engine made is not ours to touch, unless it is taken over.
                made = record if mine else replace(record, engine_id=None)
                store.containers.save(replaced.get(record.id) or replace(made, phase=phase))
                # It may have been removed here since it was exported.
                store.settings.delete(removed_key(record.id))
                store.settings.delete(volumes_key(record.id))
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
            "taken_over": sorted(record.name for record in replaced.values()),
            "volumes_kept": volumes_kept(state.containers, replaced),
            "problems": found.problems,
        }

    def _check_nodes(self, state: ExportedState) -> None:
        """Raises RequestError for a node that nobody can ever speak to."""
        for number, node in enumerate(state.nodes):
            fault, hint = opening_fault(node, self._ctx.drivers, LOOK_S)
            if fault:
                raise impossible(f"nodes[{number}] ({node.name})", fault, hint or UNCHANGED)

    def _forget_strangers(self, state: ExportedState) -> None:
        """Keep no connections to nodes that were not taken in."""
        here = {node.endpoint for node in self._ctx.store.nodes.all()}
        for endpoint in {node.endpoint for node in state.nodes} - here:
            self._ctx.drivers.forget(endpoint)

    def _check_free(self, state: ExportedState) -> None:
        store = self._ctx.store
        here = store.containers.all()
        ids, names = {record.id for record in here}, {record.name for record in here}
        taken = sorted(record.name for record in state.containers if record.name in names or record.id in ids)
        if taken:
            raise NameTakenError(
                f"import-state got containers that are here already: {', '.join(taken)}",
                hint="remove them, or import into an engine of its own (QUANTUM_DOCKER_HOME)",
            )
        known = store.nodes.all()
        endpoints = {node.name: node.endpoint for node in known}
        for node in state.nodes:
            if endpoints.get(node.name, node.endpoint) != node.endpoint:
                raise NameTakenError(
                    f"import-state got a node {node.name!r}, which is here with another engine",
                    hint=f"qdocker nodes rm {node.name}, or give it the name that the document has",
                )
            for other in known:
                another = node.name not in endpoints and not (node.simulated or other.simulated)
                if another and same_engine(other.endpoint, node.endpoint):
                    raise NameTakenError(
                        f"import-state got a node {node.name!r}; node {other.name!r} here is that engine",
                        hint=f"one engine is one node: qdocker nodes rm {other.name}, and import again",
                    )
        messages = {message.id for message in store.messages.all()}
        for number, message in enumerate(state.messages):
            if message.id in messages:
                raise impossible(f"messages[{number}]", f"a message with its id {message.id} is here already")
        if len(here) + len(state.containers) > self._ctx.config.max_containers:
            raise NoRoomError(
                f"import-state got {len(state.containers)} containers beside {len(here)}; the configuration "
                f"allows {self._ctx.config.max_containers}",
                hint="raise max_containers in the configuration",
            )
        check_ports_free(here, state.containers)


def _taken_in(node: NodeRecord, now: float) -> NodeRecord:
    """A node as it is from now on; one that was lost is asked anew."""
    if node.engine == UNSEEN:
        return replace(node, state=NodeState.LOST)  # the watch takes it in when it answers
    closed = NodeState.DRAINING in (node.state, node.returns_as if node.state is NodeState.LOST else None)
    return replace(node, state=NodeState.DRAINING if closed else NodeState.READY, seen_at=now)
