"""What a QIR program records as its output, as classical bits and registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from qrealm.circuits.circuit import Circuit


@dataclass(slots=True)
class Group:
    """A recorded array: how many items it has, its label, and the results among them."""

    size: int
    label: str
    results: list[int] = field(default_factory=list)


class Output:
    """Collects the calls that record output, in their order.

    Args:
        refuse: raises the error for a program that records what classical bits cannot be: (why, rule).
    """

    def __init__(self, refuse: Callable[[str, str], object]) -> None:
        self.refuse = refuse
        self.alone: list[int] = []
        self.groups: list[Group] = []
        self.open: Group | None = None
        self.seen: set[int] = set()

    def container(self, array: bool, size: int, label: str) -> None:
        """A tuple or an array begins. One that has containers as items has no results, and is left out."""
        self.open = Group(size, label) if array else None
        if self.open is not None:
            self.groups.append(self.open)

    def result(self, result: int) -> None:
        """A result: of the array that is not full yet, or alone."""
        if result in self.seen:
            self.refuse(f"result {result} is recorded twice", "every result is recorded at most once")
        self.seen.add(result)
        if self.open is not None and len(self.open.results) < self.open.size:
            self.open.results.append(result)
        else:
            self.alone.append(result)

    def arranged(self, circuit: Circuit) -> Circuit:
        """The circuit with classical bits in the order of the output, and arrays as registers."""
        groups = [group for group in self.groups if group.results or group.size == 0]
        grouped = {result for group in groups for result in group.results}
        loose = [*self.alone, *(r for r in range(circuit.num_clbits) if r not in self.seen)]
        if not groups and loose == list(range(circuit.num_clbits)):
            return circuit
        found = Circuit(circuit.num_qubits, circuit.num_clbits - len(grouped))
        places = {result: place for place, result in enumerate(loose)}
        for group in groups:
            register = found.add_register(self.name_for(group.label, found), len(group.results))
            places.update(zip(group.results, register.clbits, strict=True))
        clbits = [places[result] for result in range(circuit.num_clbits)]
        return found.compose(circuit, clbits=clbits)

    def name_for(self, label: str, circuit: Circuit) -> str:
        """The label, or c; changed where another register has it."""
        taken = {register.name for register in circuit.registers}
        base = name = label or "c"
        number = 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        return name


__all__ = ["Output"]
