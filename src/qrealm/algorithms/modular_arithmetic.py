"""Arithmetic in Fourier space (T. Draper, quant-ph/0008033), and modular multiplication from it
(S. Beauregard, quant-ph/0205095)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qrealm.algorithms.fourier import qft_circuit
from qrealm.algorithms.options import check_whole
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit

MODULUS_MAX = (1 << 24) - 1
"""Beyond this a single multiplication has millions of gates."""


def fourier_adder(num_qubits: int, addend: int, num_controls: int = 0) -> Circuit:
    """Adds `addend` modulo 2^n to a number whose Fourier transform (without swaps) the qubits hold.

    The controls come first. A negative `addend` subtracts.

    Raises:
        RequestError: `num_qubits` is not positive, or `num_controls` is negative.
    """
    width = check_whole("num_qubits", num_qubits, 1, 4096)
    controls = tuple(range(check_whole("num_controls", num_controls, 0, 4096)))
    circuit = Circuit(len(controls) + width, name=f"add {addend}")
    for bit in range(width):
        turns = addend % (1 << (bit + 1))  # in units of 2^-(bit + 1) of a turn
        if turns:
            angle = 2 * math.pi * turns / (1 << (bit + 1))
            circuit.append("p", (len(controls) + bit,), (angle,), controls=controls)
    return circuit


def modular_adder(addend: int, modulus: int) -> Circuit:
    """Adds `addend` modulo `modulus` to a number below it, under two controls (Beauregard, figure 5).

    Qubits: two controls; n + 1 qubits with the Fourier transform of the number, where n is the modulus's
    length in bits; one ancilla, which starts and ends in |0>.

    Raises:
        RequestError: not 0 <= addend < modulus.
    """
    modulus = check_whole("modulus", modulus, 2, MODULUS_MAX)
    addend = check_whole("addend", addend, 0, modulus - 1)
    width = modulus.bit_length() + 1
    number = range(2, 2 + width)
    top, ancilla = number[-1], 2 + width
    add = fourier_adder(width, addend, 2)
    subtract = add.inverse()
    both = (0, 1, *number)
    forward = qft_circuit(width, swaps=False)
    back = forward.inverse()

    circuit = Circuit(3 + width, name=f"add {addend} mod {modulus}")
    circuit.compose(add, both).compose(fourier_adder(width, -modulus), number)
    # The top bit is now 1 where the sum was below the modulus: there the modulus is added again.
    circuit.compose(back, number).cx(top, ancilla).compose(forward, number)
    circuit.compose(fourier_adder(width, modulus, 1), (ancilla, *number))
    # The ancilla is told apart from the result: the sum is at least `addend` unless the modulus came off.
    circuit.compose(subtract, both).compose(back, number)
    circuit.x(top).cx(top, ancilla).x(top)
    return circuit.compose(forward, number).compose(add, both)


def controlled_modular_multiplier(factor: int, modulus: int) -> Circuit:
    """|x> becomes |factor x mod modulus> for x below the modulus, when the control is 1 (figure 7).

    Qubits: the control; n with x; n + 1 and an ancilla that start and end in |0>: 2n + 3 in all.

    Raises:
        RequestError: the factor shares a divisor with the modulus, so that nothing undoes the
            multiplication.
    """
    modulus = check_whole("modulus", modulus, 2, MODULUS_MAX)
    factor = check_whole("factor", factor, 1, modulus - 1)
    if math.gcd(factor, modulus) != 1:
        raise RequestError(
            f"factor {factor} and modulus {modulus} share the divisor {math.gcd(factor, modulus)}; "
            "the rule is none but 1"
        )
    size = modulus.bit_length()
    x, total, ancilla = range(1, 1 + size), range(1 + size, 2 + 2 * size), 2 + 2 * size
    circuit = Circuit(2 * size + 3, name=f"times {factor} mod {modulus}")
    _add_product(circuit, factor, modulus, x, total, ancilla)
    for left, right in zip(x, total, strict=False):
        circuit.cswap(0, left, right)
    undo = Circuit(circuit.num_qubits)
    _add_product(undo, pow(factor, -1, modulus), modulus, x, total, ancilla)
    return circuit.compose(undo.inverse())


def _add_product(
    circuit: Circuit, factor: int, modulus: int, x: Sequence[int], total: Sequence[int], ancilla: int
) -> None:
    """total += factor x mod modulus under qubit 0 (figure 6)."""
    transform = qft_circuit(len(total), swaps=False)
    circuit.compose(transform, total)
    for bit, qubit in enumerate(x):
        addend = (factor << bit) % modulus
        circuit.compose(modular_adder(addend, modulus), (0, qubit, *total, ancilla))
    circuit.compose(transform.inverse(), total)
