"""The labels by which the engine finds its containers again, whatever happened to its own records.

Anybody who may make a container on a node can give it any label. So what is believed is in one label that is
sealed: encrypted, since a container's environment may have secrets, under a key that never leaves the
engine's home folder. The others are for people, and for finding candidates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.control.containers.values import ContainerRecord, Phase, QuantumSpec, Wanted
from qrealm.control.security import close_box, open_box
from qrealm.fleet.containers.protocol import (
    LABEL_CONTAINER,
    LABEL_ENGINE,
    ContainerFacts,
    ContainerSpec,
    ContainerState,
    Restart,
)

LABEL_NAME = "io.qrealm.name"
LABEL_CLUSTER = "io.qrealm.cluster"
LABEL_CREATED = "io.qrealm.created"
LABEL_SEALED = "io.qrealm.sealed"
VERSION = 1
"""Of what is in the sealed label."""

_RUNS = frozenset({ContainerState.RUNNING, ContainerState.RESTARTING, ContainerState.PAUSED})


@dataclass(frozen=True)
class Seals:
    """Marks containers as ours, and tells ours from others.

    Attributes:
        engine_id: of the store.
        key: 32 bytes. Who has it can make containers that this engine takes for its own.
    """

    engine_id: str
    key: bytes = field(repr=False)

    def labelled(self, record: ContainerRecord) -> ContainerSpec:
        """The specification of a container with the labels that tell everything needed to know it again."""
        labels = {
            **record.spec.labels,
            LABEL_ENGINE: self.engine_id,
            LABEL_CONTAINER: record.id,
            LABEL_NAME: record.name,
            LABEL_CREATED: repr(record.created_at),
            LABEL_SEALED: self._seal(record),
        }
        if record.cluster is not None:
            labels[LABEL_CLUSTER] = record.cluster
        return replace(record.spec, labels=labels)

    def ours(self, facts: ContainerFacts, record: ContainerRecord | None = None) -> bool:
        """Whether this engine made a container: its record has the id that the node's engine gave it, or its
        seal opens. A seal is bound to the container's id, so it can be copied to no other."""
        if record is not None and record.engine_id == facts.engine_id:
            return True
        try:
            self._opened(facts)
        except ValueError:
            return False
        return True

    def record_from(self, facts: ContainerFacts, node: str) -> ContainerRecord:
        """The record of a container that its engine has and the store has not.

        Raises:
            ValueError: the seal does not open.
            SchemaError, KeyError: what is in it is of another version of qrealm.
        """
        told = json.loads(self._opened(facts))
        return ContainerRecord(
            id=facts.labels[LABEL_CONTAINER],
            name=str(told["name"]),
            spec=from_json(ContainerSpec, told["spec"]),
            quantum=from_json(QuantumSpec, told["quantum"]),
            node=node,
            engine_id=facts.engine_id,
            phase=Phase.READY,
            wanted=Wanted.RUNNING if runs(facts) else Wanted.STOPPED,
            created_at=float(told["created_at"]),
            cluster=told["cluster"],
            scheduler=str(told["scheduler"]),
        )

    def _seal(self, record: ContainerRecord) -> str:
        told = {
            "name": record.name,
            "spec": to_json(record.spec),
            "quantum": to_json(record.quantum),
            "created_at": record.created_at,
            "cluster": record.cluster,
            "scheduler": record.scheduler,
        }
        return close_box(self.key, json.dumps(told).encode(), self._vouched(record.id))

    def _opened(self, facts: ContainerFacts) -> bytes:
        vouched = self._vouched(facts.labels.get(LABEL_CONTAINER, ""))
        return open_box(self.key, facts.labels.get(LABEL_SEALED, ""), vouched)

    def _vouched(self, container_id: str) -> bytes:
        return json.dumps(["qrealm container", VERSION, self.engine_id, container_id]).encode()


def runs(facts: ContainerFacts | None) -> bool:
    """Whether a container runs, or its engine is about to start it again."""
    return facts is not None and facts.state in _RUNS


def starts_again(restart: Restart, before: ContainerFacts, facts: ContainerFacts) -> bool:
    """Whether a container that was started, and was `before`, has ended and its engine starts it again. By
    what the engine tells alone: its clock may differ from ours."""
    if restart.name == "no":
        return False
    ended_since = facts.finished_at is not None and facts.finished_at != before.finished_at
    return facts.state is ContainerState.RESTARTING or (facts.state is ContainerState.RUNNING and ended_since)
