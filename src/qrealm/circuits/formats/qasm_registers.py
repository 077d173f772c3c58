"""The registers of an OpenQASM program, and what stands for their qubits and bits in statements."""

from __future__ import annotations

import re

from qrealm.base.errors import ReadError, SyntaxReadError, UnsupportedError
from qrealm.circuits.circuit import CLBITS_MAX, QUBITS_MAX, Circuit
from qrealm.circuits.formats import qasm_patterns as patterns
from qrealm.circuits.formats.qasm_text import Node, blank_comments, place


class Handover(Exception):
    """The fast reader has no rule for a statement, which starts at `offset`. Inside this package only."""

    def __init__(self, offset: int = -1) -> None:
        super().__init__()
        self.offset = offset


class Registers:
    """The text under reading, the circuit that it becomes, and the names declared so far."""

    def __init__(self, text: str, source: str) -> None:
        self.original = text
        self.source = source
        self.text = blank_comments(text)
        self.circuit = Circuit(0, 0)
        self.quantum: dict[str, tuple[int, int]] = {}  # name -> first qubit, size
        self.classical: dict[str, tuple[int, int]] = {}
        self.single: set[str] = set()  # declared without a size: `qubit a;`
        self.physical = False  # qubits are $0, $1 ... and none is declared

    def fail(
        self,
        offset: int,
        message: str,
        rule: str = "",
        hint: str = "",
        *,
        kind: type[ReadError] = SyntaxReadError,
    ) -> ReadError:
        """The error for the character at `offset`."""
        line, column, text = place(self.original, offset)
        return kind(
            message,
            source=self.source,
            line=line,
            column=column,
            text=text,
            rule=rule or "the grammar of OpenQASM",
            hint=hint,
        )

    def start(self, node: Node) -> int:
        return node[0] + len(node[1]) - len(node[1].lstrip())

    def initial(self, offset: int, text: str, size: int) -> None:
        """Bits start as 0 in a circuit, so that is the only value that they can be given."""
        found = patterns.INITIAL.match(text)
        if found is None:
            raise Handover
        bits = (found.group(2) or found.group(3) or "").replace("_", "")
        if found.group(2) is not None and len(bits) != size:
            raise self.fail(
                offset, f"{len(bits)} bits are given to a register of {size}", "as many bits as it has"
            )
        if "1" in bits or found.group(4) == "true":
            raise self.fail(
                offset,
                "a bit starts with another value than 0",
                "bits start as 0 here",
                "measure a qubit that is 1 into it",
                kind=UnsupportedError,
            )

    def register(self, offset: int, quantum: bool, name: str, size: int, single: bool) -> None:
        if name in self.quantum or name in self.classical:
            raise self.fail(offset, f"the name {name!r} is declared twice", "a name is declared once")
        circuit = self.circuit
        limit = QUBITS_MAX - circuit.num_qubits if quantum else CLBITS_MAX - circuit.num_clbits
        if not 1 <= size <= limit:
            raise self.fail(offset, f"the register {name!r} has size {size}", f"a size from 1 to {limit}")
        if quantum and self.physical:
            raise self.fail(offset, f"{name!r} is declared next to physical qubits", "either of the two")
        if quantum:
            self.quantum[name] = (circuit.num_qubits, size)
            circuit.num_qubits += size
        else:
            self.classical[name] = (circuit.add_register(name, size).start, size)
        if single:
            self.single.add(name)

    def resolve(self, offset: int, text: str, table: dict[str, tuple[int, int]]) -> list[tuple[int, ...]]:
        """For each operand, its qubits or bits: one, or all of a register."""
        resolved: list[tuple[int, ...]] = []
        for part in text.split(","):
            begin = offset + len(part) - len(part.lstrip())
            offset += len(part) + 1
            found = patterns.OPERAND.match(part)
            if found is None:
                if re.search(r"[$:+*/-]|\[[^\]]*[A-Za-z]", part):
                    raise Handover  # a slice, a computed index or a hardware qubit
                raise self.fail(
                    begin,
                    f"cannot read the operand {part.strip()[:60]!r}",
                    "name or name[index], separated by commas, closed by ;",
                )
            name, index = found.groups()
            if name[0] == "$" and index is None and table is self.quantum:
                resolved.append((self.hardware(begin, int(name[1:])),))
                continue
            if name not in table:
                if name in self.quantum or name in self.classical:
                    kind = "qubits" if table is self.quantum else "classical bits"
                    raise self.fail(begin, f"{name!r} cannot stand here", f"{kind} are wanted")
                raise self.fail(
                    begin,
                    f"{name!r} is not declared",
                    "a register is declared before it is used",
                    f"declared: {', '.join(table) or 'none'}",
                )
            start, size = table[name]
            if index is None:
                resolved.append(tuple(range(start, start + size)))
            elif len(index) > 9 or int(index) >= size:
                raise self.fail(
                    begin, f"{name}[{index[:20]}] is out of range", f"{name} has the indices 0 to {size - 1}"
                )
            else:
                resolved.append((start + int(index),))
        return resolved

    def hardware(self, offset: int, number: int) -> int:
        """The physical qubit ``$number``: the qubit of that number, in a circuit just wide enough."""
        if self.quantum:
            raise self.fail(
                offset,
                f"the physical qubit ${number} stands next to declared ones",
                "either of the two",
                kind=UnsupportedError,
            )
        if number >= QUBITS_MAX:
            raise self.fail(offset, f"there is no qubit ${number}", f"$0 to ${QUBITS_MAX - 1}")
        self.physical = True
        self.circuit.num_qubits = max(self.circuit.num_qubits, number + 1)
        return number
