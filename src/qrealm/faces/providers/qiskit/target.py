"""What a backend can do, as Qiskit's `Target`: found by asking the reader and the backend's card, so that it
does not promise more."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, ForLoopOp, IfElseOp, Measure, Parameter, Reset, SwitchCaseOp
from qiskit.circuit.library import Initialize, MCPhaseGate, MCXGate, RXGate, UnitaryGate
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.transpiler import Target

from qrealm.base.errors import QrealmError
from qrealm.circuits import Circuit, read
from qrealm.simulate.backends import QuantumBackend
from qrealm.simulate.plan import auto
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import BackendCard
from qrealm.simulate.request import make_request

_ANGLES = (0.3, 0.5, 0.7, 1.1)
"""No gate is special at these: what takes them takes all."""

WIDTH_MAX = 64
"""A target with more qubits has no number of them: Qiskit's transpiler then keeps a circuit's width. The time
that it takes grows with the number otherwise."""


@cache
def native_gates() -> dict[str, tuple[Any, Circuit]]:
    """The gates of Qiskit's standard library that are one row of the gate table, by name: each with its
    parameters open, and a circuit of it at some angles."""
    found: dict[str, tuple[Any, Circuit]] = {}
    for name, gate in get_standard_gate_name_mapping().items():
        if name in ("measure", "reset", "delay"):
            continue
        probe = _circuit_of(gate.base_class(*_ANGLES[: len(gate.params)]))
        operations = [operation.name for operation, _, _ in probe] if probe is not None else ["unitary"]
        if probe is not None and "unitary" not in operations and len(operations) <= 1:
            found[name] = (gate, probe)
    return found


def build_target(description: str, cards: Iterable[BackendCard]) -> Target:
    """Every gate, measurement and kind of control flow that one of the backends runs as it is, on any qubits.

    Args:
        description: one line for people.
        cards: of the backends.
    """
    known = tuple(cards)
    width = max(card.qubits_max for card in known)
    target = Target(description, width if width <= WIDTH_MAX else None)
    for name, (gate, probe) in native_gates().items():
        if _runs(known, probe):
            target.add_instruction(gate, name=name)
    target.add_instruction(Delay(Parameter("t")))
    for name, (kind, source) in _other_instructions().items():
        if _runs(known, read(source)):
            target.add_instruction(kind, name=name)
    return target


def _runs(cards: Iterable[BackendCard], circuit: Circuit) -> bool:
    wants = make_request(
        circuit.num_qubits,
        shots=1,
        seed=0,
        precision=None,
        threads=None,
        return_statevector=False,
        observables=None,
        amplitudes=None,
        sampled=False,
        bit_order="little",
        backend=QuantumBackend.AUTO,
    ).wants
    facts = traits(circuit)
    return any(not auto.refusal(card, facts, wants) for card in cards)


def _circuit_of(gate: Any) -> Circuit | None:
    """A circuit of one gate; None when it cannot be read."""
    source = QuantumCircuit(max(1, gate.num_qubits))  # a global phase has none, and a run needs one
    source.append(gate, range(gate.num_qubits))
    try:
        return read(source)
    except QrealmError:
        return None


def _other_instructions() -> dict[str, tuple[Any, QuantumCircuit]]:
    """What is no gate of fixed width, by name: what a target has of it, and a circuit with it."""
    sources = {name: QuantumCircuit(4, 1) for name in ("measure", "reset", "unitary", "mcx", "mcphase")}
    sources["measure"].measure(0, 0)
    sources["reset"].h(0)
    sources["reset"].reset(0)
    sources["unitary"].unitary(RXGate(_ANGLES[0]).to_matrix(), [0])
    sources["mcx"].mcx([0, 1, 2], 3)
    sources["mcphase"].mcp(_ANGLES[0], [0, 1, 2], 3)
    sources["initialize"] = QuantumCircuit(1)
    sources["initialize"].initialize([np.cos(_ANGLES[0]), np.sin(_ANGLES[0])])
    for name in ("if_else", "switch_case"):
        source = sources[name] = QuantumCircuit(1, 1)
        source.h(0)
        source.measure(0, 0)
        if name == "if_else":
            with source.if_test((0, 1)):
                source.x(0)
        else:
            with source.switch(source.clbits[0]) as case, case(1):
                source.x(0)
    sources["for_loop"] = QuantumCircuit(1)
    with sources["for_loop"].for_loop(range(2)):
        sources["for_loop"].h(0)
    kinds = {
        "measure": Measure(),
        "reset": Reset(),
        "unitary": UnitaryGate,
        "mcx": MCXGate,
        "mcphase": MCPhaseGate,
        "initialize": Initialize,
        "if_else": IfElseOp,
        "switch_case": SwitchCaseOp,
        "for_loop": ForLoopOp,
    }
    return {name: (kind, sources[name]) for name, kind in kinds.items()}
