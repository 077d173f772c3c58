"""Containers with registers of qubits, for programs: the engine behind `qdocker` and what it takes."""

from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.engine import ContainerEngine, QuantumDockerEngine
from qrealm.control.containers.files import Config, NodeEntry, load_cluster, load_config
from qrealm.control.containers.placement import (
    Scheduler,
    SchedulerAnswer,
    register_scheduler,
    unregister_scheduler,
)
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import QuantumSpec
from qrealm.fleet.containers.protocol import (
    ContainerSpec,
    Endpoint,
    ExecSpec,
    HealthCheck,
    Limits,
    LogRequest,
    Mount,
    Port,
    Restart,
    Tmpfs,
)

__all__ = [
    "Config",
    "ContainerEngine",
    "ContainerSpec",
    "CreateRequest",
    "Endpoint",
    "ExecSpec",
    "HealthCheck",
    "Limits",
    "LogRequest",
    "Mount",
    "NodeEntry",
    "Port",
    "QuantumCircuitManager",
    "QuantumDockerEngine",
    "QuantumSpec",
    "Restart",
    "Scheduler",
    "SchedulerAnswer",
    "Tmpfs",
    "load_cluster",
    "load_config",
    "register_scheduler",
    "unregister_scheduler",
]
