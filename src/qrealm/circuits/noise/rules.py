"""The rules of a `NoiseModel`: frozen values that say which channel goes where."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from qrealm.base.errors import ChannelError
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.channels import thermal_relaxation
from qrealm.circuits.noise.naming import names_for
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.operations import DELAY, DELAYS
from qrealm.circuits.parameters import ParameterExpression

Qubits = tuple[int, ...]
TimeKey = tuple[str, Qubits] | str | int
"""A gate on certain qubits ("" for any gate), a gate, or all gates on so many qubits."""

BEFORE_MEASUREMENT, AFTER_MEASUREMENT = "before measurement", "after measurement"
AFTER_RESET, AFTER_PREPARATION = "after reset", "after preparation"
POINTS = (BEFORE_MEASUREMENT, AFTER_MEASUREMENT, AFTER_RESET, AFTER_PREPARATION)


@dataclass(frozen=True, slots=True)
class GateRule:
    """A channel after some gates.

    Attributes:
        channel: on as many qubits as the gate, or on one, which then acts on each of the gate's qubits.
        gates: names of gates; None for all of a fitting size.
        qubits: the gate's qubits, in order; None for any.
        spectators: where the channel acts instead, for crosstalk; the gate's qubits may then come in any
            order.
        excluded: qubits, in order, of gates that the rule leaves alone.
        virtual_free: whether diagonal gates on one qubit, which are changes of a clock, are left alone.
        size: only gates on so many qubits.
        size_min: only gates on so many qubits or more; a channel on one qubit then acts on each.
        positions: which of the gate's qubits the channel acts on; None for all.
    """

    channel: Channel
    gates: frozenset[str] | None = None
    qubits: Qubits | None = None
    spectators: Qubits | None = None
    excluded: frozenset[Qubits] = frozenset()
    virtual_free: bool = False
    size: int | None = None
    positions: Qubits | None = None
    size_min: int | None = None

    def on(self, gate: Gate, qubits: Qubits) -> list[Qubits]:
        """Where the channel acts after a gate: nowhere, once, or on each qubit."""
        if self.gates is None and gate in DELAYS:
            return []  # a wait is no gate that someone carries out
        if self.gates is not None and self.gates.isdisjoint(names_for(gate, len(qubits))):
            return []
        if self.size is not None and len(qubits) != self.size:
            return []
        if self.size_min is not None and len(qubits) < self.size_min:
            return []
        if qubits in self.excluded or (self.virtual_free and is_virtual(gate, qubits)):
            return []
        if self.spectators is not None:
            same = self.qubits is None or sorted(qubits) == sorted(self.qubits)
            return _spread(self.channel, self.spectators) if same else []
        if self.qubits is not None and qubits != self.qubits:
            return []
        if self.positions is not None:
            return [tuple(qubits[place] for place in self.positions)]
        named = self.gates is not None or self.qubits is not None or self.size_min is not None
        if self.channel.num_qubits == len(qubits) or (self.channel.num_qubits == 1 and named):
            return _spread(self.channel, qubits)
        return []

    def describe(self) -> str:
        """One line for people."""
        gates = "gates" if self.gates is None else ", ".join(sorted(self.gates))
        if self.gates is None and self.spectators is None and self.qubits is None:
            gates = f"gates on {_counted(self.size or self.size_min or self.channel.num_qubits)}"
            gates += " or more" if self.size_min is not None else ""
        elif self.size_min is not None:
            gates += f" on {_counted(self.size_min)} or more"
        where = "" if self.qubits is None else f" on {_listed(self.qubits)}"
        there = "" if self.spectators is None else f", on the spectators {_listed(self.spectators)}"
        if self.positions is not None:
            there = f", on position {', '.join(map(str, self.positions))}"
        return f"after {gates}{where}: {told(self.channel)}{there}"


@dataclass(frozen=True, slots=True)
class PointRule:
    """A channel on a qubit before or after something that is no gate.

    Attributes:
        channel: on one qubit.
        point: one of `POINTS`.
        qubits: on these; None for all.
    """

    channel: Channel
    point: str
    qubits: frozenset[int] | None = None

    def describe(self) -> str:
        """One line for people."""
        where = "" if self.qubits is None else f" of {_listed(tuple(sorted(self.qubits)))}"
        return f"{self.point}{where}: {told(self.channel)}"


@dataclass(frozen=True, slots=True)
class ReadoutGroup:
    """A detector that reads several qubits at once, its faults depending on one another."""

    error: ReadoutError
    qubits: Qubits

    def describe(self) -> str:
        """One line for people."""
        return f"readout of {_listed(self.qubits)}: {self.error.name} on {self.error.num_bits} bits"


@dataclass(frozen=True, slots=True)
class Idling:
    """Relaxation of qubits that wait, from the times that everything takes.

    Attributes:
        t1_ns, t2_ns: of each qubit in nanoseconds; one entry stands for all.
        gate_times_ns: by gate name and qubits, by name, or by number of qubits.
        measure_ns, reset_ns: how long these take.
        excited_population: share of |1> in thermal equilibrium.
        dt_ns: a cycle of the device's clock, for delays that are counted in them; None where not known.
        delays_only: whether qubits relax during delays alone, and no time of a gate is asked for.
    """

    t1_ns: tuple[float, ...]
    t2_ns: tuple[float, ...]
    gate_times_ns: Mapping[TimeKey, float]
    measure_ns: float = 0.0
    reset_ns: float = 0.0
    excited_population: float = 0.0
    dt_ns: float | None = None
    delays_only: bool = False
    _made: dict[tuple[int, float], Channel] = field(default_factory=dict, compare=False, repr=False)

    def duration_ns(self, gate: Gate, qubits: Qubits) -> float:
        """How long a gate takes; a diagonal gate on one qubit takes none, unless it is named.

        Raises:
            ChannelError: nobody has said.
        """
        times = self.gate_times_ns
        for name in sorted(names_for(gate, len(qubits))):
            named: tuple[TimeKey, ...] = ((name, qubits), name)
            for key in named:
                if key in times:
                    return times[key]
        if is_virtual(gate, qubits) or not qubits:
            return 0.0
        rest: tuple[TimeKey, ...] = (("", qubits), len(qubits))
        for other in rest:
            if other in times:
                return times[other]
        raise ChannelError(
            f"idle noise got the gate {gate.name} on {_listed(qubits)}, whose time is not given",
            hint=f'name it in gate_times_ns: {{"{gate.name}": 50.0}}, or {{{len(qubits)}: 50.0}} for all '
            f"gates on {_counted(len(qubits))}",
        )

    def delay_ns(self, delay: Gate, qubits: Qubits, duration: object) -> float:
        """How long a delay is.

        Raises:
            ChannelError: below 0, an open parameter, or in cycles of a clock that is not known.
        """
        if isinstance(duration, ParameterExpression):
            raise ChannelError(
                f"idle noise got a delay on {_listed(qubits)} of the time {duration}; the rule is a number",
                hint="bind the circuit's parameters first: circuit.bind({...})",
            )
        time = float(duration)  # type: ignore[arg-type]
        if not 0 <= time < math.inf:
            raise ChannelError(
                f"idle noise got a delay on {_listed(qubits)} of the time {time}; the rule is 0 or more"
            )
        if delay is DELAY:
            return time
        if self.dt_ns is None:
            raise ChannelError(
                f"idle noise got a delay of {time:g} dt on {_listed(qubits)}, and does not know how "
                "long a dt is",
                hint="write the delay in ns, or tell: NoiseModel().idle(..., dt_ns=0.222)",
            )
        return time * self.dt_ns

    def channel(self, qubit: int, time_ns: float) -> Channel:
        """What waiting does to a qubit.

        Raises:
            ChannelError: the model does not know the qubit.
        """
        place = 0 if len(self.t1_ns) == 1 else qubit
        if place >= len(self.t1_ns):
            raise ChannelError(
                f"idle noise got qubit {qubit}; T1 and T2 are given for {len(self.t1_ns)} qubits"
            )
        key = (place, time_ns)
        if key not in self._made:
            t1, t2 = self.t1_ns[place], self.t2_ns[place]
            made = thermal_relaxation(t1, t2, time_ns, self.excited_population)
            self._made[key] = Channel(made.kraus, "idle")
        return self._made[key]

    def describe(self) -> str:
        """One line for people."""
        low, high = min(self.t1_ns), max(self.t1_ns)
        t1 = f"{low:g} ns" if low == high else f"{low:g} to {high:g} ns"
        low, high = min(self.t2_ns), max(self.t2_ns)
        t2 = f"{low:g} ns" if low == high else f"{low:g} to {high:g} ns"
        when = "during delays" if self.delays_only else "while idle"
        return f"{when}: relaxation with T1 {t1}, T2 {t2}"


PAIR_GATES = ("cx", "cz", "ecr", "rxx")
"""What a device can have on two qubits; `rxx` by pi/2, a Mølmer-Sørensen gate."""


def check_pair_gate(name: object) -> str:
    """The name of a gate that circuits can be compiled to. Raises ChannelError."""
    if name in PAIR_GATES:
        return str(name)
    raise ChannelError(
        f"a device got the gate {name!r:.40} on two qubits; the rule is one of {', '.join(PAIR_GATES)}"
    )


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a device can do: gates elsewhere are refused, since no noise is known for them.

    Attributes:
        device: its name.
        num_qubits: its qubits.
        pairs: qubits, ascending, between which it has gates; None for all.
        pair_gate: what these are; circuits are compiled to it.
    """

    device: str
    num_qubits: int
    pairs: frozenset[tuple[int, int]] | None
    pair_gate: str = "cx"

    def check(self, gate: Gate, qubits: Qubits) -> None:
        """Raises ChannelError where the device has no such gate."""
        if any(qubit >= self.num_qubits for qubit in qubits):
            raise ChannelError(
                f"{gate.name} on {_listed(qubits)}: the device {self.device} has qubits 0 to "
                f"{self.num_qubits - 1}"
            )
        if len(qubits) > 2:
            raise ChannelError(
                f"{gate.name} on {_listed(qubits)}: the device {self.device} has gates on one and two qubits",
                hint="compile the circuit first: device.compiled(circuit).circuit",
            )
        pair = tuple(sorted(qubits))
        if len(pair) == 2 and self.pairs is not None and pair not in self.pairs:
            raise ChannelError(
                f"{gate.name} on {_listed(qubits)}: the device {self.device} does not couple them",
                hint="compile the circuit first: device.compiled(circuit).circuit; coupled are "
                + ", ".join(f"{a}-{b}" for a, b in sorted(self.pairs)[:20]),
            )


def scaled_idling(idling: Idling, factor: float) -> Idling:
    """Waiting does `factor` times as much: as if both times were shorter by it."""
    if factor == 0:
        endless = tuple(math.inf for _ in idling.t1_ns)
        return replace(idling, t1_ns=endless, t2_ns=endless, _made={})
    t1, t2 = (tuple(each / factor for each in times) for times in (idling.t1_ns, idling.t2_ns))
    return replace(idling, t1_ns=t1, t2_ns=t2, _made={})


def is_virtual(gate: Gate, qubits: Qubits) -> bool:
    """Whether a gate is only a change of a qubit's clock."""
    return gate.diagonal and len(qubits) == 1


def told(channel: Channel) -> str:
    """A channel in words: its name and how much it harms."""
    return f"{channel.name} on {_counted(channel.num_qubits)}, average error {_loss(channel):.3g}"


def _loss(channel: Channel) -> float:
    return max(0.0, 1.0 - channel.average_fidelity())


def _spread(channel: Channel, qubits: Qubits) -> list[Qubits]:
    return [qubits] if channel.num_qubits == len(qubits) else [(qubit,) for qubit in qubits]


def _listed(qubits: Qubits) -> str:
    return f"qubit {qubits[0]}" if len(qubits) == 1 else "qubits " + ", ".join(map(str, qubits))


def _counted(number: int) -> str:
    return "1 qubit" if number == 1 else f"{number} qubits"
