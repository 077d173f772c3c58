"""OpenQASM 2 and 3: a fast reader for straight-line programs with gate definitions and simple conditions.

It works on whole statements with one regular expression and remembers every operand list and parameter list
that it has seen, so that a gate costs a few microseconds. At the first statement that it has no rule for
(loops, subroutines, classical variables ...) it hands the whole program to pyqasm (qasm_full.py).
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from qrealm.base.errors import CircuitError, ParameterError, UnsupportedError
from qrealm.circuits.building import capture
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats import qasm_patterns as patterns
from qrealm.circuits.formats import qasm_timing as timing
from qrealm.circuits.formats.arithmetic import evaluate, simple
from qrealm.circuits.formats.qasm_conditions import branches, closing, read_condition
from qrealm.circuits.formats.qasm_gates import Call, Macro, expand, is_table_gate, modifiers, parameters
from qrealm.circuits.formats.qasm_registers import Handover, Registers
from qrealm.circuits.formats.qasm_text import Node, split, unclosed_comment
from qrealm.circuits.gate_rows import GPHASE
from qrealm.circuits.gates import Gate, find_gate, unknown_gate
from qrealm.circuits.operations import BARRIER, MEASURE, RESET, Condition, Instruction
from qrealm.circuits.parameters import ANGLE_MAX, ParameterExpression

NESTING_MAX = 50
"""Deepest nesting of conditions."""

INSTRUCTIONS_MAX = 50_000_000
"""Most instructions of a program: definitions and broadcasting make many of a short text."""


def read_qasm(text: str, source: str = "<text>") -> Circuit:
    """Reads OpenQASM 2 or 3.

    Args:
        text: the program.
        source: what error messages call it.

    Raises:
        SyntaxReadError: malformed; with line, column, text and rule.
        UnsupportedError: valid but not executable here.
    """
    try:
        return read_qasm_plain(text, source)
    except Handover as problem:
        from qrealm.circuits.formats.qasm_full import read_full
        return read_full(text, source, max(problem.offset, 0))


def read_qasm_plain(text: str, source: str) -> Circuit:
    """Reads what needs no pyqasm; raises Handover for the rest."""
    return _Reader(text, source).read()


class _Reader(Registers):
    """State of one reading. Everything that it has checked once, it looks up the next time."""

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text, source)
        self.version = 3
        self.inputs: set[str] = set()
        self.macros: dict[str, Macro] = {}
        self.gates: dict[str, Gate] = {}
        self.operands: dict[str, list[tuple[int, ...]]] = {}
        self.values: dict[str, tuple[Any, ...]] = {"": ()}
        self.shapes: set[tuple[Gate, int, int]] = set()
        self.opaque: set[str] = set()
        self.nested = 0
        self.named: set[int] | None = None  # qubits that a box names without an instruction

    def read(self) -> Circuit:
        start = unclosed_comment(self.text)
        if start >= 0:
            raise self.fail(start, "the comment is never closed", "every /* has its */")
        braces = patterns.BRACES.search(self.text)  # of values: only pyqasm tells them from those of blocks
        if braces is not None:
            raise Handover(braces.start())
        self.block(split(self.text, self.fail))
        self.circuit._cache.clear()
        return self.circuit

    # ---- statements ----------------------------------------------------------------------------------

    def block(self, nodes: list[Node]) -> None:
        gates, operands, values, shapes = self.gates, self.operands, self.values, self.shapes
        ops = self.circuit._ops  # the body's own list inside a condition
        match = patterns.CALL.match
        index, end = 0, len(nodes)
        while index < end:
            node = nodes[index]
            index += 1
            found = match(node[1])
            if found is not None:
                name, inside, wires = found.groups()
                gate = gates.get(name)
                if gate is not None:  # the way that almost every statement takes
                    lists = operands.get(wires)
                    params = values.get(inside or "")
                    if params is None:
                        params = self.numbers(inside)
                    if lists is not None and params is not None and len(lists) == 1 and \
                            (gate, len(lists[0]), len(params)) in shapes and node[2] is None:
                        ops.append((gate, lists[0], params))
                        continue
            try:
                index = self.statement(nodes, index - 1, found)
            except CircuitError as problem:
                raise self.fail(self.start(node), problem.message, "the rules of a circuit",
                                problem.hint) from problem
            except Handover as problem:
                problem.offset = self.start(node) if problem.offset < 0 else problem.offset
                raise

    def numbers(self, text: str) -> tuple[Any, ...] | None:
        """The values of numbers, shares of pi and expressions seen before; None for anything else."""
        found = []
        for part in text.split(","):
            known = self.values.get(part)
            if known is None:
                number = simple(part)
                if number is None or not -ANGLE_MAX <= number <= ANGLE_MAX:
                    return None
                found.append(number)
            elif len(known) == 1:
                found.append(known[0])
            else:
                return None
        return tuple(found)

    def statement(self, nodes: list[Node], index: int, found: re.Match[str] | None) -> int:
        """Executes ``nodes[index]`` and returns the index of the next one."""
        node = nodes[index]
        _, text, children = node
        word = patterns.NAME.match(text.lstrip())
        if word is None:
            if not text.strip() and children is None:
                return index + 1
            raise self.fail(self.start(node), f"cannot read {text.strip()[:60]!r}",
                            "a statement starts with a name", "")
        head = word.group()
        if head == "if":
            return self.condition(nodes, index)
        if head == "gate" and children is not None:
            self.define(node)
            return index + 1
        if children is not None and head == "box":
            self.box(node)
            return index + 1
        if children is not None:
            raise Handover
        if head in self.macros:
            self.call(node)
        elif head in ("OPENQASM", "include", "qreg", "creg", "qubit", "bit", "input"):
            self.declare(node, head)
        elif head == "opaque" and patterns.OPAQUE.match(text):
            self.opaque.add(patterns.OPAQUE.match(text).group(1))  # type: ignore[union-attr]
        elif head == "delay" and timing.DELAY_OF.match(text):
            self.delay(node)
        elif head == "nop" and self.named is not None:
            groups = self.resolve(self.start(node) + 3, text.lstrip()[3:], self.quantum)
            self.named.update(q for group in groups for q in group)
        elif head == "measure" or patterns.ASSIGN.match(text):
            self.measure(node)
        elif head in ("barrier", "reset"):
            self.plain(node, head)
        elif head in patterns.LANGUAGE:
            raise Handover
        elif patterns.MODIFIED.match(text) or found is not None:
            self.call(node)
        elif "=" in text:
            raise Handover  # arithmetic on classical variables
        else:
            raise self.fail(self.start(node), f"cannot read {text.strip()[:60]!r}",
                            "a gate is: name(parameters) operands;")
        return index + 1

    def declare(self, node: Node, head: str) -> None:
        offset, text, _ = node
        begin = self.start(node)
        if head == "OPENQASM":
            found = patterns.VERSION.match(text)
            if found is None or found.group(1) not in ("2", "3"):
                raise self.fail(begin, f"cannot read {text.strip()[:40]!r}", "OPENQASM 2.0; or OPENQASM 3.0;")
            self.version = int(found.group(1))
        elif head == "include":
            if not re.fullmatch(r"""\s*include\s*(["'])(qelib1\.inc|stdgates\.inc)\1\s*""", text):
                raise Handover
        elif head == "input":
            found = patterns.INPUT.match(text)
            if found is None:
                raise Handover
            self.inputs.add(found.group(1))
        elif head in ("qreg", "creg"):
            found = patterns.OLD_REGISTER.match(text)
            if found is None:
                raise self.fail(begin, f"cannot read {text.strip()[:60]!r}", f"{head} name[size];")
            self.register(begin, found.group(1) == "q", found.group(2), int(found.group(3)), False)
        else:
            found = patterns.REGISTER.match(text)
            if found is None:
                raise Handover  # a size that is an expression, or a classical initial value
            size = 1 if found.group(2) is None else int(found.group(2))
            self.register(begin, head == "qubit", found.group(3), size, found.group(2) is None)
            if found.group(4) is not None and head == "bit" and not found.group(4).startswith("measure"):
                self.initial(begin, found.group(4), size)
            elif found.group(4) is not None and head == "bit":
                name = found.group(3)  # placed so that what follows the = stands where it stood
                self.measure((offset + found.start(4) - len(name) - 3, f"{name} = {found.group(4)}", None))

    def measure(self, node: Node) -> None:
        offset, text, _ = node
        found = patterns.ARROW.match(text)
        if found is not None:
            wires, bits, first, second = *found.group(1, 2), found.start(1), found.start(2)
        else:
            assigned = patterns.ASSIGN.match(text)
            if assigned is None:
                if re.match(r"\s*measure\s+[^=>-]*\Z", text) and self.version == 3:
                    self.discard(node)
                    return
                raise self.fail(self.start(node), f"cannot read {text.strip()[:60]!r}",
                                "measure qubits -> bits;  or  bits = measure qubits;")
            bits, wires, second, first = *assigned.group(1, 2), assigned.start(1), assigned.start(2)
        begin = self.start(node)
        sources = self.resolve(offset + first, wires, self.quantum)
        targets = self.resolve(offset + second, bits, self.classical)
        if len(sources) != 1 or len(targets) != 1 or len(sources[0]) != len(targets[0]):
            raise self.fail(begin, "the two sides of the measurement differ in size",
                            "as many qubits as bits")
        for qubit, bit in zip(sources[0], targets[0], strict=True):
            self.circuit._special_op((MEASURE, (qubit,), (bit,)))

    def discard(self, node: Node) -> None:
        """``measure q;``: what follows must see the qubit measured, so bits of their own take the outcome."""
        rest = node[1].lstrip()[len("measure"):]
        for group in self.resolve(self.start(node) + len("measure"), rest, self.quantum):
            taken = sum(row.name.startswith("(discarded") for row in self.circuit.registers)
            bits = self.circuit.add_register(f"(discarded {taken + 1})", len(group)).clbits
            for qubit, bit in zip(group, bits, strict=True):
                self.circuit._special_op((MEASURE, (qubit,), (bit,)))

    def delay(self, node: Node) -> None:
        found = timing.DELAY_OF.match(node[1])
        if found is None:
            raise Handover
        wires: tuple[int, ...] = tuple(range(self.circuit.num_qubits))
        if found.group(3):
            groups = self.resolve(node[0] + found.start(3), found.group(3), self.quantum)
            wires = tuple(dict.fromkeys(q for group in groups for q in group))
        self.several(timing.waiting(*self.time(node, found), wires))

    def time(self, node: Node, found: re.Match[str]) -> tuple[Gate, float]:
        kind, time = timing.time_of(found.group(1), found.group(2))
        if time > ANGLE_MAX:
            raise self.fail(self.start(node), f"a time is {found.group(1)[:40]} {found.group(2)}",
                            f"at most {ANGLE_MAX:g} ns or dt")
        return kind, time

    def box(self, node: Node) -> None:
        """``box[40ns] { ... }``: its qubits begin and end together."""
        found = timing.BOX.match(node[1])
        timed = "[" in node[1]
        if found is None or (timed and found.group(1) is None):
            raise Handover  # a time that is an expression
        outer, self.named = self.named, set()
        try:
            body = capture(self.circuit, lambda: self.block(node[2] or []))
            limit = self.time(node, found) if timed else None
            self.several(timing.boxed(body, self.named, limit))
        except timing.BoxError as problem:
            raise self.fail(self.start(node), str(problem), timing.BOX_RULE, timing.BOX_HINT,
                            kind=UnsupportedError) from problem
        finally:
            self.named = outer

    def several(self, instructions: list[Instruction]) -> None:
        self.circuit._ops.extend(instructions)
        self.circuit._special += sum(not isinstance(op, Gate) for op, _, _ in instructions)

    def plain(self, node: Node, head: str) -> None:
        begin = self.start(node)
        rest = node[1].lstrip()[len(head):]
        if not rest.strip():
            wires: tuple[int, ...] = tuple(range(self.circuit.num_qubits))
            if head == "reset":
                raise self.fail(begin, "reset has no operand", "reset qubits;")
        else:
            wires = tuple(dict.fromkeys(q for group in self.resolve(begin + len(head), rest, self.quantum)
                                        for q in group))
        if head == "barrier":
            self.circuit._special_op((BARRIER, wires, ()))
        for qubit in wires if head == "reset" else ():
            self.circuit._special_op((RESET, (qubit,), ()))

    # ---- gates ---------------------------------------------------------------------------------------

    def define(self, node: Node) -> None:
        _, text, children = node
        found = patterns.GATE.match(text)
        begin = self.start(node)
        if found is None:
            raise self.fail(begin, f"cannot read {text.strip()[:60]!r}",
                            "gate name(parameters) qubits { ... }")
        formal = [p.strip() for p in (found.group(2) or "").split(",") if p.strip()]
        wires = [q.strip() for q in found.group(3).split(",")]
        names = formal + wires
        if not all(patterns.NAME.fullmatch(name) for name in names) or len(set(names)) != len(names):
            raise self.fail(begin, f"gate {found.group(1)!r} names a parameter or qubit wrongly",
                            "names differ, and are letters, digits and _")
        calls = []
        for body in children or []:
            if not body[1].strip() and body[2] is None:
                continue
            if body[2] is not None or patterns.NAME.match(body[1].lstrip()) is None or \
                    body[1].split(None, 1)[0] in ("for", "while", "if"):
                raise Handover
            if re.match(r"\s*barrier\b", body[1]):
                continue
            calls.append(self.parse_call(body, formal, {name: i for i, name in enumerate(wires)}))
        macro = Macro(found.group(1), tuple(formal), len(wires), tuple(calls))
        if is_table_gate(macro, partial(self.fail, begin)):
            return  # the definition says what the table has: keep the gate whole
        self.macros[macro.name] = macro
        self.gates.pop(macro.name, None)

    def parse_call(self, node: Node, formal: list[str] | None, local: dict[str, int] | None) -> Call:
        """A gate call; `local` gives the qubits of a definition, None means the program's registers."""
        begin = self.start(node)
        marks, rest = modifiers(node[1], partial(self.fail, begin))
        found = patterns.CALL.match(rest)
        if found is None:
            raise self.fail(begin, f"cannot read {rest.strip()[:60]!r}",
                            "a gate is: name(parameters) operands;")
        name, inside, wires = found.groups()
        if name in self.opaque and name not in self.macros:
            raise self.fail(begin, f"{name!r} is opaque: nothing says what it does", "gates are defined",
                            f"gate {name} ... {{ ... }} instead of opaque", kind=UnsupportedError)
        gate: Gate | Macro = self.macros[name] if name in self.macros else self.gate(begin, name)
        names = self.inputs if formal is None else formal
        params = parameters(inside or "", lambda part: self.value(begin, part, names))
        if local is None:
            lists = self.resolve(node[0] + found.start(3), wires, self.quantum) if wires.strip() else []
        else:
            lists = []
            for wire in wires.split(",") if wires.strip() else []:
                if wire.strip() not in local:
                    raise self.fail(begin, f"{wire.strip()[:60]!r} is not a qubit of this gate",
                                    "qubits named in its head")
                lists.append((local[wire.strip()],))
        return Call(gate, marks, params, lists)

    def gate(self, offset: int, name: str) -> Gate:
        try:
            return find_gate(name)
        except CircuitError:
            problem = unknown_gate(name)
            raise self.fail(offset, problem.message, "a gate is defined, or in the gate table",
                            problem.hint) from None

    def value(self, offset: int, text: str, names: Any) -> Any:
        try:
            return evaluate(text, names, caret_is_power=self.version == 2)
        except ParameterError as problem:
            raise self.fail(offset, problem.message, "parameters are arithmetic", problem.hint) from problem

    def call(self, node: Node) -> None:
        _, text, _ = node
        begin = self.start(node)
        call = self.parse_call(node, None, None)
        sizes = {len(group) for group in call.qubits if len(group) != 1}
        if len(sizes) > 1:
            raise self.fail(begin, f"registers of the sizes {sorted(sizes)} cannot be combined",
                            "all registers of a statement have one size")
        for turn in range(max(sizes, default=1)):
            wires = tuple(group[turn if len(group) != 1 else 0] for group in call.qubits)
            if len(set(wires)) != len(wires):
                raise self.fail(begin, f"a qubit is named twice in {text.strip()[:60]!r}",
                                "the qubits of a gate differ")
            for instruction in expand(call, call.params, wires, partial(self.fail, begin)):
                self.add(instruction)
            if len(self.circuit._ops) > INSTRUCTIONS_MAX:
                raise self.fail(begin, "the program becomes too long",
                                f"at most {INSTRUCTIONS_MAX} instructions")
        self.remember(text, call)

    def add(self, instruction: Instruction) -> None:
        gate, wires, params = instruction
        if gate is GPHASE and not wires and not self.nested:
            self.circuit.gphase(params[0])
            return
        for param in params:
            self.circuit._parameter(param) if gate.name != "unitary" else None
        self.circuit._ops.append(instruction)

    def remember(self, text: str, call: Call) -> None:
        """Lets `block` take the short way for the parts of a statement that was found to be right."""
        if call.marks or isinstance(call.gate, Macro) or any(len(group) != 1 for group in call.qubits):
            return
        found = patterns.CALL.match(text)
        if found is not None and call.qubits:
            name, inside, wires = found.groups()
            qubits = tuple(group[0] for group in call.qubits)
            self.gates[name] = call.gate
            self.operands[wires] = [qubits]
            self.values[inside or ""] = call.params
            for part, value in zip((inside or "").split(","), call.params, strict=False):
                if "(" not in (inside or "") and not isinstance(value, ParameterExpression):
                    self.values[part] = (value,)
            self.shapes.add((call.gate, len(qubits), len(call.params)))

    # ---- conditions ----------------------------------------------------------------------------------

    def condition(self, nodes: list[Node], index: int) -> int:
        offset, text, children = nodes[index]
        begin = self.start(nodes[index])
        head = patterns.IF.match(text)
        close = closing(text, head.end()) if head is not None else -1
        if head is None or close < 0:
            raise self.fail(begin, f"cannot read {text.strip()[:60]!r}", "if (condition) statement")
        tests = read_condition(text[head.end():close])
        rest = text[close + 1:]
        if tests is None or (children is not None and rest.strip()):
            raise Handover
        body: list[Node] = [(offset + close + 1, rest, None)] if children is None else children
        other: list[Node] = []
        index += 1
        if index < len(nodes) and re.match(r"\s*else\b", nodes[index][1]):
            start, words, block = nodes[index]
            rest = re.sub(r"^\s*else\b", lambda m: " " * len(m.group()), words)
            index += 1
            other = block if block is not None and not rest.strip() else [(start, rest, block)]
            if re.match(r"\s*if\b", rest):  # else if: the branches that follow are its own
                while index < len(nodes) and re.match(r"\s*else\b", nodes[index][1]):
                    other.append(nodes[index])
                    index += 1
        then, otherwise = self.capture(body), self.capture(other)
        for instruction in branches(tests, then, otherwise, partial(self.test, begin)):
            self.circuit._special_op(instruction)
        return index

    def test(self, offset: int, test: re.Match[str]) -> tuple[Condition, bool]:
        negated, name, place_, sign, number = test.groups()
        if name not in self.classical:
            if name in self.quantum or self.version == 2:
                raise self.fail(offset, f"{name!r} is not a classical register",
                                "a condition compares classical bits")
            raise Handover
        bits = self.resolve(offset, name if place_ is None else f"{name}[{place_}]", self.classical)[0]
        if sign is None and len(bits) != 1:
            raise Handover
        value = {None: 1, "true": 1, "false": 0}.get(number)
        value = int(number) if value is None else value
        if value >= 1 << len(bits):
            raise self.fail(offset, f"{name} can never be {value}",
                            f"{len(bits)} bits hold 0 to {(1 << len(bits)) - 1}")
        return Condition(bits, value), (sign != "!=") != bool(negated)

    def capture(self, nodes: list[Node]) -> tuple[Instruction, ...]:
        """The instructions of a branch, taken out of the circuit again."""
        declared = len(self.classical), len(self.quantum)
        if self.nested >= NESTING_MAX:
            raise self.fail(nodes[0][0] if nodes else 0, "conditions are nested too deeply",
                            f"at most {NESTING_MAX} levels", kind=UnsupportedError)
        self.nested += 1
        found = capture(self.circuit, lambda: self.block(nodes))
        self.nested -= 1
        if (len(self.classical), len(self.quantum)) != declared:
            raise Handover  # a declaration inside a block
        return found
