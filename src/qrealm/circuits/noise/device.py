"""`Device`: the published figures of a quantum computer, and the noise that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qrealm.base.errors import ChannelError
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.channels import depolarizing, thermal_relaxation
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.noise.rules import GateRule, Idling, Qubits, TimeKey, Wiring, check_pair_gate
from qrealm.circuits.noise.writing import Rules

if TYPE_CHECKING:
    from qrealm.circuits.circuit import Circuit
    from qrealm.circuits.noise.compiling import CompiledCircuit
    from qrealm.circuits.noise.model import NoiseModel


@dataclass(frozen=True, slots=True)
class Device:
    """Figures of a device. Tuples have one entry for each qubit. Errors are average gate infidelities, as
    randomised benchmarking gives them.

    Attributes:
        name: what errors and models call it.
        t1_ns, t2_ns: relaxation and coherence times in nanoseconds; math.inf where none is known.
        gate_ns: time of a gate on one qubit. Diagonal gates are changes of a clock: no time, no error.
        gate_error: error of a gate on one qubit.
        pair_ns: (control, target) -> time of a gate on two qubits; ``None`` as a key stands for all pairs. A
            pair that is given in one order has the same figures in the other.
        pair_error: the same, errors.
        read_1_given_0, read_0_given_1: probabilities of the detector's mistakes.
        measure_ns, reset_ns: how long these take.
        excited_population: share of |1> in thermal equilibrium.
        source: where the figures are from.
        pair_gate: its gate on two qubits: cx, cz, ecr, or rxx (by pi/2); what `compiled` writes.

    Raises:
        ChannelError: a figure is out of range, or there is not one for each qubit; it names the device.
    """

    name: str
    t1_ns: tuple[float, ...]
    t2_ns: tuple[float, ...]
    gate_ns: tuple[float, ...]
    gate_error: tuple[float, ...]
    pair_ns: Mapping[Qubits | None, float]
    pair_error: Mapping[Qubits | None, float]
    read_1_given_0: tuple[float, ...]
    read_0_given_1: tuple[float, ...]
    measure_ns: float = 0.0
    reset_ns: float = 0.0
    excited_population: float = 0.0
    source: str = field(default="", compare=False)
    pair_gate: str = "cx"

    def __post_init__(self) -> None:
        check_pair_gate(self.pair_gate)
        count = len(self.t1_ns)
        for what in ("t2_ns", "gate_ns", "gate_error", "read_1_given_0", "read_0_given_1"):
            if len(getattr(self, what)) != count:
                raise ChannelError(
                    f"the device {self.name!r} has {count} qubits and {len(getattr(self, what))} figures for "
                    f"{what}; the rule is one for each qubit"
                )
        if set(self.pair_ns) != set(self.pair_error):
            raise ChannelError(
                f"the device {self.name!r} gives times and errors of different pairs; the rule is the same"
            )
        for pair in self.pair_ns:
            if pair is not None and (len(pair) != 2 or not all(0 <= q < count for q in pair)):
                raise ChannelError(
                    f"the device {self.name!r} has the pair {pair}; its qubits are 0 to {count - 1}"
                )

        self._check_figures()

    def _check_figures(self) -> None:
        for qubit, (t1, t2) in enumerate(zip(self.t1_ns, self.t2_ns, strict=True)):
            if not (t1 > 0 and t2 > 0 and t2 <= 2 * t1 * (1 + 1e-12)):
                raise ChannelError(
                    f"the device {self.name!r} has T1 = {t1:g} ns and T2 = {t2:g} ns for qubit {qubit}; the "
                    "rule is more than 0, and T2 <= 2 T1"
                )
        for what in ("gate_error", "read_1_given_0", "read_0_given_1"):
            for qubit, value in enumerate(getattr(self, what)):
                self._check(value, f"{what} of qubit {qubit}", 1.0)
        for qubit, value in enumerate(self.gate_ns):
            self._check(value, f"gate_ns of qubit {qubit}", math.inf)
        for pair, value in self.pair_error.items():
            self._check(value, f"pair_error of {'all pairs' if pair is None else pair}", 1.0)
        for pair, value in self.pair_ns.items():
            self._check(value, f"pair_ns of {'all pairs' if pair is None else pair}", math.inf)
        self._check(self.measure_ns, "measure_ns", math.inf)
        self._check(self.reset_ns, "reset_ns", math.inf)
        self._check(self.excited_population, "excited_population", 1.0)

    def _check(self, value: float, what: str, most: float) -> None:
        if 0 <= value <= most and math.isfinite(value):
            return
        rule = "a probability, 0 to 1" if most == 1.0 else "0 or more"
        raise ChannelError(f"the device {self.name!r} has {value!r} as {what}; the rule is {rule}")

    @property
    def num_qubits(self) -> int:
        """Number of its qubits."""
        return len(self.t1_ns)

    @property
    def coupling(self) -> frozenset[tuple[int, int]] | None:
        """Pairs of qubits, ascending, that have gates; None for all."""
        if None in self.pair_ns:
            return None
        return frozenset((min(pair), max(pair)) for pair in self.pair_ns if pair is not None)

    def compiled(self, circuit: Circuit) -> CompiledCircuit:
        """A circuit in the device's gates: RZ, SX and X on one qubit, `pair_gate` on coupled pairs, with
        swaps where qubits are not coupled; up to a global phase.

        Neighbouring gates on one or two qubits are merged, and written with as few gates as can be. Gates
        with open parameters stay as rotations. States to start from become gates.

        Raises:
            ChannelError: the circuit has more qubits than the device, no couplings lead from one qubit to
                another that it must meet, or a gate's open parameters have to be bound first.
        """
        from qrealm.circuits.noise.compiling import compiled

        return compiled(circuit, self._wiring())

    def _wiring(self) -> Wiring:
        return Wiring(self.name, self.num_qubits, self.coupling, self.pair_gate)

    def _both_ways(self) -> dict[Qubits | None, tuple[float, float]]:
        """(time, error) of every pair in both orders."""
        found = {pair: (time_ns, self.pair_error[pair]) for pair, time_ns in self.pair_ns.items()}
        for pair, figures in list(found.items()):
            if pair is not None:
                found.setdefault(pair[::-1], figures)
        return found

    @classmethod
    def uniform(
        cls,
        name: str,
        num_qubits: int,
        *,
        t1_ns: float,
        t2_ns: float,
        gate_ns: float,
        gate_error: float,
        pair_ns: float,
        pair_error: float,
        read_1_given_0: float,
        read_0_given_1: float,
        coupling: frozenset[tuple[int, int]] | None = None,
        measure_ns: float = 0.0,
        reset_ns: float = 0.0,
        source: str = "",
        pair_gate: str = "cx",
    ) -> Device:
        """A device all of whose qubits are alike; `coupling` names the pairs with gates, None for all."""
        pairs: list[Qubits | None] = [None]
        if coupling is not None:
            pairs = [each for a, b in sorted(coupling) for each in ((a, b), (b, a))]
        return cls(
            name,
            (t1_ns,) * num_qubits,
            (t2_ns,) * num_qubits,
            (gate_ns,) * num_qubits,
            (gate_error,) * num_qubits,
            dict.fromkeys(pairs, pair_ns),
            dict.fromkeys(pairs, pair_error),
            (read_1_given_0,) * num_qubits,
            (read_0_given_1,) * num_qubits,
            measure_ns,
            reset_ns,
            source=source,
            pair_gate=pair_gate,
        )


def model_of(device: Device | str, *, idle: bool) -> NoiseModel:
    """See `NoiseModel.from_device`."""
    from qrealm.circuits.noise.model import NoiseModel
    from qrealm.circuits.noise.presets import preset

    found = preset(device) if isinstance(device, str) else device
    rules: list[GateRule] = []
    for qubit in range(found.num_qubits):
        relax = _relaxation(found, qubit, found.gate_ns[qubit])
        error = found.gate_error[qubit]
        rest = missing_depolarisation((relax,), error, f"a gate on qubit {qubit} of {found.name}")
        rules += [GateRule(channel, None, (qubit,), virtual_free=True) for channel in _worth_it(relax, rest)]
    for pair, (time_ns, error) in found._both_ways().items():
        rules += _pair_rules(found, pair, time_ns, error)
    model = NoiseModel(found.name)
    model._rules = Rules(
        gates=tuple(rules),
        readout={
            qubit: ReadoutError.flips(up, down, f"readout of {found.name}")
            for qubit, (up, down) in enumerate(zip(found.read_1_given_0, found.read_0_given_1, strict=True))
            if up or down
        },
        idling=_idling(found) if idle else None,
        wiring=found._wiring(),
    )
    return model


def _pair_rules(device: Device, pair: Qubits | None, time_ns: float, error: float) -> list[GateRule]:
    """Relaxation of both qubits while their gate runs, and what is missing to its error."""
    what = f"a gate on {'two qubits' if pair is None else f'qubits {list(pair)}'} of {device.name}"
    ends = (0, 1) if pair is None else pair
    if pair is None and len({*zip(device.t1_ns, device.t2_ns, strict=True)}) > 1:
        raise ChannelError(
            f"the device {device.name!r} gives one figure for all pairs of qubits with different T1 and T2; "
            "the rule is one for each pair"
        )
    relax = tuple(_relaxation(device, qubit, time_ns) for qubit in ends)
    rest = missing_depolarisation(relax, error, what)
    rules = [
        GateRule(channel, None, pair, size=2, positions=(place,))
        for place, channel in enumerate(relax)
        if not channel.is_identity
    ]
    return rules if rest.is_identity else [*rules, GateRule(rest, None, pair, size=2)]


def missing_depolarisation(relaxation: tuple[Channel, ...], error: float, what: str) -> Channel:
    """The depolarising channel that brings relaxation of one or two qubits up to an average gate error; it
    does nothing where relaxation alone is as large.

    With the entanglement fidelity F of the relaxation on d levels, the part 1 - p that is not depolarised has
    (1 - p) F + p / d^2, which is to be the F that belongs to the error: ((d + 1) (1 - error) - 1) / d.
    """
    size = 1 << len(relaxation)
    if not 0 <= error <= 1 - 1 / size:
        raise ChannelError(
            f"the error of {what} is {error!r}; the rule is 0 to {1 - 1 / size:g}, an average gate infidelity"
        )
    fidelity = 1.0
    for channel in relaxation:
        fidelity *= (3 * channel.average_fidelity() - 1) / 2
    wanted = ((size + 1) * (1 - error) - 1) / size
    share = (fidelity - wanted) / (fidelity - 1 / size**2)
    return depolarizing(min(max(0.0, share), 1.0), len(relaxation))


def _relaxation(device: Device, qubit: int, time_ns: float) -> Channel:
    made = thermal_relaxation(device.t1_ns[qubit], device.t2_ns[qubit], time_ns, device.excited_population)
    return Channel(made.kraus, "relaxation")


def _worth_it(*channels: Channel) -> list[Channel]:
    return [channel for channel in channels if not channel.is_identity]


def _idling(device: Device) -> Idling | None:
    if all(math.isinf(t) for t in (*device.t1_ns, *device.t2_ns)):
        return None
    times: dict[TimeKey, float] = {("", (qubit,)): time_ns for qubit, time_ns in enumerate(device.gate_ns)}
    for pair, (time_ns, _) in device._both_ways().items():
        times[2 if pair is None else ("", pair)] = time_ns
    return Idling(
        device.t1_ns, device.t2_ns, times, device.measure_ns, device.reset_ns, device.excited_population
    )
