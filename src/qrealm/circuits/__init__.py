"""Circuits: the gate table, the builder, observables, readers and writers. Pure: it runs nothing."""

from qrealm.circuits.circuit import Circuit
from qrealm.circuits.observables import PauliSum
from qrealm.circuits.pack import PackedCircuit, PackedTemplate
from qrealm.circuits.parameters import Parameter, ParameterExpression
from qrealm.circuits.read import read

__all__ = [
    "Circuit",
    "PackedCircuit",
    "PackedTemplate",
    "Parameter",
    "ParameterExpression",
    "PauliSum",
    "read",
]
