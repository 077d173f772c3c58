"""Whether an exported state could be: its parts by the rules of those that make them, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from qrealm.base.errors import MessageRefusalError, NoRoomError, RequestError, UserError
from qrealm.control.containers.asked import WORD, check_register
from qrealm.control.containers.messages.payload import checked_type
from qrealm.control.containers.placement.ports import TakenPorts
from qrealm.control.containers.possible_nodes import node_faults, nodes_that_are_one
from qrealm.control.containers.possible_registers import register_faults, relation_faults
from qrealm.control.containers.possible_times import is_time, time_fault
from qrealm.control.containers.state_document import UNCHANGED, ExportedState, is_engine_id
from qrealm.control.containers.values import ContainerRecord, MessageRecord, Phase
from qrealm.control.security import public_of
from qrealm.fleet.containers.docker_form import container_body
from qrealm.fleet.containers.rules import check_held

_CONTAINER_ID = re.compile("[0-9a-f]{64}")
ANEW = "create that container anew where it comes from, within the rules, and export again"
_MESSAGE_ID = re.compile("[0-9a-f]{32}")
_ID_ON_ENGINE = re.compile("[0-9A-Za-z]{1,64}")
_UNDECLARED = re.compile(r"undeclared:(\d{1,10})")

Faults = Iterator[tuple[str, str]]
"""Places in the document, and what is wrong there."""


def check_possible(state: ExportedState, num_qubits: int, now: float) -> None:
    """Raises RequestError, with the place in the document, for what no engine can have made.

    Args:
        num_qubits: most of a register that the configuration allows.
        now: seconds since 1970 UTC.
    """
    if not is_engine_id(state.engine_id):
        raise impossible("engine_id", f"{state.engine_id!r:.60} has not 16 hexadecimal digits")
    for place, fault in chain(
        time_fault("exported_at", state.exported_at),
        node_faults(state.nodes),
        nodes_that_are_one(state.nodes, state.containers),
        _of_containers(state, num_qubits),
        register_faults(state.containers, state.registers, now),
        relation_faults(state.containers, state.relations, state.registers),
        _of_identities(state),
        _of_decisions(state),
        _of_messages(state),
    ):
        raise impossible(place, fault)
    for number, register in enumerate(state.registers):
        if register.num_qubits > num_qubits:
            raise RequestError(
                f"import-state got a group of {register.num_qubits} qubits, registers[{number}]; the "
                f"configuration allows {num_qubits}",
                hint="raise num_qubits in the configuration",
            )


def check_ports_free(here: Sequence[ContainerRecord], coming: Sequence[ContainerRecord]) -> None:
    """Raises NoRoomError for a container whose port another on its node has."""
    taken = TakenPorts((*here, *coming))
    for number, record in enumerate(coming):
        if record.node is not None and (reason := taken.refusal(record, record.node)):
            raise NoRoomError(
                f"import-state got containers[{number}] ({record.name}) on node {record.node!r}: {reason}",
                hint="remove one of the two where the state comes from, and export it again",
            )


def impossible(place: str, fault: str, hint: str = UNCHANGED) -> RequestError:
    """What is raised for a part of a state that cannot be."""
    return RequestError(f"import-state got a state that cannot be: {place}: {fault}", hint=hint)


def _of_containers(state: ExportedState, num_qubits: int) -> Faults:
    ids: dict[str, int] = {}
    names: dict[str, int] = {}
    nodes = {node.name for node in state.nodes}
    for number, record in enumerate(state.containers):
        place = f"containers[{number}] ({record.name:.80})"
        if not _CONTAINER_ID.fullmatch(record.id):
            yield place, f"its id {record.id!r:.80} has not 64 hexadecimal digits"
        for what, value, known in (("id", record.id, ids), ("name", record.name, names)):
            if (other := known.setdefault(value, number)) != number:
                yield place, f"containers[{other}] has the same {what}"
        if fault := _specification_fault(record, num_qubits):
            raise impossible(place, fault, ANEW)
        for told in _record_faults(record, nodes):
            yield place, told


def _specification_fault(record: ContainerRecord, num_qubits: int) -> str:
    spec = record.spec
    if record.cluster is not None:
        # Clusters could once have the name of any folder, and their networks with them.
        if not record.cluster or not record.cluster.isprintable():
            return f"the cluster {record.cluster!r:.80} cannot be printed"
    try:
        check_held(spec)
        check_register(record.quantum, num_qubits)
    except UserError as problem:
        return problem.message.removeprefix("create got ")
    if record.spec.name != record.name:
        return f"its spec has another name, {record.spec.name!r}"
    try:
        container_body(record.spec)
    except (ValueError, OverflowError) as problem:
        return f"no engine can be told of it: {problem}"
    return ""


def _record_faults(record: ContainerRecord, nodes: set[str]) -> Iterator[str]:
    """What is wrong with what an engine wrote down of a container."""
    if record.node is not None and record.node not in nodes:
        yield f"it is on node {record.node!r:.80}, which is not among the nodes"
    if (record.node is None) is not (record.phase is Phase.WAITING):
        where = "no node" if record.node is None else f"the node {record.node!r:.80}"
        yield f"its phase is {record.phase.value!r}, and it has {where}"
    if record.phase is Phase.READY and record.engine_id is None:
        yield "its phase is 'ready', and it has no engine_id"
    if record.engine_id is not None and not _ID_ON_ENGINE.fullmatch(record.engine_id):
        yield f"its engine_id {record.engine_id!r:.80} is none that an engine gives"
    # The node that has the data of one that waits may have been removed since.
    if record.data_node is not None and not (
        record.data_node in nodes or (record.phase is Phase.WAITING and WORD.fullmatch(record.data_node))
    ):
        yield f"its data_node is {record.data_node!r:.80}, which is not among the nodes"
    if not WORD.fullmatch(record.scheduler):
        yield f"its scheduler {record.scheduler!r:.80} is no name"
    if record.restarts < 0:
        yield f"its restarts are {record.restarts}; the least is 0"
    if not is_time(record.created_at):
        yield f"created_at {record.created_at:g} is no time"
    if record.measured is not None:
        if not is_time(record.measured.at):
            yield f"measured.at {record.measured.at:g} is no time"
        if not _is_state(record, record.measured.state):
            yield f"it was measured {record.measured.state!r:.80}, which is none of its states"


def _is_state(record: ContainerRecord, name: str) -> bool:
    known = len(record.quantum.states)
    if (undeclared := _UNDECLARED.fullmatch(name)) is None:
        return name in record.quantum.states
    return known <= int(undeclared[1]) < 1 << (known - 1).bit_length()


def _of_identities(state: ExportedState) -> Faults:
    ids = {record.id for record in state.containers}
    for name, secret in state.identities.items():
        place = f"identities[{name!r:.80}]"
        if name not in ids:
            yield place, "it is of no container"
        try:
            public_of(secret)
        except MessageRefusalError as problem:
            yield place, problem.message


def _of_decisions(state: ExportedState) -> Faults:
    for number, decision in enumerate(state.decisions):
        place = f"decisions[{number}]"
        yield from time_fault(f"{place}.at", decision.at)
        if not decision.container.isprintable():
            yield place, f"{decision.container!r:.80} is no name of a container"
        if not 0.0 <= decision.seconds < float("inf"):
            yield place, f"its seconds are {decision.seconds:g}"


def _of_messages(state: ExportedState) -> Faults:
    names = {record.name for record in state.containers}
    ids: dict[str, int] = {}
    for number, message in enumerate(state.messages):
        place = f"messages[{number}]"
        if not _MESSAGE_ID.fullmatch(message.id):
            yield place, f"its id {message.id!r:.80} has not 32 hexadecimal digits"
        if (other := ids.setdefault(message.id, number)) != number:
            yield place, f"messages[{other}] has the same id"
        if message.receiver not in names:
            yield place, f"its receiver {message.receiver!r:.80} is no container here"
        for fault in _message_faults(message):
            yield place, fault


def _message_faults(message: MessageRecord) -> Iterator[str]:
    for name in ("sent_at", "read_at"):
        at = getattr(message, name)
        if at is not None and not is_time(at):
            yield f"{name} {at:g} is no time"
    if not message.sender.isprintable():
        yield f"its sender {message.sender!r:.80} is no name of a container"
    if not 0.0 <= message.error_rate <= 1.0 or message.key_bits < 0:
        yield f"its error_rate is {message.error_rate:g}, its key_bits are {message.key_bits}"
    try:
        checked_type(message.type)
    except MessageRefusalError as problem:
        yield problem.message
