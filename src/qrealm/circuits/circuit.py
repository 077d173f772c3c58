"""`Circuit`: the builder, and the value that readers make and simulators take."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Self

from qrealm.base.errors import CircuitError, GateShapeError, NotUnitaryError, ParameterError, QubitError
from qrealm.circuits import transform
from qrealm.circuits.building import ConditionBlock, append_checked, check_clbit, check_qubits, counted
from qrealm.circuits.gate_methods import GateMethods, Qubits
from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import BARRIER, IF, INITIALIZE, MEASURE, RESET, Condition, Instruction, State
from qrealm.circuits.pack import GateInstruction, PackedCircuit, PackedTemplate, pack, pack_template
from qrealm.circuits.parameters import ANGLE_MAX, Parameter, ParameterExpression, angle
from qrealm.circuits.segments import cut, gates_only, terminal_map
from qrealm.circuits.types import Register, Segment
from qrealm.circuits.writing import CircuitWriters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qrealm.circuits.noise import Channel, ReadoutError

QUBITS_MAX = 4096
"""Largest register: far beyond any simulator, small enough that a typo cannot exhaust memory."""

CLBITS_MAX = 1 << 20
"""Largest number of classical bits."""


class Circuit(GateMethods, CircuitWriters):
    """A quantum circuit. Qubit q is bit q of a basis index; angles are in radians.

    Every method that adds something checks it at once and returns the circuit, so calls chain::

        bell = Circuit(2).h(0).cx(0, 1).measure_all()

    Args:
        num_qubits: number of qubits, up to 4096.
        num_clbits: number of classical bits; when None, measuring adds those that it needs.
        name: a title for drawings and files.
        global_phase: radians.

    Raises:
        QubitError: a count that is not an integer from 0 to the limit.
    """

    __slots__ = ("_cache", "_global_phase", "_grows", "_num_clbits", "_ops", "_parameters", "_registers",
                 "_special", "name", "num_qubits")

    def __init__(self, num_qubits: int, num_clbits: int | None = None, *, name: str = "",
                 global_phase: float | ParameterExpression = 0.0) -> None:
        self.num_qubits = _count("num_qubits", num_qubits, QUBITS_MAX)
        self._num_clbits = 0 if num_clbits is None else _count("num_clbits", num_clbits, CLBITS_MAX)
        self._grows = num_clbits is None
        self.name = name
        self._ops: list[Instruction] = []
        self._special = 0  # how many instructions are not gates
        self._parameters: dict[str, None] = {}
        self._registers: tuple[Register, ...] = ()
        self._cache: dict[str, Any] = {}
        self._global_phase: float | ParameterExpression = 0.0
        self.global_phase = global_phase

    # ---- what it holds -------------------------------------------------------------------------------

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """(gate or operation, qubits with the controls first, arguments), in order."""
        return tuple(self._ops)

    @property
    def num_clbits(self) -> int:
        """Number of classical bits."""
        return self._num_clbits

    @property
    def registers(self) -> tuple[Register, ...]:
        """Named groups of classical bits, in the order in which they were added."""
        return self._registers

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters that are not bound yet, in order of first appearance."""
        return tuple(Parameter(name) for name in self._parameters)

    @property
    def global_phase(self) -> float | ParameterExpression:
        """Radians."""
        return self._global_phase

    @global_phase.setter
    def global_phase(self, value: float | ParameterExpression) -> None:
        self._global_phase = self._parameter(value)
        self._cache.clear()

    def __len__(self) -> int:
        return len(self._ops)

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self._ops)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Circuit):
            return NotImplemented
        return (self.num_qubits, self._num_clbits, self._registers, self._global_phase, self._ops) == (
            other.num_qubits, other._num_clbits, other._registers, other._global_phase, other._ops)

    __hash__ = None  # type: ignore[assignment]  # a circuit changes; use `digest`

    def __repr__(self) -> str:
        title = f" {self.name!r}" if self.name else ""
        open_ = f", {len(self._parameters)} parameters" if self._parameters else ""
        size = ", ".join((counted(self.num_qubits, "qubit"), counted(self._num_clbits, "clbit"),
                          counted(len(self._ops), "instruction")))
        return f"<Circuit{title}: {size}{open_}>"

    def __str__(self) -> str:
        return self.draw()

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of what the circuit does; names and caches do not count."""
        if "digest" not in self._cache:
            head = f"{self.num_qubits},{self._num_clbits},{self._registers},{self._global_phase}\n"
            state = hashlib.sha256(head.encode())
            transform.feed(state.update, self._ops)
            self._cache["digest"] = state.hexdigest()
        return str(self._cache["digest"])

    def count_ops(self) -> dict[str, int]:
        """How often each gate or operation occurs, most frequent first."""
        return transform.count(self._ops)

    def depth(self) -> int:
        """Length of the longest chain of instructions that wait for each other through qubits or clbits."""
        return transform.depth(self._ops)

    # ---- adding --------------------------------------------------------------------------------------

    def append(self, name: str | Gate | Channel | ReadoutError, qubits: Sequence[int],
               params: Sequence[Any] = (), *, controls: Sequence[int] = (),
               control_state: int | str | None = None) -> Self:
        """Appends a gate, or noise: a `noise.Channel` on qubits, a `noise.ReadoutError` on classical bits.

        Args:
            name: name or alias, in any case, or a row of the gate table; or noise.
            qubits: the gate's own controls, then its targets.
            params: numbers or expressions, in radians; for ``"unitary"`` one matrix.
            controls: further controls.
            control_state: which values of `controls` act, as an integer (bit i for control i) or as bits with
                the last control leftmost; all ones when None.

        Raises:
            UnknownGateError, GateShapeError, QubitError, ParameterError, MatrixError.
        """
        append_checked(self, name, qubits, params, controls, control_state)
        return self

    def _each(self, name: str, qubits: Qubits, params: tuple[Any, ...] = ()) -> Self:
        if isinstance(qubits, Iterable) and not isinstance(qubits, (str, bytes)):
            wires = check_qubits(self, tuple(qubits), name)
            for qubit in wires:
                self.append(name, (qubit,), params)
            return self
        return self.append(name, (qubits,), params)  # type: ignore[arg-type]

    def unitary(self, matrix: object, qubits: Qubits, *, controls: Sequence[int] = ()) -> Self:
        """Appends a unitary matrix of shape (2^k, 2^k), k up to 6, on k qubits, the first least significant.

        Raises:
            MatrixError: wrong shape, or U†U off the identity by more than 1e-8 in some entry.
            QubitError, GateShapeError.
        """
        wires = tuple(qubits) if isinstance(qubits, Iterable) else (qubits,)
        return self.append(UNITARY, wires, (matrix,), controls=controls)

    def gphase(self, gamma: float | ParameterExpression) -> Self:
        """Multiplies the global phase by e^{i gamma}."""
        self.global_phase = self._global_phase + self._parameter(gamma)
        return self

    def initialize(self, state: str | Sequence[complex] | NDArray[np.complex128],
                   qubits: Qubits | None = None) -> Self:
        """Puts qubits into a state, resetting them first where they were used.

        Args:
            state: a bit string (the first of `qubits` rightmost), or 2^k amplitudes of norm 1.
            qubits: the first one is the least significant bit of an index; the first k when None.

        Raises:
            StateError: wrong length, characters or norm.
            QubitError.
        """
        prepared = State(state)
        wires = range(prepared.num_qubits) if qubits is None else \
            qubits if isinstance(qubits, Iterable) else (qubits,)
        checked = check_qubits(self, tuple(wires), "initialize")
        if len(checked) != prepared.num_qubits:
            raise GateShapeError(f"initialize got a state of {counted(prepared.num_qubits, 'qubit')} for "
                                 f"{counted(len(checked), 'qubit')}; "
                                 "the rule is as many qubits as the state has")
        return self._special_op((INITIALIZE, checked, (prepared,)))

    def measure(self, qubits: Qubits, clbits: Qubits | None = None) -> Self:
        """Measures qubits into classical bits, those of the same numbers when `clbits` is None.

        Raises:
            QubitError: out of range, or not as many qubits as bits.
        """
        wires = check_qubits(self, tuple(qubits) if isinstance(qubits, Iterable) else (qubits,), "measure")
        bits: tuple[Any, ...] = wires if clbits is None else \
            tuple(clbits) if isinstance(clbits, Iterable) else (clbits,)
        if len(wires) != len(bits):
            raise QubitError(f"measure got {counted(len(wires), 'qubit')} and "
                             f"{counted(len(bits), 'classical bit')}; "
                             "the rule is one each")
        for qubit, bit in zip(wires, [check_clbit(self, bit, "measure") for bit in bits], strict=True):
            self._special_op((MEASURE, (qubit,), (bit,)))
        return self

    def measure_all(self) -> Self:
        """Measures every qubit into the classical bit of its number.

        Raises:
            QubitError: the circuit was made with fewer classical bits than qubits.
        """
        return self.measure(range(self.num_qubits))

    def reset(self, qubits: Qubits) -> Self:
        """Puts qubits into |0>."""
        wires = check_qubits(self, tuple(qubits) if isinstance(qubits, Iterable) else (qubits,), "reset")
        for qubit in wires:
            self._special_op((RESET, (qubit,), ()))
        return self

    def barrier(self, *qubits: Qubits) -> Self:
        """Keeps the columns of a drawing apart, on all qubits when none is named."""
        wires = [q for item in qubits for q in (item if isinstance(item, Iterable) else (item,))]
        checked = check_qubits(self, tuple(wires), "barrier") if qubits else tuple(range(self.num_qubits))
        return self._special_op((BARRIER, checked, ()))

    def add_register(self, name: str, size: int) -> Register:
        """Adds classical bits under a name; they follow those that there are.

        Raises:
            QubitError: the name is taken or not text, or the size is out of range.
        """
        count = _count("the size of a register", size, CLBITS_MAX - self._num_clbits)
        if not isinstance(name, str) or not name or any(r.name == name for r in self._registers):
            raise QubitError(f"a register got the name {name!r}; "
                             "the rule is a text that no other register has")
        register = Register(name, self._num_clbits, count)
        self._registers += (register,)
        self._num_clbits += count
        self._grows = False
        self._cache.clear()
        return register

    def if_(self, where: int | str | Register | Sequence[int], value: int = 1, body: Circuit | None = None,
            otherwise: Circuit | None = None) -> AbstractContextManager[Circuit]:
        """What follows only when classical bits equal a value.

        Either ``with circuit.if_(0): circuit.x(1)``, or with `body` (and `otherwise`): circuits of as many
        qubits, appended at once.

        Args:
            where: a classical bit, a register or its name, or bits (the first one least significant).
            value: what they are compared with.

        Raises:
            QubitError: a bit out of range, an unknown register, or a value that the bits cannot hold.
        """
        condition = self._condition(where, value)
        if body is not None:
            for branch in (body, otherwise):
                if branch is not None and branch.num_qubits > self.num_qubits:
                    raise QubitError(f"if_ got a branch of {counted(branch.num_qubits, 'qubit')} "
                                     f"for {counted(self.num_qubits, 'qubit')}")
            self._branch(condition, transform.body(self, body),
                         transform.body(self, otherwise) if otherwise is not None else ())
        return ConditionBlock(self, condition, done=body is not None)

    def compose(self, other: Circuit, qubits: Sequence[int] | None = None,
                clbits: Sequence[int] | None = None) -> Self:
        """Appends another circuit: its qubit i goes to ``qubits[i]``, its classical bit j to ``clbits[j]``.

        Raises:
            QubitError: too few qubits or bits, or one out of range.
        """
        for instruction in transform.moved(self, other, qubits, clbits):
            self._ops.append(instruction)
            self._special += not isinstance(instruction[0], Gate)
        self._parameters.update(other._parameters)
        self.global_phase = self._global_phase + other._global_phase
        return self

    # ---- new circuits from it ------------------------------------------------------------------------

    def copy(self) -> Circuit:
        """An independent copy."""
        twin = Circuit(self.num_qubits, self._num_clbits, name=self.name)
        twin._ops, twin._special, twin._grows = list(self._ops), self._special, self._grows
        twin._parameters, twin._registers = dict(self._parameters), self._registers
        twin._global_phase, twin._cache = self._global_phase, dict(self._cache)
        return twin

    def inverse(self) -> Circuit:
        """The circuit that undoes this one. Raises NotUnitaryError for more than gates and barriers."""
        return transform.inverse(self)

    def control(self, controls: int = 1) -> Circuit:
        """This circuit under `controls` new control qubits, which come first. Raises NotUnitaryError."""
        return transform.control(self, controls)

    def power(self, exponent: int) -> Circuit:
        """This circuit repeated; a negative exponent repeats the inverse. Raises NotUnitaryError."""
        return transform.power(self, exponent)

    def bind(self, values: Mapping[Any, Any] | None = None, /, **named: Any) -> Circuit:
        """A copy with parameters replaced by numbers or expressions: ``bind({"a": 0.1})``, ``bind(a=0.1)``.

        Parameters that are not named stay open.

        Raises:
            ParameterError: a name that the circuit does not have, or a result that is not finite.
        """
        return transform.bind(self, {**(values or {}), **named})

    # ---- what simulators take ------------------------------------------------------------------------

    def packed(self) -> PackedCircuit:
        """All gates as flat arrays; final measurements are left out. Kept until the circuit changes.

        Raises:
            NotUnitaryError: there is a mid-circuit measurement, a reset or a condition: use `segments`.
            ParameterError: a parameter is not bound yet: use `template` or `bind`.
        """
        found = self._cache.get("packed")
        if found is None:
            check_bound(self)
            found = pack(self.num_qubits, self._plain_gates("packed"), self._global_phase)
            self._cache["packed"] = found
        return found

    def template(self) -> PackedTemplate:
        """The packed circuit with its parameters open: packed once for a whole sweep. Kept as `packed` is.

        Raises:
            NotUnitaryError: as `packed`.
        """
        found = self._cache.get("template")
        if found is None:
            found = pack_template(self.num_qubits, self._plain_gates("template"), tuple(self._parameters),
                                  self._global_phase)
            self._cache["template"] = found
        return found

    def segments(self) -> tuple[Segment, ...]:
        """Unitary parts, measurements, resets, conditions and preparations in the order of execution.

        Final measurements come together, last. Without any measurement the last segment measures nothing:
        see `terminal_measurements`. Kept until the circuit changes.

        Raises:
            ParameterError: a parameter is not bound yet.
        """
        found = self._cache.get("segments")
        if found is None:
            check_bound(self)
            found = cut(self.num_qubits, self._ops, float(self._global_phase))
            self._cache["segments"] = found
        return found

    @property
    def terminal_measurements(self) -> dict[int, int] | None:
        """qubit -> classical bit when the circuit is gates and then measurements, else None.

        Then one run and many samples give the counts. Without a measurement every qubit is measured into the
        bit of its number. None when something must be decided anew for every shot.
        """
        if "terminal" not in self._cache:
            self._cache["terminal"] = terminal_map(self.num_qubits, self._ops, self._special > 0)
        found = self._cache["terminal"]
        return None if found is None else dict(found)

    @property
    def is_unitary(self) -> bool:
        """Whether it holds only gates and barriers."""
        return self._special == 0 or all(isinstance(op, Gate) or op is BARRIER for op, _, _ in self._ops)

    # ---- words and pictures --------------------------------------------------------------------------

    def draw(self, *, width: int = 100, ascii_only: bool = False) -> str:
        """The circuit as text, qubit 0 on top, wrapped at `width` columns (at least 40)."""
        from qrealm.circuits.drawing import draw
        return draw(self, width=width, ascii_only=ascii_only)

    # ---- inside --------------------------------------------------------------------------------------

    def _parameter(self, value: Any) -> float | ParameterExpression:
        if isinstance(value, float) and -ANGLE_MAX <= value <= ANGLE_MAX:  # no NaN either
            return value
        if isinstance(value, ParameterExpression):
            names = value.parameters
            if not names:
                return angle(value)
            for parameter in names:
                self._parameters[parameter.name] = None
            return value
        return angle(value)

    def _special_op(self, instruction: Instruction) -> Self:
        self._ops.append(instruction)
        self._special += 1
        self._cache.clear()
        return self

    def _condition(self, where: int | str | Register | Sequence[int], value: int) -> Condition:
        if isinstance(where, str):
            found = [r for r in self._registers if r.name == where]
            if not found:
                raise QubitError(f"if_ got the register {where!r}; "
                                 f"there are {[r.name for r in self._registers]}")
            where = found[0]
        bits = where.clbits if isinstance(where, Register) else \
            tuple(where) if isinstance(where, Sequence) else (where,)
        checked = tuple(check_clbit(self, bit, "if_") for bit in bits)
        if len(set(checked)) != len(checked) or not checked:
            raise QubitError(f"if_ got the classical bits {list(checked)}; "
                             "the rule is at least one, none twice")
        if not isinstance(value, int) or not 0 <= value < 1 << len(checked):
            raise QubitError(f"if_ compares {len(checked)} classical bits with {value!r}; "
                             f"the rule is an integer from 0 to {(1 << len(checked)) - 1}")
        return Condition(checked, int(value))

    def _branch(self, condition: Condition, then: tuple[Instruction, ...],
                otherwise: tuple[Instruction, ...]) -> None:
        qubits = tuple(sorted({q for _, wires, _ in (*then, *otherwise) for q in wires}))
        self._special_op((IF, qubits, (condition, then, otherwise)))

    def _plain_gates(self, method: str) -> list[GateInstruction]:
        if self._special == 0:
            return self._ops  # type: ignore[return-value]
        found = gates_only(self.num_qubits, self._ops)
        if found is None:
            raise _not_unitary(method)
        return found


def _count(what: str, value: object, limit: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise QubitError(f"{what} must be an integer, got {value!r:.60}") from None
    if not 0 <= number <= limit:
        raise QubitError(f"{what} is {number}; the rule is 0 to {limit}")
    return number


def check_bound(circuit: Circuit) -> None:
    """Raises ParameterError where a circuit has open parameters."""
    if circuit.parameters:
        names = ", ".join(p.name for p in circuit.parameters[:5])
        raise ParameterError(f"the circuit has parameters that are not bound yet: {names}",
                             hint="circuit.bind({...}), or pass parameter sets to the run")


def _not_unitary(method: str) -> CircuitError:
    return NotUnitaryError(f"{method}() needs gates and then measurements; the circuit has a measurement, "
                           "reset or condition with something after it", hint="use circuit.segments()")


__all__ = ["CLBITS_MAX", "QUBITS_MAX", "Circuit", "check_bound"]
