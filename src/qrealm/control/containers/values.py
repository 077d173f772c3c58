"""What the store keeps of containers, nodes, registers, decisions, messages and events: frozen records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from qrealm.base.errors import RequestError
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint
from qrealm.simulate.sparse_density import SparseDensity

STATES_DEFAULT = ("running", "stopped")
Mode = Literal["same", "opposite", "spread"]
MODES: tuple[Mode, ...] = ("same", "opposite", "spread")


@dataclass(frozen=True, slots=True)
class QuantumSpec:
    """What makes a container's register.

    Attributes:
        states: names of its states, at least two; the container runs in the first one and in no other.
        probability: of the first state; the others share the rest equally.
        weight: how much the container counts: a placement balances over the nodes the weights of those that
            run, and of the others weight times probability; it leaves light containers out first.

    Raises:
        RequestError: something of another type.
    """

    states: tuple[str, ...] = STATES_DEFAULT
    probability: float = 0.5
    weight: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.states, str) or not isinstance(self.states, Sequence):
            raise RequestError(
                f"QuantumSpec got the states {self.states!r:.60}; the rule is a tuple of names",
                hint=f"such as states={STATES_DEFAULT!r}",
            )
        strange = next((each for each in self.states if not isinstance(each, str)), None)
        if strange is not None:
            raise RequestError(f"QuantumSpec got the state {strange!r:.60}; the rule is that names are text")
        for name in ("probability", "weight"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise RequestError(f"QuantumSpec got the {name} {value!r:.60}; the rule is a number")


class Phase(StrEnum):
    """How far qrealm has come with a container. What the engine says of it is asked for, not kept."""

    CREATING = "creating"  # written down before the engine is told
    READY = "ready"
    MAKING_AGAIN = "making again"  # its node is gone; written down before the new node's engine is told
    WAITING = "waiting"  # its node is gone and no other takes it
    REMOVING = "removing"  # written down before the engine is told


class Wanted(StrEnum):
    """What the container shall do; the engine is brought to it after a loss."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the last measurement told.

    Attributes:
        state: name of the state; ``"undeclared:3"`` for a basis state that stands for none.
        at: seconds since 1970 UTC.
    """

    state: str
    at: float


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """One container.

    Attributes:
        id: 64 hexadecimal digits, qrealm's own; the same wherever the container moves.
        name: unique in qrealm.
        spec: what the engine is asked for.
        quantum: what its register is.
        node: where it is; None while it waits for one.
        engine_id: the engine's id of it; None while the engine has none.
        cluster: name of the cluster file that it came from; None for one made alone.
        scheduler: name of the scheduler that placed it.
        restarts: how often `maintenance`, the loss of a node or an import had it started again.
        created_at: seconds since 1970 UTC.
        begun: what its engine is being told to bring it to; None once the engine has answered.
        data_node: where its volumes and folders are while it waits, and where a volume of its image is at any
            time; None when it has none.
    """

    id: str
    name: str
    spec: ContainerSpec
    quantum: QuantumSpec
    node: str | None
    engine_id: str | None
    phase: Phase
    wanted: Wanted
    created_at: float
    cluster: str | None = None
    scheduler: str = "portfolio"
    measured: Measured | None = None
    restarts: int = 0
    begun: Wanted | None = None
    data_node: str | None = None


class NodeState(StrEnum):
    """Whether a node takes containers."""

    READY = "ready"
    DRAINING = "draining"  # takes nothing new; what it had has moved, or is moving, or cannot move
    LOST = "lost"  # did not answer for the time that the configuration gives


UNSEEN = "?"
"""The engine of a node that has never answered."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node.

    Attributes:
        cpus, memory_bytes: what containers may share: as the engine says, unless the user gave less.
        simulated: whether its containers are nothing but records.
        seen_at: seconds since 1970 UTC when it answered last.
        added_at: when it was added.
        returns_as: what a lost node is again when it answers.
    """

    name: str
    endpoint: Endpoint
    engine: str
    cpus: float
    memory_bytes: int
    state: NodeState
    simulated: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    seen_at: float = 0.0
    added_at: float = 0.0
    returns_as: NodeState = NodeState.READY


@dataclass(frozen=True, slots=True)
class Relation:
    """A declared correlation of two containers: the second was made to follow the first.

    The index of the second's state is ``(k - 1 - i)`` for opposite and ``(i + shift) mod k`` else, where i is
    that of the first and k the number of states of both. Shift is 0 for same. A relation that is `spent` was
    measured: nothing ties the states any more, but where the two are placed, until maintenance prepares the
    group again.
    """

    first: str
    second: str
    mode: Mode
    shift: int = 0
    declared_at: float = 0.0
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A container's share of a register.

    Attributes:
        container: its id.
        num_states: k, at least 2; the container owns ceil(log2 k) qubits.
        probability: declared probability of its first state.
    """

    container: str
    num_states: int
    probability: float

    @property
    def num_qubits(self) -> int:
        """Qubits that it owns."""
        return (self.num_states - 1).bit_length()


@dataclass(frozen=True, eq=False, slots=True)
class Register:
    """The joint state of an entangled group, or of one container alone.

    Attributes:
        members: in the order of their qubits: the first owns the lowest. The index of a container's state is
            the number that its qubits spell, its own lowest qubit as bit 0.
        density: the state at `time`.
        time: seconds since 1970 UTC up to which decay has been taken into account.
        prepared_at: when it was last prepared, entangled or measured.
    """

    members: tuple[Member, ...]
    density: SparseDensity
    time: float
    prepared_at: float

    @property
    def num_qubits(self) -> int:
        """Qubits of all members."""
        return self.density.num_qubits


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened. Times in seconds since 1970 UTC; ids grow by one."""

    id: int
    at: float
    type: Literal["container", "register", "node", "message", "engine", "cluster"]
    action: str
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """A node that a container could go to: what the objective changes by there, and each part of it."""

    node: str
    change: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Why a container is where it is.

    Attributes:
        id: grows by one; 0 for one that the store has not numbered yet.
        container: its name.
        action: create, load-balance, rebalance, node lost, drain, start after waiting …
        scheduler: who decided.
        chosen, before: node names; None for none.
        candidates: nodes that would take it, the chosen one first, the others by rising cost.
        refused: the other nodes and why each would not.
        reason: one sentence.
        objective, bound: value of the whole solution, and the smallest that is proven possible (None when
            nothing is known).
        solver: which solver's solution it is.
        seconds: what the search took.
    """

    id: int
    at: float
    container: str
    action: str
    scheduler: str
    chosen: str | None
    before: str | None
    candidates: tuple[CandidateRecord, ...]
    refused: Mapping[str, str]
    reason: str
    objective: float | None = None
    bound: float | None = None
    solver: str = ""
    seconds: float = 0.0

    @property
    def runner_up_cost(self) -> float | None:
        """What the second best node would have cost more; None where there is none."""
        return self.candidates[1].change - self.candidates[0].change if len(self.candidates) > 1 else None


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One message as it lies in the store: sealed.

    Attributes:
        id: 32 hexadecimal digits.
        sender, receiver: names of containers.
        type: a word that the sender chose.
        sealed: nonce and ciphertext; opened with the key that both ends agreed on for this message.
        header: what the sealing vouches for besides the data, and what the receiver needs to open it.
        error_rate: share of the compared bits that differed.
        listened: whether the error rate says that somebody listened.
        key_bits: length of the key that the entangled pair gave.
        sent_at: seconds since 1970 UTC; read_at: None until somebody has read it.
    """

    id: str
    sender: str
    receiver: str
    type: str
    sealed: bytes
    header: Mapping[str, Any]
    error_rate: float
    listened: bool
    key_bits: int
    sent_at: float
    read_at: float | None = None
