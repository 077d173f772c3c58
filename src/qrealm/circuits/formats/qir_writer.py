"""QIR (LLVM's language with quantum calls), out: text or bitcode, built and verified by pyqir.

Gates then measurements become the base profile; resets, conditions and measurements half-way the adaptive
profile. Qubit i is qubit i, classical bit j is result j. QIR has no global phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qrealm.base.errors import InternalError, MissingExtraError, ParameterError, WriteError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.qir_basis import steps
from qrealm.circuits.formats.qir_unitary import Step, prepare
from qrealm.circuits.gate_rows import GPHASE
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import (
    BARRIER,
    DELAYS,
    IF,
    INITIALIZE,
    MEASURE,
    RESET,
    Condition,
    Instruction,
    State,
)

_PYQIR_NAMES = {"sdg": "s_adj", "tdg": "t_adj"}
_ENTRY = "main"


def write(circuit: Circuit, *, bitcode: bool = False) -> str | bytes:
    """A QIR program that does the same but for the global phase.

    Registers become arrays of the recorded output under their names; bits of no register are recorded one by
    one before them.

    Args:
        circuit: without open parameters and noise.
        bitcode: LLVM bitcode instead of its text.

    Raises:
        MissingExtraError: pyqir is not installed.
        ParameterError: a parameter is open.
        WriteError: noise, a delay, or a multi-controlled gate that would become millions of gates.
    """
    try:
        import pyqir
        import pyqir.qis
        import pyqir.rt
    except ImportError as problem:
        raise MissingExtraError("to_qir()", package="pyqir", extra="qir") from problem
    if circuit.parameters:
        names = ", ".join(p.name for p in circuit.parameters[:5])
        raise ParameterError(
            f"to_qir() got open parameters: {names}", hint="QIR has numbers only: bind them first"
        )
    if any(op in DELAYS for op, _, _ in circuit):
        raise WriteError("QIR has no words for a delay", hint="write the circuit without it")
    module = _Writer(pyqir, circuit).program()
    fault = module.verify()
    if fault is not None:
        raise InternalError(f"to_qir() built a module that LLVM does not accept: {fault[:200]}")
    return bytes(module.bitcode) if bitcode else str(module)


class _Writer:
    def __init__(self, pyqir: Any, circuit: Circuit) -> None:
        self.pyqir = pyqir
        self.circuit = circuit
        self.context = pyqir.Context()
        self.builder = pyqir.Builder(self.context)
        self.touched: set[int] = set()
        self.measured: set[int] = set()
        typed = "%Qubit" in str(pyqir.qubit(self.context, 1))  # LLVM before 16, and so QIR before version 2
        self.module = pyqir.qir_module(self.context, "qrealm", qir_major_version=1 if typed else 2)
        self.bool = pyqir.IntType(self.context, 1)
        self.int64 = pyqir.IntType(self.context, 64)
        main_type = pyqir.FunctionType(self.int64, [])
        self.main = pyqir.Function(main_type, pyqir.Linkage.EXTERNAL, _ENTRY, self.module)
        self.reader: Any = None
        self.finals = _final_measurements(circuit)

    def program(self) -> Any:
        circuit, pyqir = self.circuit, self.pyqir
        attributes = {
            "entry_point": None,
            "output_labeling_schema": "qrealm",
            "qir_profiles": "adaptive_profile" if self.finals is None else "base_profile",
            "required_num_qubits": str(circuit.num_qubits),
            "required_num_results": str(circuit.num_clbits),
        }
        for key, value in attributes.items():
            pyqir.add_string_attribute(self.main, key, value)
        self.builder.insert_at_end(self.block("entry"))
        nothing = pyqir.Constant.null(pyqir.PointerType(pyqir.IntType(self.context, 8)))
        pyqir.rt.initialize(self.builder, nothing)
        self.go_on("body")
        for instruction in circuit:
            if instruction[0] is not MEASURE or self.finals is None:
                self.add(instruction, False)
        if self.finals is not None:  # the base profile has them together, after all gates
            self.go_on("measurements")
            for qubit, clbit in self.finals:
                self.measure(qubit, clbit)
        self.go_on("output")
        self.record()
        self.builder.ret(pyqir.const(self.int64, 0))
        return self.module

    def block(self, name: str) -> Any:
        return self.pyqir.BasicBlock(self.context, name, self.main)

    def go_on(self, name: str) -> None:
        """Ends the present block, and begins another."""
        following = self.block(name)
        self.builder.br(following)
        self.builder.insert_at_end(following)

    # ---- instructions --------------------------------------------------------------------------------

    def add(self, instruction: Instruction, conditional: bool) -> None:
        op, qubits, args = instruction
        if op is IF:
            self.branch(args[0], args[1], args[2])
            return
        if isinstance(op, Gate):
            if op is not GPHASE or qubits:
                self.gates(steps(op, qubits, args, self.circuit.num_qubits))
        elif op is MEASURE:
            self.measure(qubits[0], args[0])
        elif op is RESET:
            self.pyqir.qis.reset(self.builder, self.qubit(qubits[0]))
        elif op is BARRIER:
            self.pyqir.qis.barrier(self.builder)
            return
        elif op is INITIALIZE:
            self.initialize(qubits, args[0], conditional)
        else:
            raise WriteError(f"QIR has no words for the noise of {op.name!r}", hint="write it without noise")
        self.touched.update(qubits)

    def qubit(self, index: int) -> Any:
        return self.pyqir.qubit(self.context, index)

    def gates(self, found: Sequence[Step]) -> None:
        for name, angles, qubits in found:
            function = getattr(self.pyqir.qis, _PYQIR_NAMES.get(name, name))
            function(self.builder, *angles, *(self.qubit(q) for q in qubits))

    def measure(self, qubit: int, clbit: int) -> None:
        self.measured.add(clbit)
        self.pyqir.qis.mz(self.builder, self.qubit(qubit), self.pyqir.result(self.context, clbit))

    def initialize(self, qubits: tuple[int, ...], state: State, conditional: bool) -> None:
        for qubit in qubits:
            if qubit in self.touched or conditional:
                self.pyqir.qis.reset(self.builder, self.qubit(qubit))
        if state.amplitudes is not None:
            self.gates(prepare(state.amplitudes, qubits))
            return
        bits = state.bits or ""
        self.gates([("x", (), (q,)) for q, bit in zip(qubits, reversed(bits), strict=True) if bit == "1"])

    # ---- conditions ----------------------------------------------------------------------------------

    def branch(
        self, condition: Condition, then: tuple[Instruction, ...], otherwise: tuple[Instruction, ...]
    ) -> None:
        tests = []
        for index, clbit in enumerate(condition.clbits):
            wanted = condition.value >> index & 1
            if clbit in self.measured:
                tests.append((clbit, wanted))
            elif wanted:  # a bit that was never measured is 0
                then = otherwise
                tests = []
                break
        if not tests:
            for instruction in then:
                self.add(instruction, True)
            return
        if otherwise:
            self.either(self.all_hold(tests), then, otherwise)
            return
        joined = self.block("continue")
        for clbit, wanted in tests:  # one after the other, which needs no arithmetic of the machine
            inside = self.block("then")
            ways = (inside, joined) if wanted else (joined, inside)
            self.builder.condbr(self.read(clbit), *ways)
            self.builder.insert_at_end(inside)
        for instruction in then:
            self.add(instruction, True)
        self.builder.br(joined)
        self.builder.insert_at_end(joined)

    def either(self, holds: Any, then: tuple[Instruction, ...], otherwise: tuple[Instruction, ...]) -> None:
        blocks = self.block("then"), self.block("else")
        joined = self.block("continue")
        self.builder.condbr(holds, *blocks)
        for block, branch in zip(blocks, (then, otherwise), strict=True):
            self.builder.insert_at_end(block)
            for instruction in branch:
                self.add(instruction, True)
            self.builder.br(joined)
        self.builder.insert_at_end(joined)

    def all_hold(self, tests: Sequence[tuple[int, int]]) -> Any:
        """Whether every classical bit is what it should be."""
        found: Any = None
        for clbit, wanted in tests:
            value = self.read(clbit)
            if not wanted:
                value = self.builder.xor(value, self.pyqir.const(self.bool, True))
            found = value if found is None else self.builder.and_(found, value)
        return found

    def read(self, clbit: int) -> Any:
        """The value of a classical bit."""
        result = self.pyqir.result(self.context, clbit)
        if self.reader is None:
            kind = self.pyqir.FunctionType(self.bool, [result.type])
            linkage = self.pyqir.Linkage.EXTERNAL
            self.reader = self.pyqir.Function(kind, linkage, "__quantum__rt__read_result", self.module)
        return self.builder.call(self.reader, [result])

    # ---- output --------------------------------------------------------------------------------------

    def record(self) -> None:
        registers = self.circuit.registers
        first = registers[0].start if registers else self.circuit.num_clbits
        for clbit in range(first):
            self.record_bit(clbit, f"{clbit}")
        for register in registers:
            size = self.pyqir.const(self.int64, register.size)
            self.pyqir.rt.array_record_output(self.builder, size, self.label(register.name))
            for place, clbit in enumerate(register.clbits):
                self.record_bit(clbit, f"{register.name}[{place}]")

    def record_bit(self, clbit: int, name: str) -> None:
        result = self.pyqir.result(self.context, clbit)
        self.pyqir.rt.result_record_output(self.builder, result, self.label(name))

    def label(self, name: str) -> Any:
        return self.pyqir.global_byte_string(self.module, name.encode("utf-8", "replace"))


def _final_measurements(circuit: Circuit) -> list[tuple[int, int]] | None:
    """(qubit, classical bit) of each measurement, in order, where the base profile can say the circuit.

    That is gates, then measurements, each of another qubit into another bit, nothing prepared on used qubits.
    """
    if circuit.terminal_measurements is None:
        return None
    found: list[tuple[int, int]] = []
    touched: set[int] = set()
    for op, qubits, args in circuit:
        if op is MEASURE:
            found.append((qubits[0], args[0]))
        elif op is RESET or op is IF or (op is INITIALIZE and not touched.isdisjoint(qubits)):
            return None
        if op is not BARRIER:
            touched.update(qubits)
    return found if len({clbit for _, clbit in found}) == len(found) else None


__all__ = ["write"]
