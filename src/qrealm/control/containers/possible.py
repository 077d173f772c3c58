"""Whether an exported state could be: its containers and relations by the rules of those that make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qrealm.base.errors import NoRoomError, RequestError, UserError
from qrealm.control.containers.asked import check_request
from qrealm.control.containers.placement.ports import TakenPorts
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import ContainerRecord, Register, Relation
from qrealm.fleet.containers.host_ports import own_clash, published, twice


def check_possible(
    containers: Sequence[ContainerRecord],
    relations: Sequence[Relation],
    registers: Sequence[Register],
    num_qubits: int,
) -> None:
    """Raises RequestError, with the place in the document, for what `create` or `entangle` would refuse.

    Args:
        num_qubits: most of a register that the configuration allows.
    """
    for faults in (_of_containers(containers, num_qubits), _of_relations(containers, relations)):
        for place, fault in faults:
            raise _impossible(place, fault)
    for number, register in enumerate(registers):
        for member in register.members:
            if not 0.0 <= member.probability <= 1.0:
                fault = f"the probability {member.probability} of a member; it must be from 0 to 1"
                raise _impossible(f"registers[{number}]", fault)
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


def _of_containers(containers: Sequence[ContainerRecord], num_qubits: int) -> Iterator[tuple[str, str]]:
    for number, record in enumerate(containers):
        place = f"containers[{number}] ({record.name})"
        try:
            check_request(CreateRequest(record.spec, record.quantum), num_qubits)
        except UserError as problem:
            yield place, problem.message.removeprefix("create got ")
        if record.spec.name != record.name:
            yield place, f"its spec has another name, {record.spec.name!r}"
        if (both := own_clash(published(record.spec))) is not None:
            yield place, f"its ports {twice(both)}"


def _of_relations(
    containers: Sequence[ContainerRecord], relations: Sequence[Relation]
) -> Iterator[tuple[str, str]]:
    num_states = {record.id: len(record.quantum.states) for record in containers}
    names = {record.id: record.name for record in containers}
    for number, tie in enumerate(relations):
        first, second = num_states[tie.first], num_states[tie.second]
        place = f"relations[{number}]"
        if tie.first == tie.second:
            yield place, f"{names[tie.first]} with itself; the rule is two containers"
        elif first != second:
            yield place, f"containers with {first} and {second} states; the rule is as many states in both"
        elif not 0 <= tie.shift < first:
            yield place, f"the shift {tie.shift}; it must be from 0 to {first - 1}"


def _impossible(place: str, fault: str) -> RequestError:
    return RequestError(
        f"import-state got a state that cannot be: {place}: {fault}",
        hint="give a file that qdocker export-state wrote, unchanged",
    )
