"""Writing down containers that are about to be made: from then on their places are taken."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    NoRoomError,
)
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context
from qrealm.control.containers.deciding import Deciding
from qrealm.control.containers.declaring import Expected, Tie, expected
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.room import check_room
from qrealm.control.containers.values import ContainerRecord, DecisionRecord, Phase, Wanted
from qrealm.fleet.containers.host_ports import once

Reserved = tuple[ContainerRecord, DecisionRecord]


def reserve(
    context: Context,
    circuits: QuantumCircuitManager,
    deciding: Deciding,
    requests: Sequence[CreateRequest],
    ties: Sequence[Tie] = (),
    action: str = "create",
) -> list[Reserved]:
    """Write down containers that are about to be made, all or none, in the order of the requests. The names'
    locks are held.

    Args:
        ties: how they will be entangled, with each other and with containers that are there.
        action: recorded with the decisions.

    Raises:
        NameTakenError: another container has one of the names.
        NoRoomError: they do not fit; or there would be more than the configuration allows.
        RegisterError, TooLargeError: a register or a relation cannot be.
    """
    if not requests:
        return []
    with context.scheduling:
        for last in (False, False, True):
            _check_free(context, requests)
            coming = [_record(context, request, deciding) for request in requests]
            pinned = {
                record.id: request.node
                for record, request in zip(coming, requests, strict=True)
                if request.node is not None
            }
            told = expected(context, circuits, coming, ties)
            decisions = deciding.place_new(coming, pinned, told, action)
            placed = [replace(record, node=decisions[record.name].chosen) for record in coming]
            try:
                return _written(context, requests, placed, told, decisions)
            except (NoRoomError, EngineUnavailableError, EngineRefusalError):
                if last:
                    raise
    raise AssertionError("unreachable")


def _written(
    context: Context,
    requests: Sequence[CreateRequest],
    placed: Sequence[ContainerRecord],
    told: Expected,
    decisions: Mapping[str, DecisionRecord],
) -> list[Reserved]:
    """Write down what was decided, if it still can be: while the scheduler thought, a node may have been
    lost, or given others."""
    with context.planning, context.store.transaction():
        _check_free(context, requests)
        for record in placed:
            check_room(context, record, str(record.node))
            context.store.containers.save(record)
        context.store.registers.save(told.registers)
        return [(record, context.store.decisions.append(decisions[record.name])) for record in placed]


def _check_free(context: Context, requests: Sequence[CreateRequest]) -> None:
    known = context.store.containers.all()
    names = {record.name for record in known}
    for request in requests:
        if request.spec.name in names:
            raise NameTakenError(
                f"create got the name {request.spec.name!r}, which another container has",
                hint=f"choose another name, or remove it: qdocker rm {request.spec.name}",
            )
        names.add(request.spec.name)
    most = context.config.max_containers
    if len(known) + len(requests) > most:
        asked = f"{len(requests)} more" if len(requests) > 1 else repr(requests[0].spec.name)
        raise NoRoomError(
            f"with {asked} there would be {len(known) + len(requests)} containers; the configuration allows "
            f"{most}",
            hint="remove some, or raise max_containers in the configuration",
        )


def _record(context: Context, request: CreateRequest, deciding: Deciding) -> ContainerRecord:
    return ContainerRecord(
        id=secrets.token_hex(32),
        name=request.spec.name,
        spec=replace(request.spec, ports=once(request.spec.ports)),
        quantum=request.quantum,
        node=None,
        engine_id=None,
        phase=Phase.CREATING,
        wanted=Wanted.STOPPED,
        created_at=context.clock.now(),
        cluster=request.cluster,
        scheduler=deciding.scheduler(request.scheduler),
    )
