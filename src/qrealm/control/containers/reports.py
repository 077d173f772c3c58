"""What the engine's operations are asked, and what they answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qrealm.control.containers.values import (
    ContainerRecord,
    DecisionRecord,
    MessageRecord,
    Mode,
    NodeRecord,
    QuantumSpec,
)
from qrealm.fleet.containers.protocol import ContainerFacts, ContainerSpec
from qrealm.fleet.containers.typed import check_fields

PORTFOLIO = "portfolio"


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """One container to make.

    Attributes:
        spec: `spec.name` is its name.
        node: the node that it must go to; None lets the scheduler decide.
        scheduler: who decides; None for whom the configuration names.
        pull: ``"missing"`` fetches the image where the engine lacks it, ``"always"``, ``"never"``.
        cluster: name of the cluster that it belongs to.

    Raises:
        RequestError: something of another type.
    """

    spec: ContainerSpec
    quantum: QuantumSpec = field(default_factory=QuantumSpec)
    node: str | None = None
    scheduler: str | None = None
    pull: str = "missing"
    cluster: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class CreateReport:
    """A container that was made, and why it is where it is.

    Attributes:
        pulled: whether its image was fetched for it.
        note: what of the wish has no effect; may be empty.
    """

    container: ContainerRecord
    decision: DecisionRecord
    pulled: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class WeakRelation:
    """A relation in force that was not much to rely on when it was measured.

    Attributes:
        first, second: names; the second was made to follow the first.
        holds: probability with which it held just before the measurement.
        decayed: whether decay alone has done that: when its register was last changed, by a gate, say, it was
            to be relied on.
    """

    first: str
    second: str
    mode: Mode
    holds: float
    decayed: bool


@dataclass(frozen=True, slots=True)
class MeasureReport:
    """One joint outcome.

    Attributes:
        name: the container that was asked about.
        state: its state's name.
        outcomes: of every container of its group, itself included.
        probability: that this joint outcome had.
        weak: relations of the group that held with less than 0.9 before, the weakest first. Those that were
            spent before do not count.
    """

    name: str
    state: str
    outcomes: Mapping[str, str]
    probability: float
    weak: tuple[WeakRelation, ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """What `run` measured and did.

    Attributes:
        measured: the outcome that decided.
        started: whether the container was started by this call.
        forced: whether it was started although the outcome said no.
        was_running: whether it ran already.
        stopped: whether it ran and this outcome had it stopped.
        facts: what the engine says afterwards.
        starts_again: whether it has ended and its engine starts it again, as its restart policy says.
        simulated: whether its node is simulated: what is started there is a record, and nothing runs.
    """

    name: str
    measured: MeasureReport
    started: bool
    forced: bool
    was_running: bool
    stopped: bool
    facts: ContainerFacts | None
    starts_again: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class OverriddenOdds:
    """A declared probability that is not in force: that of a container's first state `state`, and what it is
    instead."""

    state: str
    declared: float
    present: float


@dataclass(frozen=True, slots=True)
class EntangleReport:
    """A group after two containers were entangled.

    Attributes:
        first, second, mode: as asked.
        group: names of all containers of the group.
        num_qubits: of the group's register.
        already: whether the relation held before, so that nothing was done.
        probabilities: of every joint outcome of the two with a probability over 1e-12, as
            ``{"running,stopped": 0.5}``.
        note: what the user should know about where the containers are, or about how it is declared; may be
            empty.
        overridden: by name, the containers that have lost their declared odds to this entanglement.
        declared: whether this is a relation that is declared, now or before. False where what was declared
            says it already in other words, so that nothing new is declared.
        through: then, the containers over which the two are related, by name; empty where it is directly.
        decoherence_time_ms, relaxation_time_ms: T2 and T1, with which it fades.
    """

    first: str
    second: str
    mode: Mode
    group: tuple[str, ...]
    num_qubits: int
    already: bool
    probabilities: Mapping[str, float]
    note: str = ""
    overridden: Mapping[str, OverriddenOdds] = field(default_factory=dict)
    declared: bool = True
    through: tuple[str, ...] = ()
    decoherence_time_ms: float = math.inf
    relaxation_time_ms: float = math.inf


@dataclass(frozen=True, slots=True)
class EndedRelation:
    """A relation that is declared no more; `spent`: it had been measured before."""

    first: str
    second: str
    mode: Mode
    spent: bool


@dataclass(frozen=True, slots=True)
class DisentangleReport:
    """Containers that are tied to each other no more.

    Attributes:
        names: as asked.
        ended: the relations that were; empty where there was none.
        joint: groups of which two or more are members as before, until they are measured.
    """

    names: tuple[str, ...]
    ended: tuple[EndedRelation, ...]
    joint: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class GateReport:
    """A gate that was applied, and the probability of each state of each container that it acted on."""

    gate: str
    names: tuple[str, ...]
    probabilities: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class MoveReport:
    """One container that moved, or would."""

    name: str
    source: str | None
    target: str
    reason: str
    done: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class BalanceReport:
    """What a load balancing or rebalancing did, or would do.

    Attributes:
        moves: in the order in which they were made.
        kept: names of containers that stay.
        objective_before, objective_after: value of the placement's objective, move costs left out; None for
            a drain, which is no matter of choice.
        bound: smallest value of objective and move costs together that is proven possible; None when nothing
            is known.
        dry_run: whether nothing was done.
        move_costs: what the moves cost in the objective, not part of `objective_after`.
        stays: by name of each container that was to leave its node, or was named, and is still there: why.
    """

    moves: tuple[MoveReport, ...]
    kept: tuple[str, ...]
    objective_before: float | None
    objective_after: float | None
    bound: float | None
    scheduler: str
    seconds: float
    dry_run: bool
    loads: Mapping[str, Mapping[str, float]]
    """Of every node afterwards: share of cpus, memory and load in use."""
    move_costs: float = 0.0
    stays: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """A cluster that was made: its containers, in the order of its file.

    Attributes:
        note: what the user should know about where the containers are, and what of the file has no effect;
            may be empty.
        overridden: by name, the containers whose declared odds are not those that they have, as others lead.
    """

    name: str
    created: tuple[CreateReport, ...]
    existing: tuple[str, ...]
    entangled: tuple[EntangleReport, ...]
    note: str = ""
    overridden: Mapping[str, OverriddenOdds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeRemovalReport:
    """A node that is no more.

    Attributes:
        removed: names of the containers that went with it.
        incomplete: names of those that are left of each cluster of which it took some with it, by its name.
    """

    name: str
    removed: tuple[str, ...] = ()
    incomplete: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageReport:
    """A message that was delivered: its record, and what the key agreement found.

    Attributes:
        pairs: entangled pairs that were measured.
        compared: bits that both ends compared in the open.
        reason: what the error rate says, in words.
    """

    message: MessageRecord
    pairs: int
    compared: int
    reason: str


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message as its receiver reads it.

    Attributes:
        data: what was sent; None where the message is damaged.
        damaged: why it cannot be trusted, and then its other fields cannot either; empty when it is whole.
    """

    id: str
    sender: str
    receiver: str
    type: str
    data: Any
    error_rate: float
    listened: bool
    sent_at: float
    read_before: bool
    damaged: str = ""


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What maintenance found and mended, by container name or engine id.

    Attributes:
        adopted: found by their labels and not in the database, since the maintenance before or the start of
            the engine. Their registers are as declared: relations and outcomes are gone.
    """

    prepared_again: tuple[str, ...]
    restarted: tuple[str, ...]
    adopted: tuple[str, ...]
    made_again: tuple[str, ...]
    removed: tuple[str, ...]
    finished: tuple[str, ...]
    unreachable: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelationView:
    """A declared relation, as one of its two containers has it.

    Attributes:
        other: name of the other one.
        follows: whether it follows the other, which else follows it.
        spent: whether it was measured: nothing ties the states, but placement goes by it, and maintenance
            puts it into force again.
        holds: probability that it would be found to hold, were both measured at this moment; None where it is
            spent.
    """

    other: str
    mode: Mode
    follows: bool
    spent: bool
    holds: float | None = None


@dataclass(frozen=True, slots=True)
class ContainerView:
    """A container as `ps` and `inspect` show it.

    Attributes:
        facts: what its engine says; None when it has none, or the node does not answer, or it is `missing`.
        node: its node's record; None while it waits.
        probabilities: of its states at this moment, measured by nobody.
        group: names of the containers that share its register, itself included.
        purity: tr ρ² of its group's register. None in a list, and where the register is too large to tell.
        coherence_bits: relative entropy of coherence of its group's register; None likewise.
        missing: whether the node answers and has no such container.
        simulator: name of what computes its group's register.
        relations: that it was declared to have; empty in a list.
    """

    record: ContainerRecord
    facts: ContainerFacts | None
    node: NodeRecord | None
    probabilities: Mapping[str, float]
    group: tuple[str, ...]
    num_qubits: int
    purity: float | None = None
    coherence_bits: float | None = None
    missing: bool = False
    simulator: str = "qrealm"
    relations: tuple[RelationView, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node and what of it is taken: shares of cpus and memory, containers, and their load as a placement
    counts it; why it did not answer when it was asked last; and what the limits of cpus there may add up
    to."""

    record: NodeRecord
    containers: int
    cpus_taken: float
    memory_taken_bytes: int
    load: float
    error: str = ""
    cpus_allowed: float = 0.0
