"""QIR, in: a program's gates, measurements, resets, and conditions on its results.

The blocks of the entry point are followed from the first one; what depends on measurement results is kept as
a table over them, so that a branch becomes a condition on classical bits. There are no loops, functions of
the program's own, and nothing is allocated while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

from qrealm.circuits.building import capture
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.qir_flow import EXIT, meeting_points, order
from qrealm.circuits.formats.qir_output import Output
from qrealm.circuits.formats.qir_text import Address, Code, Function, Global, Line, Name, Parser, Program
from qrealm.circuits.formats.qir_values import Bit, CannotCompute, Table, chosen, computed, known, of_bit
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import IF, Condition, Instruction, qubits_of

_ROWS = {
    **{name: name for name in "x y z h s t sx rx ry rz rxx ryy rzz swap cx cy cz ccx".split()},
    "cnot": "cx", "ccnot": "ccx", "toffoli": "ccx",
}  # fmt: skip
_QIS = re.compile(r"__quantum__qis__(?:(s|t)_adj(?:__body)?|(\w+?)__(body|adj))")
_READS = ("__quantum__rt__read_result", "__quantum__qis__read_result__body")
_MEASURES = {f"__quantum__qis__{name}__body": name == "mresetz" for name in ("m", "mz", "mresetz")}
_COUNTS = {
    "qubits": ("required_num_qubits", "num_required_qubits", "requiredQubits"),
    "results": ("required_num_results", "num_required_results", "requiredResults"),
}
_DEPTH_MAX = 100
_STEPS_EXTRA, _STEPS_FACTOR = 100_000, 20


def read_qir(text: str, name: str = "<text>") -> Circuit:
    """Reads the text of a QIR program.

    Results that are recorded as an array become a register with the array's label; those recorded alone come
    before, in the order of recording, and those that are not recorded last of these.

    Raises:
        SyntaxReadError: no module of LLVM's language, or qubits out of the declared range.
        UnsupportedError: a loop, an allocation, an unknown function or instruction; the message names it.
        CircuitError: a qubit named twice by a gate, or an angle that is not finite.
    """
    parser = Parser(text, name)
    program = parser.program()
    return _Reader(parser, program, _entry(parser, program)).circuit()


def _entry(parser: Parser, program: Program) -> Function:
    """The function to run."""
    marked = [
        f for f in program.functions if not {"entry_point", "EntryPoint"}.isdisjoint(program.attributes_of(f))
    ]
    if not marked and len(program.functions) == 1:
        marked = program.functions
    rule = 'one definition has the attribute "entry_point", and takes nothing'
    if len(marked) != 1:
        parser.fail(0, f"the module has {len(marked)} entry points", rule, unsupported=len(marked) > 1)
    if marked[0].params:
        parser.fail(marked[0].offset, f"the entry point {marked[0].name[:40]!r} takes arguments", rule)
    return marked[0]


class _Reader:
    def __init__(self, parser: Parser, program: Program, function: Function) -> None:
        self.parser = parser
        self.program = program
        self.blocks = function.blocks
        self.function = function
        self.meets, order_of = self.flow()
        codes = [code for block in order_of for _, code in self.blocks[block]]
        self.num_qubits = self.count("qubits", codes)
        self.raw = Circuit(self.num_qubits, self.count("results", codes))  # classical bit = result, for now
        self.values: dict[str, Table] = {}
        self.versions: dict[int, int] = {}  # which measurement of a result is the last one
        self.undo: list[tuple[int, int]] = []  # versions before, for the other side of a branch
        self.last_version = 0
        self.steps = _STEPS_EXTRA + _STEPS_FACTOR * len(codes)
        self.output = Output(self.refuse)
        self.gates: dict[str, tuple[Gate, bool] | None] = {}
        self.at: Line = (function.offset, Code("", "", (), (), "", 0, 0, ""))

    def circuit(self) -> Circuit:
        entry = next(iter(self.blocks))
        self.follow(entry, EXIT, 0)
        return self.output.arranged(self.raw)

    def refuse(self, why: str, rule: str) -> NoReturn:
        """Raises UnsupportedError for the present instruction."""
        offset, code = self.at
        self.parser.fail(offset, f"{why}: {code.text}" if code.text else why, rule, unsupported=True)

    # ---- before it is followed -----------------------------------------------------------------------

    def flow(self) -> tuple[dict[str, str], list[str]]:
        """Where branches meet again, and the blocks in order."""
        fail = self.parser.fail
        successors: dict[str, Sequence[str]] = {}
        for name, lines in self.blocks.items():
            offset, last = lines[-1] if lines else (self.function.offset, None)
            if last is None or last.op not in ("br", "ret"):
                shown = f"ends with {last.text!r}" if last is not None else "is empty"
                rule = "a block ends with br or ret"
                fail(offset, f"the block {name[:40]!r} {shown}", rule, unsupported=True)
            successors[name] = last.labels if last.op == "br" else (EXIT,)
            missing = next((label for label in last.labels if label not in self.blocks), None)
            if missing is not None:
                fail(offset, f"there is no block {missing[:40]!r}", "a branch names a block of the function")
        if not successors:
            fail(self.function.offset, "the entry point has no instructions", "at least ret")
        blocks, again = order(successors, next(iter(successors)))
        if again:
            offset = self.blocks[again][0][0]
            fail(offset, f"a loop leads back to {again[:40]!r}", "branches lead forwards", unsupported=True)
        return meeting_points(successors, blocks), blocks

    def count(self, what: str, codes: Sequence[Code]) -> int:
        """How many qubits or results the entry point declares, or names when it declares nothing."""
        attributes = self.program.attributes_of(self.function)
        told = next((attributes[key] for key in _COUNTS[what] if key in attributes), None)
        if told is not None:
            if not re.fullmatch(r"[0-9]{1,9}", told):
                self.parser.fail(
                    self.function.offset, f"{told[:40]!r} is no number of {what}", "an integer from 0"
                )
            return int(told)
        most = -1
        for code in codes:
            if code.op != "call":
                continue
            named = [arg.number for arg in code.args if isinstance(arg, Address)]
            if code.word in _MEASURES:
                named = named[:1] if what == "qubits" else named[1:]
            elif code.word.startswith("__quantum__rt__result_record"):
                named = [] if what == "qubits" else named[:1]
            elif code.word in _READS:
                named = [] if what == "qubits" else named
            elif what == "results" or code.word.startswith("__quantum__rt__"):
                named = []
            most = max([most, *named])
        return most + 1

    # ---- following -----------------------------------------------------------------------------------

    def follow(self, block: str, stop: str, depth: int) -> dict[str, Table]:
        """Adds what happens from a block until `stop`. Returns the values of `stop`'s phis."""
        while True:
            for line in self.blocks[block]:
                if line[1].op != "phi":
                    self.at = line
                    self.step(line[1], depth)
            code = self.blocks[block][-1][1]
            if code.op == "ret":
                return {}
            target = code.labels[0]
            arrived: dict[str, Table] | None = None
            if len(code.labels) == 2:
                condition = self.operand(code.args[0])
                if any(not isinstance(value, int) for value in condition.values):
                    self.refuse("a branch on what is no truth value", "br i1")
                if condition.constant is None:
                    target = self.meets[block]
                    arrived = self.branch(block, condition, code.labels, depth)
                elif not condition.constant:
                    target = code.labels[1]
            if arrived is None:
                arrived = self.arrivals(block, target)
            if target == stop:
                return arrived
            self.values.update(arrived)
            block = target

    def branch(self, block: str, condition: Table, labels: Sequence[str], depth: int) -> dict[str, Table]:
        """Both sides of a branch, as a condition on classical bits, up to where they meet."""
        self.check_current(condition.bits)
        line = self.at
        if depth >= _DEPTH_MAX:
            self.refuse("conditions are nested too deeply", f"at most {_DEPTH_MAX} levels")
        join = self.meets[block]
        begun = len(self.undo)
        sides: list[tuple[Instruction, ...]] = []
        phis: list[dict[str, Table]] = []

        def side(label: str) -> None:
            arrived = self.arrivals(block, label)
            if label != join:
                self.values.update(arrived)
                arrived = self.follow(label, join, depth + 1)
            phis.append(arrived)

        changed: set[int] = set()
        for label in labels:
            self.at = line
            sides.append(capture(self.raw, lambda label=label: side(label)))  # type: ignore[misc]
            while len(self.undo) > begun:
                result, version = self.undo.pop()
                changed.add(result)
                self.versions[result] = version
        for instruction in self.conditional(condition, sides[0], sides[1]):
            self.raw._special_op(instruction)
        for result in changed:  # either side's, from now on
            self.written(result)
        self.at = line
        return {name: self.attempt(chosen, condition, phis[0][name], phis[1][name]) for name in phis[0]}

    def arrivals(self, block: str, target: str) -> dict[str, Table]:
        """The values of the phis of `target` for those who come from `block`."""
        found: dict[str, Table] = {}
        for line in self.blocks.get(target, ()):
            code = line[1]
            if code.op != "phi":
                break
            self.at = line
            if block not in code.labels:
                self.refuse(f"a phi has no value from {block[:40]!r}", "a value for every block before")
            found[code.dest] = self.operand(code.args[code.labels.index(block)])
        return found

    def conditional(
        self, table: Table, then: tuple[Instruction, ...], otherwise: tuple[Instruction, ...]
    ) -> tuple[Instruction, ...]:
        """Instructions that do `then` where the table is not 0, else `otherwise`."""
        if not table.bits:
            return then if table.constant else otherwise
        if not then and not otherwise:
            return ()
        clbits = tuple(result for result, _ in table.bits)
        held = [index for index, value in enumerate(table.values) if value]
        rest = [index for index, value in enumerate(table.values) if not value]
        if len(rest) == 1 and (len(held) > 1 or not then):
            held, then, otherwise = rest, otherwise, then
        if len(held) == 1:
            return (_merged(Condition(clbits, held[0]), then, otherwise),)
        half = len(table.values) // 2
        zero, one = (
            self.conditional(self.attempt(computed_again, table.bits[:-1], part), then, otherwise)
            for part in (table.values[:half], table.values[half:])
        )
        return (_merged(Condition(clbits[-1:], 1), one, zero),)

    # ---- instructions --------------------------------------------------------------------------------

    def step(self, code: Code, depth: int) -> None:
        self.steps -= 1
        if self.steps < 0:
            self.refuse("the branches cannot be nested", "branches that meet again soon")
        if code.op == "call":
            self.call(code, depth)
        elif code.op == "br":
            return
        elif code.op == "ret":
            if code.args and self.operand(code.args[0]).constant != 0:
                self.refuse("an exit code other than 0", "a program that ends with 0, or with void")
        elif code.dest and code.args:
            self.values[code.dest] = self.attempt(computed, code, [self.operand(arg) for arg in code.args])
        else:
            self.refuse(
                f"the instruction {code.op[:40]!r} cannot be followed", "calls, branches and arithmetic"
            )

    def call(self, code: Code, depth: int) -> None:
        name = code.word
        gate = self.gates[name] if name in self.gates else self.gate(name)
        if gate is not None:
            self.apply(*gate, code)
        elif name in _READS:
            self.check_count(code, 1)
            result = self.result(code.args[0])
            version = self.versions.get(result, 0)
            # A result that was never measured is 0.
            self.values[code.dest] = of_bit((result, version)) if version else known(0)
        elif name in _MEASURES:
            self.check_count(code, 2)
            qubit, result = self.qubit(code.args[0]), self.result(code.args[1])
            self.raw.measure(qubit, result)
            self.written(result)
            if _MEASURES[name]:
                self.raw.reset(qubit)
        elif name == "__quantum__qis__reset__body":
            self.check_count(code, 1)
            self.raw.reset(self.qubit(code.args[0]))
        elif name == "__quantum__qis__barrier__body":
            self.raw.barrier()
        elif name.startswith("__quantum__rt__") and name.endswith("_record_output"):
            self.record(code, depth)
        elif name != "__quantum__rt__initialize" and not name.startswith("llvm.dbg."):
            self.unknown(name)

    def unknown(self, name: str) -> NoReturn:
        if name.startswith("__quantum__rt__") and any(
            word in name for word in ("alloc", "release", "array", "tuple", "callable", "reference")
        ):
            self.refuse("qubits and results are not allocated here", "the base and adaptive profiles")
        if any(function.name == name for function in self.program.functions):
            self.refuse("functions of the program's own are not followed", "all in the entry point")
        self.refuse(
            f"the function {name[:60]!r} is unknown", f"__quantum__qis__ and one of {', '.join(_ROWS)}, ..."
        )

    def gate(self, name: str) -> tuple[Gate, bool] | None:
        """The row of a quantum instruction, and whether it is the inverse that is meant."""
        match = _QIS.fullmatch(name)
        row = _ROWS.get(match[1] or match[2]) if match else None
        found = None if match is None or row is None else (GATES[row], bool(match[1]) or match[3] == "adj")
        self.gates[name] = found
        return found

    def apply(self, gate: Gate, adjoint: bool, code: Code) -> None:
        self.check_count(code, gate.num_params + gate.num_qubits)
        params = [self.operand(arg).constant for arg in code.args[: gate.num_params]]
        qubits = [self.qubit(arg) for arg in code.args[gate.num_params :]]
        if any(not isinstance(value, float) for value in params):
            self.refuse("an angle depends on a measurement, or is no number", "angles are numbers")
        if adjoint:
            assert gate.inverse is not None  # of all that QIR has
            params = list(gate.inverse_params(*params)) if gate.inverse_params is not None else params
            gate = GATES[gate.inverse]
        self.raw.append(gate, qubits, params)

    def record(self, code: Code, depth: int) -> None:
        kind = code.word.removeprefix("__quantum__rt__").removesuffix("_record_output")
        self.check_count(code, 2)
        if depth:
            self.refuse("output is recorded under a condition", "output is recorded once, at the end")
        value, label = code.args
        text = self.program.strings.get(label.name, "") if isinstance(label, Global) else ""
        if kind == "result":
            self.output.result(self.result(value))
        elif kind == "bool":
            table = self.operand(value)
            if table.values != (0, 1):
                self.refuse("a recorded truth value is no measurement result", "results as they are measured")
            self.check_current(table.bits)
            self.output.result(table.bits[0][0])
        elif kind in ("array", "tuple"):
            size = self.operand(value).constant
            if not isinstance(size, int):
                self.refuse(f"the size of a recorded {kind} is no number", "a number")
            self.output.container(kind == "array", size, text)
        else:
            self.refuse(f"a recorded {kind[:20]} is no measurement result", "results, tuples and arrays")

    # ---- operands ------------------------------------------------------------------------------------

    def check_count(self, code: Code, count: int) -> None:
        if len(code.args) != count:
            self.refuse(f"a call has {len(code.args)} arguments instead of {count}", "QIR's instruction set")

    def check_current(self, bits: Sequence[Bit]) -> None:
        """A condition looks at classical bits when it is met, so they must not have changed since."""
        for result, version in bits:
            if self.versions.get(result, 0) != version:
                self.refuse(f"result {result} was measured again after it was read", "a value is used before")

    def written(self, result: int) -> None:
        """Notes that a result has a new value."""
        self.undo.append((result, self.versions.get(result, 0)))
        self.last_version += 1
        self.versions[result] = self.last_version

    def operand(self, operand: Any) -> Table:
        if isinstance(operand, Name):
            found = self.values.get(operand.name)
            if found is None:
                self.refuse(f"the value %{operand.name[:40]} is not known here", "values are defined before")
            return found
        if isinstance(operand, str):
            self.refuse(f"{operand[:20]!r} cannot be computed with", "numbers and results")
        return known(operand)

    def qubit(self, operand: Any) -> int:
        return self.place(operand, "qubit", self.num_qubits)

    def result(self, operand: Any) -> int:
        return self.place(operand, "result", self.raw.num_clbits)

    def place(self, operand: Any, what: str, count: int) -> int:
        value = operand if isinstance(operand, Address) else self.operand(operand).constant
        if not isinstance(value, Address):
            self.refuse(f"a {what} is no constant", f"inttoptr (i64 number to ptr), or null for {what} 0")
        if not 0 <= value.number < count:
            offset, code = self.at
            self.parser.fail(
                offset, f"{what} {value.number} in {code.text!r}", f"the entry point requires {count} {what}s"
            )
        return value.number

    def attempt(self, function: Any, *args: Any) -> Table:
        """A computation of values; refuses what cannot be computed."""
        try:
            table: Table = function(*args)
        except CannotCompute as problem:
            self.refuse(str(problem), "integers of results, as the adaptive profile has them")
        return table


def computed_again(bits: tuple[Bit, ...], values: tuple[Any, ...]) -> Table:
    """A part of a table as a table of its own."""
    return chosen(Table(bits, values), known(1), known(0))


def _merged(
    condition: Condition, then: tuple[Instruction, ...], otherwise: tuple[Instruction, ...]
) -> Instruction:
    """A condition; together with the one that is all it holds, where neither has another branch."""
    if not otherwise and len(then) == 1 and then[0][0] is IF and not then[0][2][2]:
        inner, then_inner, _ = then[0][2]
        if set(inner.clbits).isdisjoint(condition.clbits):
            value = condition.value | inner.value << len(condition.clbits)
            return _merged(Condition(condition.clbits + inner.clbits, value), then_inner, ())
    return (IF, qubits_of((*then, *otherwise)), (condition, then, otherwise))


__all__ = ["read_qir"]
