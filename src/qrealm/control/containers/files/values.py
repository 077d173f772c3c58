"""What configuration and cluster files say, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qrealm.control.containers.values import Mode, QuantumSpec
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint
from qrealm.fleet.containers.typed import check_fields

RELAXATION_PER_DECOHERENCE = 10.0
"""T1 over T2 where the configuration gives T2 alone."""


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """A node that the daemon begins with.

    Attributes:
        cpus, memory_bytes: what containers may share; None for all that its engine has.

    Raises:
        RequestError: something of another type.
    """

    name: str
    endpoint: Endpoint
    labels: Mapping[str, str] = field(default_factory=dict)
    cpus: float | None = None
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Config:
    """What a user may choose for the daemon.

    Attributes:
        num_qubits: of one register at most, so of all containers of a group together.
        simulation_backend: what computes the registers: qrealm, cirq or qiskit.
        max_containers: how many there may be.
        enable_quantum_networking: whether messages are sent.
        enable_quantum_scheduling: whether the portfolio of solvers places containers; else greedy does, where
            no scheduler is named.
        enable_quantum_load_balancing: whether a placement evens out the load over the nodes, the weights of
            what runs and weight times probability of the rest; else it fills few nodes.
        decoherence_time_ms: T2, after which coherence has fallen to 1/e.
        relaxation_time_ms: T1, after which what sets populations apart from the declared ones has fallen to
            1/e; 0 stands for ten times T2, which is then put here.
        cpu_overcommit: how many processors a node may promise for each that it has.
        node_lost_after_s: how long a node may be silent before its containers are placed elsewhere.
        move_cost: what a move must gain at least, in units of the placement's objective.
        seed: of measurements; None draws them from the operating system.
        scheduler: who decides where none is named; None lets `enable_quantum_scheduling` say.
        nodes: that there are at first; empty for the engine of this machine.

    Raises:
        ConfigError: a value breaks the rules of the configuration file.
    """

    num_qubits: int = 16
    simulation_backend: str = "qrealm"
    max_containers: int = 50
    enable_quantum_networking: bool = True
    enable_quantum_scheduling: bool = True
    enable_quantum_load_balancing: bool = True
    decoherence_time_ms: float = 1000.0
    relaxation_time_ms: float = 0.0
    cpu_overcommit: float = 4.0
    node_lost_after_s: float = 3.0
    move_cost: float = 0.1
    seed: int | None = None
    scheduler: str | None = None
    nodes: tuple[NodeEntry, ...] = ()

    def __post_init__(self) -> None:
        # The rules are those of the file; what reads it makes these values, so it cannot be imported sooner.
        from qrealm.control.containers.files.config import check_config

        check_config(self)
        if not self.relaxation_time_ms:
            relaxation = RELAXATION_PER_DECOHERENCE * self.decoherence_time_ms
            object.__setattr__(self, "relaxation_time_ms", relaxation)

    @property
    def default_scheduler(self) -> str:
        """Who decides where none is named."""
        return self.scheduler or ("portfolio" if self.enable_quantum_scheduling else "greedy")


@dataclass(frozen=True, slots=True)
class ClusterContainer:
    """One container of a cluster; `node` None lets the scheduler decide."""

    spec: ContainerSpec
    quantum: QuantumSpec
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Entanglement:
    """Containers, by name, that follow the first of them; `place` has the file, line and key that say so."""

    between: tuple[str, ...]
    mode: Mode
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ClusterFile:
    """A cluster: its containers in the order of the file, and how they are entangled.

    Attributes:
        called_before: what a cluster of this file was called when a cluster could have any folder's name;
            None where it is the same.
    """

    name: str
    containers: tuple[ClusterContainer, ...]
    entangled: tuple[Entanglement, ...] = ()
    called_before: str | None = None
