"""The labels by which the engine finds its containers again, whatever happened to its own records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.control.containers.values import ContainerRecord, Phase, QuantumSpec, Wanted
from qrealm.fleet.containers.protocol import (
    LABEL_CONTAINER,
    LABEL_ENGINE,
    ContainerFacts,
    ContainerSpec,
    ContainerState,
)

LABEL_NAME = "io.qrealm.name"
LABEL_QUANTUM = "io.qrealm.quantum"
LABEL_SPEC = "io.qrealm.spec"
LABEL_CLUSTER = "io.qrealm.cluster"
LABEL_CREATED = "io.qrealm.created"
_PREFIX = "io.qrealm."

_RUNS = frozenset({ContainerState.RUNNING, ContainerState.RESTARTING, ContainerState.PAUSED})


def labelled(record: ContainerRecord, engine_id: str) -> ContainerSpec:
    """The specification of a container with the labels that tell everything needed to know it again."""
    labels = {
        **record.spec.labels,
        LABEL_ENGINE: engine_id,
        LABEL_CONTAINER: record.id,
        LABEL_NAME: record.name,
        LABEL_QUANTUM: json.dumps(to_json(record.quantum)),
        LABEL_SPEC: json.dumps(to_json(record.spec)),
        LABEL_CREATED: repr(record.created_at),
    }
    if record.cluster is not None:
        labels[LABEL_CLUSTER] = record.cluster
    return replace(record.spec, labels=labels)


def users_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Those that qrealm did not add."""
    return {name: value for name, value in labels.items() if not name.startswith(_PREFIX)}


def record_from(facts: ContainerFacts, node: str) -> ContainerRecord:
    """The record of a container that its engine has and the store has not.

    Raises:
        ValueError, KeyError: the labels are not those of a container that qrealm made.
    """
    labels = facts.labels
    return ContainerRecord(
        id=labels[LABEL_CONTAINER],
        name=labels[LABEL_NAME],
        spec=from_json(ContainerSpec, json.loads(labels[LABEL_SPEC])),
        quantum=from_json(QuantumSpec, json.loads(labels[LABEL_QUANTUM])),
        node=node,
        engine_id=facts.engine_id,
        phase=Phase.READY,
        wanted=Wanted.RUNNING if facts.state in _RUNS else Wanted.STOPPED,
        created_at=float(labels[LABEL_CREATED]),
        cluster=labels.get(LABEL_CLUSTER),
    )


def runs(facts: ContainerFacts | None) -> bool:
    """Whether a container runs, or its engine is about to start it again."""
    return facts is not None and facts.state in _RUNS
