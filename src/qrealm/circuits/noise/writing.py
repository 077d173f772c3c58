"""Writes a model's noise between the instructions of a circuit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from qrealm.base.errors import ChannelError
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise.channel import Channel
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
    Wiring,
)
from qrealm.circuits.operations import (
    BARRIER,
    CHANNEL,
    DELAYS,
    IF,
    INITIALIZE,
    MEASURE,
    READOUT,
    RESET,
    Instruction,
)
from qrealm.circuits.segments import final_measurements


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a model.

    Attributes:
        gates: in the order in which they act.
        points: the same.
        readout: by qubit; None for all others.
        groups: of qubits that are read together.
        idling: None for qubits that do not suffer from waiting.
        wiring: what the modelled device can do; None for anything.
    """

    gates: tuple[GateRule, ...] = ()
    points: tuple[PointRule, ...] = ()
    readout: Mapping[int | None, ReadoutError] = field(default_factory=dict)
    groups: tuple[ReadoutGroup, ...] = ()
    idling: Idling | None = None
    wiring: Wiring | None = None


class NoiseWriter:
    """Writes noise into one circuit.

    Args:
        rules: which.
        num_qubits: of the circuit.
    """

    def __init__(self, rules: Rules, num_qubits: int) -> None:
        self._rules = rules
        self._num_qubits = num_qubits
        self._out: list[Instruction] = []
        self._found: dict[tuple[Gate, Qubits], list[tuple[Channel, Qubits]]] = {}
        self._run: dict[int, int] = {}  # qubit -> classical bit of the measurements just made together
        self._after_measurements = True
        idling = rules.idling
        self._clock = None if idling is None or idling.delays_only else _Clock(idling, num_qubits)

    def written(self, instructions: Sequence[Instruction]) -> list[Instruction]:
        """The instructions with the noise among them.

        Raises:
            ChannelError: the rules do not fit the circuit; the message names the gate and its qubits.
        """
        final = final_measurements(instructions)
        self._after_measurements = final is None
        body: Sequence[Instruction] = instructions
        last: list[Instruction] = []
        if self._clock is not None and final is not None:
            # All that ends in a measurement waits for the last gate: it is read together.
            body = [each for each in instructions if each[0] not in (MEASURE, READOUT)]
            last = [each for each in instructions if each[0] in (MEASURE, READOUT)]
        self._prepared(instructions)
        self._write(body)
        if self._clock is not None and not self._run:
            self._out += self._clock.wait_for_all()
        self._write(last)
        self._end_run(ends=True)
        return self._out

    def _write(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            op, qubits, _ = instruction
            if op is MEASURE:
                self._measure(instruction)
                continue
            if op is not BARRIER:
                self._end_run()
            if op is IF:
                self._branches(instruction)
            elif isinstance(op, Gate):
                self._gate(op, instruction)
            elif op is RESET:
                self._start(qubits, self._rules.idling.reset_ns if self._rules.idling else 0.0)
                self._out.append(instruction)
                self._fresh(qubits)
                self._point(AFTER_RESET, qubits)
            elif op is INITIALIZE:
                self._start(qubits, 0.0)
                self._out.append(instruction)
                self._point(AFTER_PREPARATION, qubits)
            else:
                if op is BARRIER and self._clock is not None:
                    self._clock.align(qubits)
                elif qubits:
                    self._start(qubits, 0.0)
                self._out.append(instruction)

    def _gate(self, gate: Gate, instruction: Instruction) -> None:
        _, qubits, _ = instruction
        if self._rules.wiring is not None and qubits:
            self._rules.wiring.check(gate, qubits)
        if gate in DELAYS:
            self._delay(gate, instruction)
        else:
            if self._rules.idling is not None and self._clock is not None:
                self._start(qubits, self._rules.idling.duration_ns(gate, qubits))
            self._out.append(instruction)
        key = (gate, qubits)
        if key not in self._found:
            self._found[key] = [
                (rule.channel, where) for rule in self._rules.gates for where in rule.on(gate, qubits)
            ]
        for channel, where in self._found[key]:
            self._channel(channel, where)

    def _delay(self, gate: Gate, instruction: Instruction) -> None:
        _, qubits, (duration,) = instruction
        self._out.append(instruction)
        idling = self._rules.idling
        if idling is None:
            return
        time_ns = idling.delay_ns(gate, qubits, duration)
        if self._clock is not None:
            self._clock.delay(qubits, time_ns)
        elif time_ns:
            self._out += [(CHANNEL, (qubit,), (idling.channel(qubit, time_ns),)) for qubit in qubits]

    def _channel(self, channel: Channel, qubits: Qubits) -> None:
        if max(qubits) >= self._num_qubits:
            raise ChannelError(
                f"the channel {channel.name!r} is to act on qubit {max(qubits)}; the circuit has qubits 0 to "
                f"{self._num_qubits - 1}"
            )
        self._out.append((CHANNEL, qubits, (channel,)))

    def _measure(self, instruction: Instruction) -> None:
        _, (qubit,), (clbit,) = instruction
        if qubit in self._run or clbit in self._run.values():
            self._end_run()
        idling = self._rules.idling
        self._start((qubit,), idling.measure_ns if idling else 0.0, clbit)
        self._point(BEFORE_MEASUREMENT, (qubit,))
        self._out.append(instruction)
        self._run[qubit] = clbit

    def _end_run(self, ends: bool = False) -> None:
        """What comes after measurements that were made together: faulty readings, noise on the qubits.

        Noise after measurements that end the circuit changes nothing, and would only hide that they are last.
        """
        run, self._run = self._run, {}
        if not run:
            return
        alone = set(run)
        for group in self._rules.groups:
            there = alone.intersection(group.qubits)
            if there and len(there) < len(group.qubits):
                raise ChannelError(
                    f"the readout error {group.error.name!r} reads the qubits {list(group.qubits)} together; "
                    f"the circuit measures only {sorted(there)} of them at once",
                    hint="measure them one right after the other, or give each qubit an error of its own",
                )
            if there:
                self._out.append((READOUT, (), (group.error, *(run[qubit] for qubit in group.qubits))))
                alone -= there
        readout = self._rules.readout
        for qubit, clbit in run.items():
            error = readout.get(qubit, readout.get(None)) if qubit in alone else None
            if error is not None:
                self._out.append((READOUT, (), (error, clbit)))
        if self._after_measurements and not ends:
            self._point(AFTER_MEASUREMENT, tuple(run))

    def _branches(self, instruction: Instruction) -> None:
        op, qubits, (condition, *branches) = instruction
        if self._clock is not None:
            self._out += self._clock.start(qubits, 0.0, waits_for=condition.clbits)
        outer = self._out
        written: list[list[Instruction]] = []
        clocks = []
        before = self._clock.times() if self._clock is not None else None
        for branch in branches:
            self._out = []
            if self._clock is not None and before is not None:
                self._clock.set(before)
            self._write(branch)
            self._end_run()
            if self._clock is not None:
                clocks.append(self._clock.times())
            written.append(self._out)
        self._out = outer
        if self._clock is not None:
            for branch, waiting in zip(written, self._clock.join(*clocks), strict=True):
                branch += waiting
        bodies = tuple(tuple(branch) for branch in written)
        self._out.append((op, _touched(qubits, bodies), (condition, *bodies)))

    def _prepared(self, instructions: Sequence[Instruction]) -> None:
        """Noise of the preparation of |0>, but where a circuit begins with one of its own."""
        first: dict[int, object] = {}
        for op, qubits, _ in instructions:
            if op is not BARRIER:
                for qubit in qubits:
                    first.setdefault(qubit, op)
        untouched = tuple(q for q in range(self._num_qubits) if first.get(q) not in (RESET, INITIALIZE))
        self._point(AFTER_PREPARATION, untouched)

    def _point(self, point: str, qubits: Iterable[int]) -> None:
        for qubit in qubits:
            for rule in self._rules.points:
                if rule.point == point and (rule.qubits is None or qubit in rule.qubits):
                    self._channel(rule.channel, (qubit,))

    def _start(self, qubits: Qubits, duration_ns: float, clbit: int | None = None) -> None:
        if self._clock is not None:
            self._out += self._clock.start(qubits, duration_ns, writes=clbit)

    def _fresh(self, qubits: Qubits) -> None:
        if self._clock is not None:
            self._clock.fresh(qubits)


_Times = tuple[list[float], list[float | None], dict[int, float]]


class _Clock:
    """When each qubit is free: every operation begins as soon as its qubits are. All in nanoseconds."""

    def __init__(self, idling: Idling, num_qubits: int) -> None:
        self._idling = idling
        self._free = [0.0] * num_qubits
        # Until when a qubit's noise is written; None while it is in |0>, where it stays.
        self._done: list[float | None] = [None] * num_qubits
        self._known: dict[int, float] = {}  # classical bit -> when it is measured

    def start(
        self,
        qubits: Qubits,
        duration_ns: float,
        waits_for: Iterable[int] = (),
        writes: int | None = None,
    ) -> list[Instruction]:
        """The noise of waiting until an operation can begin."""
        begin = max(
            (*(self._free[q] for q in qubits), *(self._known.get(bit, 0.0) for bit in waits_for)), default=0.0
        )
        found = self._wait(qubits, begin)
        end = begin + duration_ns
        for qubit in qubits:
            self._free[qubit] = self._done[qubit] = end
        if writes is not None:
            self._known[writes] = end
        return found

    def delay(self, qubits: Qubits, time_ns: float) -> None:
        """These wait; the noise of it is written with that of all waiting before their next operation."""
        for qubit in qubits:
            if self._done[qubit] is None and self._idling.excited_population:
                self._done[qubit] = self._free[qubit]  # |0> is not where it stays
            self._free[qubit] += time_ns

    def wait_for_all(self) -> list[Instruction]:
        """The noise of waiting for the last operation, on all qubits."""
        end = max(self._free, default=0.0)
        found = self._wait(range(len(self._free)), end)
        for qubit, done in enumerate(self._done):
            self._free[qubit] = end
            self._done[qubit] = None if done is None else end
        return found

    def _wait(self, qubits: Iterable[int], until: float) -> list[Instruction]:
        found: list[Instruction] = []
        for qubit in qubits:
            done = self._done[qubit]
            if done is not None and until > done:
                found.append(self._waiting(qubit, until - done))
        return found

    def fresh(self, qubits: Qubits) -> None:
        """These are in |0> now."""
        for qubit in qubits:
            self._done[qubit] = None

    def align(self, qubits: Qubits) -> None:
        """Nothing begins on one of these before all are free."""
        end = max((self._free[q] for q in qubits), default=0.0)
        for qubit in qubits:
            self._free[qubit] = end

    def times(self) -> _Times:
        """A copy of where the clock stands."""
        return list(self._free), list(self._done), dict(self._known)

    def set(self, times: _Times) -> None:
        """Go back to a copy."""
        free, done, known = times
        self._free, self._done, self._known = list(free), list(done), dict(known)

    def join(self, *branches: _Times) -> list[list[Instruction]]:
        """Go on after the longest of the branches; returns the noise of waiting for it in each of them."""
        self._free = [max(times) for times in zip(*(free for free, _, _ in branches), strict=True)]
        self._done = [
            max((time for time in times if time is not None), default=None)
            for times in zip(*(done for _, done, _ in branches), strict=True)
        ]
        self._known = {
            bit: max(known.get(bit, 0.0) for _, _, known in branches)
            for bit in {bit for _, _, known in branches for bit in known}
        }
        found: list[list[Instruction]] = []
        for _, done, _ in branches:
            waiting: list[Instruction] = []
            for qubit, (since, until) in enumerate(zip(done, self._done, strict=True)):
                if since is not None and until is not None and until > since:
                    waiting.append(self._waiting(qubit, until - since))
            found.append(waiting)
        return found

    def _waiting(self, qubit: int, time_ns: float) -> Instruction:
        # Times that differ by rounding alone share one channel.
        return (CHANNEL, (qubit,), (self._idling.channel(qubit, round(time_ns, 6)),))


def _touched(qubits: Qubits, branches: Iterable[Iterable[Instruction]]) -> Qubits:
    """The qubits of a condition, those of the noise in it too."""
    inner = {qubit for branch in branches for _, wires, _ in branch for qubit in wires}
    return tuple(sorted(inner.union(qubits)))
