"""`NoiseModel`: rules that say which noise goes with which operation, and `apply`, which writes it into a
circuit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from qrealm.base.errors import ChannelError, RequestError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate, find_gate
from qrealm.circuits.noise import record
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.channels import thermal_relaxation
from qrealm.circuits.noise.compiling import measured
from qrealm.circuits.noise.naming import can_have
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.noise.rules import (
    AFTER_MEASUREMENT,
    AFTER_PREPARATION,
    AFTER_RESET,
    BEFORE_MEASUREMENT,
    GateRule,
    Idling,
    PointRule,
    Qubits,
    ReadoutGroup,
    TimeKey,
    Wiring,
    scaled_idling,
)
from qrealm.circuits.noise.writing import NoiseWriter, Rules
from qrealm.circuits.transform import rebuilt

if TYPE_CHECKING:
    from qrealm.circuits.noise.device import Device

Names = str | Iterable[str]


class NoiseModel:
    """Noise by rules. Every method that adds one returns the model, so calls chain::

    noise = NoiseModel().after_gates(depolarizing(0.01, 2), "cx").readout(ReadoutError.flips(0.02, 0.03))
    """

    __slots__ = ("_rules", "name")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._rules = Rules()

    # ---- rules -----------------------------------------------------------------------------------

    def after_gates(
        self,
        channel: Channel,
        gates: Names | None = None,
        qubits: Iterable[int] | None = None,
        *,
        min_qubits: int | None = None,
    ) -> Self:
        """Put a channel after gates; several rules for one gate act in the order in which they were added.

        Args:
            channel: on as many qubits as the gates have; a channel on one qubit acts on each qubit of wider
                gates that `gates` or `qubits` name.
            gates: names; every gate of the channel's size when None.
            qubits: only on these, in this order; on any when None.
            min_qubits: only after gates on so many qubits or more; a channel on one qubit then acts on each
                of theirs.

        Raises:
            UnknownGateError: a name that is not in the gate table.
            ChannelError: no channel; or the channel, the named gates and the qubits are not as wide as one
                another, so that the rule would never act.
        """
        _check_channel(channel, "after_gates")
        wires = None if qubits is None else _wires(qubits, channel.name)
        if wires is not None and channel.num_qubits not in (1, len(wires)):
            raise ChannelError(
                f"the channel {channel.name!r} on {channel.num_qubits} qubits cannot follow gates on "
                f"{list(wires)}; the rule is as many, or 1"
            )
        named = _gates(gates)
        for gate in named or ():
            _check_width(channel, gate, wires)
        if min_qubits is not None and (not isinstance(min_qubits, int) or min_qubits < 1):
            raise ChannelError(f"after_gates got min_qubits={min_qubits!r:.40}; the rule is at least 1")
        return self._with_gate_rule(GateRule(channel, _names(named), wires, size_min=min_qubits))

    def crosstalk(
        self,
        channel: Channel,
        qubits: Iterable[int],
        spectators: Iterable[int],
        gates: Names | None = None,
    ) -> Self:
        """While a gate runs on some qubits, a channel acts on others, which look on.

        Args:
            channel: on all spectators together (such as `zz_phase` on a pair), or on one: then on each.
            qubits: of the gate, in any order.
            spectators: where the channel acts; qubits of the gate may be among them.
            gates: names; every gate on these qubits when None.

        Raises:
            ChannelError: no channel; the channel is wider than the spectators; a named gate never has as many
                qubits.
        """
        _check_channel(channel, "crosstalk")
        there = _wires(spectators, channel.name)
        if channel.num_qubits not in (1, len(there)):
            raise ChannelError(
                f"the channel {channel.name!r} on {channel.num_qubits} qubits cannot act on the spectators "
                f"{list(there)}; the rule is as many, or 1"
            )
        wires, named = _wires(qubits, channel.name), _gates(gates)
        for gate in named or ():
            _check_qubits(channel, gate, wires)
        return self._with_gate_rule(GateRule(channel, _names(named), wires, there))

    def before_measurement(self, channel: Channel, qubits: Iterable[int] | None = None) -> Self:
        """A channel on one qubit before each measurement: of these qubits, or of all."""
        return self._with_point(channel, BEFORE_MEASUREMENT, qubits)

    def after_measurement(self, channel: Channel, qubits: Iterable[int] | None = None) -> Self:
        """A channel on one qubit after each measurement that something follows."""
        return self._with_point(channel, AFTER_MEASUREMENT, qubits)

    def after_reset(self, channel: Channel, qubits: Iterable[int] | None = None) -> Self:
        """A channel on one qubit after each reset."""
        return self._with_point(channel, AFTER_RESET, qubits)

    def after_preparation(self, channel: Channel, qubits: Iterable[int] | None = None) -> Self:
        """A channel on one qubit at the start of the circuit and after every `initialize`."""
        return self._with_point(channel, AFTER_PREPARATION, qubits)

    def readout(self, error: ReadoutError, qubits: Iterable[int] | None = None) -> Self:
        """Misread measured bits.

        Args:
            error: of one bit, or of a group of up to 6 qubits that are read together.
            qubits: an error of one bit holds for each of them, for all that have none of their own when None.
                One of k bits needs exactly k, its least significant bit's first.

        Raises:
            ChannelError: the numbers do not agree.
        """
        if not isinstance(error, ReadoutError):
            raise ChannelError(
                f"readout got {error!r:.60} as its error; the rule is a ReadoutError",
                hint="ReadoutError.flips(0.02, 0.03) misreads one bit",
            )
        wires = None if qubits is None else _wires(qubits, error.name)
        if error.num_bits > 1:
            if wires is None or len(wires) != error.num_bits:
                raise ChannelError(
                    f"the readout error {error.name!r} on {error.num_bits} bits got the qubits "
                    f"{None if wires is None else list(wires)}; the rule is as many as it reads"
                )
            groups = (*self._rules.groups, ReadoutGroup(error, wires))
            named = [qubit for group in groups for qubit in group.qubits]
            if len(set(named)) != len(named):
                raise ChannelError(f"the readout error {error.name!r} reads a qubit of another group")
            self._rules = replace(self._rules, groups=groups)
            return self
        added: dict[int | None, ReadoutError] = (
            {None: error} if wires is None else dict.fromkeys(wires, error)
        )
        self._rules = replace(self._rules, readout={**self._rules.readout, **added})
        return self

    def idle(
        self,
        t1_ns: float | Sequence[float],
        t2_ns: float | Sequence[float],
        gate_times_ns: Mapping[Any, float],
        *,
        measure_ns: float = 0.0,
        reset_ns: float = 0.0,
        excited_population: float = 0.0,
        dt_ns: float | None = None,
    ) -> Self:
        """Qubits that wait, while others work or in a `Circuit.delay`, relax.

        Every operation begins as soon as its qubits are free; final measurements begin together, after the
        last gate. Qubits that nothing has acted on stay in |0>.

        Args:
            t1_ns, t2_ns: relaxation and coherence time in nanoseconds; one number, or one for each qubit.
            gate_times_ns: nanoseconds by gate name, by (name, qubits), or by number of qubits. Diagonal gates
                on one qubit that are not named take no time.
            measure_ns, reset_ns: how long these take.
            excited_population: share of |1> in thermal equilibrium.
            dt_ns: a cycle of the device's clock, for delays that are counted in them.

        Raises:
            ChannelError: a time that is out of range, T2 > 2 T1, or lists of different lengths.
        """
        first, second = _times(t1_ns), _times(t2_ns)
        if len(first) != len(second) or not first:
            raise ChannelError(
                f"idle noise got {len(first)} times T1 and {len(second)} times T2; the rule is one for each "
                "qubit, or one for all"
            )
        for each in zip(first, second, strict=True):
            thermal_relaxation(*each, 1.0, excited_population)
        checked = {_time_key(key): _time(value, str(key)) for key, value in gate_times_ns.items()}
        idling = Idling(
            first,
            second,
            checked,
            _time(measure_ns, "measure_ns"),
            _time(reset_ns, "reset_ns"),
            float(excited_population),
            None if dt_ns is None else _time(dt_ns, "dt_ns"),
        )
        self._rules = replace(self._rules, idling=idling)
        return self

    # ---- from elsewhere --------------------------------------------------------------------------

    @classmethod
    def from_device(cls, device: Device | str, *, idle: bool = True) -> NoiseModel:
        """The noise of a device: relaxation over each gate's time, depolarisation up to the gate's stated
        error, relaxation while idle, readout errors.

        Args:
            device: a `Device`, or the name of a preset (`qrealm.circuits.noise.PRESETS`).
            idle: whether waiting qubits relax.

        Raises:
            ChannelError: no preset of this name, or figures that are out of range.
        """
        from qrealm.circuits.noise.device import model_of

        return model_of(device, idle=idle)

    @classmethod
    def from_aer(cls, model: Any) -> NoiseModel:
        """The rules of a `qiskit_aer.noise.NoiseModel`.

        Names that mean one gate here are one: an error on `u3` acts after `u` too, one on `u1` after `p`.

        Raises:
            MissingExtraError: qiskit-aer is not installed.
            ChannelError: it has errors on operations that have no counterpart; the message names them.
        """
        from qrealm.circuits.noise.aer import read_aer

        return read_aer(model)

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> NoiseModel:
        """What `to_dict` made.

        Raises:
            SchemaError: it is something else.
            ChannelError: its numbers are no physical noise.
        """
        name, rules = record.read_rules(source)
        model = cls(name)
        model._rules = rules
        return model

    def to_dict(self) -> dict[str, Any]:
        """All rules as values that JSON has; complex numbers as [real, imaginary]."""
        return record.rules_record(self.name, self._rules)

    # ---- use -------------------------------------------------------------------------------------

    @property
    def wiring(self) -> Wiring | None:
        """The device that it is the noise of: its qubits, couplings and gate on two of them; else None."""
        return self._rules.wiring

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with its noise written into it. With readout errors, a circuit that measures nothing
        gets measurements of all qubits at its end.

        Raises:
            ChannelError: the rules do not fit the circuit: a qubit that it does not have, a gate that a
                device lacks or whose time is not known, a readout group that is measured in parts.
        """
        instructions = circuit.instructions
        if self._rules.readout or self._rules.groups:
            circuit = measured(circuit)
            instructions = circuit.instructions
        return rebuilt(circuit, NoiseWriter(self._rules, circuit.num_qubits).written(instructions))

    def scaled(self, factor: float, *, readout: bool = False) -> NoiseModel:
        """The same noise, `factor` times as strong: every channel to that power, waiting times as long.

        Args:
            factor: 0 or more; 0 is no noise, 1 this model.
            readout: whether readout errors are scaled too, by the power of their matrices.

        Raises:
            ChannelError: a channel to this power is none, such as bit_flip(0.7) to 1/2; the message names it.
        """
        rules = self._rules
        model = NoiseModel(self.name)
        errors = dict(rules.readout)
        groups = rules.groups
        if readout:
            errors = {qubit: error.power(factor) for qubit, error in errors.items()}
            groups = tuple(replace(group, error=group.error.power(factor)) for group in groups)
        model._rules = replace(
            rules,
            gates=tuple(replace(rule, channel=rule.channel.power(factor)) for rule in rules.gates),
            points=tuple(replace(rule, channel=rule.channel.power(factor)) for rule in rules.points),
            readout=errors,
            groups=groups,
            idling=None if rules.idling is None else scaled_idling(rules.idling, factor),
        )
        return model

    def describe(self) -> str:
        """The rules in words, one line each."""
        rules = self._rules
        lines = [rule.describe() for rule in rules.gates]
        lines += [rule.describe() for rule in rules.points]
        lines += [group.describe() for group in rules.groups]
        if rules.idling is not None:
            lines.append(rules.idling.describe())
        for qubit, error in rules.readout.items():
            who = "all other qubits" if qubit is None and len(rules.readout) > 1 else "all qubits"
            where = who if qubit is None else f"qubit {qubit}"
            up, down = error.assignment[1, 0], error.assignment[0, 1]
            lines.append(f"readout of {where}: 1 for 0 with {up:.3g}, 0 for 1 with {down:.3g}")
        title = f"noise model {self.name!r}" if self.name else "noise model"
        return "\n".join([f"{title}: {_counted(len(lines), 'rule')}", *(f"  {line}" for line in lines)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoiseModel) and self._rules == other._rules

    __hash__ = None  # type: ignore[assignment]  # rules can be added

    def __repr__(self) -> str:
        rules = self._rules
        count = len(rules.gates) + len(rules.points) + len(rules.groups) + len(rules.readout)
        count += rules.idling is not None
        return f"<NoiseModel{f' {self.name!r}' if self.name else ''}: {_counted(count, 'rule')}>"

    # ---- inside ----------------------------------------------------------------------------------

    def _with_gate_rule(self, rule: GateRule) -> Self:
        self._rules = replace(self._rules, gates=(*self._rules.gates, rule))
        return self

    def _with_point(self, channel: Channel, point: str, qubits: Iterable[int] | None) -> Self:
        _check_channel(channel, f"noise {point}")
        if channel.num_qubits != 1:
            raise ChannelError(
                f"the channel {channel.name!r} {point} acts on {channel.num_qubits} qubits; the rule is 1"
            )
        where = None if qubits is None else frozenset(_wires(qubits, channel.name))
        self._rules = replace(self._rules, points=(*self._rules.points, PointRule(channel, point, where)))
        return self


def model_from(noise: object) -> NoiseModel:
    """A model, a `Device` or the name of a preset, as a model. Raises RequestError for anything else."""
    from qrealm.circuits.noise.device import Device

    return NoiseModel.from_device(noise) if isinstance(noise, Device | str) else checked_model(noise)


def checked_model(noise: object) -> NoiseModel:
    """What came as `noise` to a run. Raises RequestError when it is no `NoiseModel`."""
    if isinstance(noise, NoiseModel):
        return noise
    raise RequestError(
        f"noise got {noise!r:.60}; the rule is a NoiseModel, or None",
        hint="NoiseModel().after_gates(depolarizing(0.01)), or NoiseModel.from_device(name)",
    )


def _gates(names: Names | None) -> tuple[Gate, ...] | None:
    if names is None:
        return None
    return tuple(find_gate(each) for each in ([names] if isinstance(names, str) else names))


def _names(gates: tuple[Gate, ...] | None) -> frozenset[str] | None:
    return None if gates is None else frozenset(gate.name for gate in gates)


def _check_channel(channel: object, where: str) -> None:
    if not isinstance(channel, Channel):
        raise ChannelError(
            f"{where} got {channel!r:.60} as its channel; the rule is a Channel",
            hint="qrealm.circuits.noise makes them: depolarizing(0.01), depolarizing(0.01, 2), bit_flip(0.1)",
        )


def _check_width(channel: Channel, gate: Gate, wires: Qubits | None) -> None:
    """Refuses a rule that would never act."""
    if wires is not None:
        _check_qubits(channel, gate, wires)
        return
    size = channel.num_qubits
    wider = gate.variadic or gate is UNITARY
    if size == 1 or size == gate.num_qubits or (wider and can_have(gate, size)):
        return
    raise ChannelError(
        f"the channel {channel.name!r} on {_counted(size, 'qubit')} cannot follow the gate {gate.name}, "
        f"which is on {_counted(gate.num_qubits, 'qubit')}{' or more' if wider else ''}; the rule "
        "is as many, or 1"
    )


def _check_qubits(channel: Channel, gate: Gate, wires: Qubits) -> None:
    if not can_have(gate, len(wires)):
        raise ChannelError(
            f"the rule for the channel {channel.name!r} names the gate {gate.name} and the qubits "
            f"{list(wires)}; {gate.name} is on {_counted(gate.num_qubits, 'qubit')}",
            hint="`qubits` are those of one gate, in order; add a rule for each",
        )


def _wires(qubits: Iterable[int], what: str) -> Qubits:
    try:
        wires = tuple(qubits)
    except TypeError:
        wires = ("",)  # type: ignore[assignment]
    if not wires or any(not isinstance(q, int) or q < 0 for q in wires) or len(set(wires)) != len(wires):
        raise ChannelError(
            f"the noise {what!r} got the qubits {qubits!r:.60}; the rule is different integers from 0"
        )
    return wires


def _times(values: float | Sequence[float]) -> tuple[float, ...]:
    return tuple(float(v) for v in values) if isinstance(values, Iterable) else (float(values),)


def _time_key(key: Any) -> TimeKey:
    if isinstance(key, int):
        return key
    if isinstance(key, str):
        return find_gate(key).name
    name, qubits = key
    return (find_gate(name).name if name else "", tuple(qubits))


def _time(value: float, what: str) -> float:
    if not (isinstance(value, int | float) and 0 <= value < math.inf):
        raise ChannelError(f"idle noise got the time {value!r:.40} ns for {what}; the rule is 0 or more")
    return float(value)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
