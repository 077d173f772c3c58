"""Shor's algorithm: the arithmetic on every input, orders and factors against plain number theory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.algorithms.fourier import qft_circuit
from qrealm.algorithms.modular_arithmetic import controlled_modular_multiplier, fourier_adder, modular_adder
from qrealm.algorithms.number_theory import convergents, is_prime, order_from_phases, prime_power
from qrealm.algorithms.phase_estimation import outcome_distribution
from qrealm.algorithms.shor import order_finding_circuit, run_shor
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.simulate.run import run


def outcome(circuit, value):
    """The basis state that a circuit makes of another, which must be certain."""
    ones = [q for q in range(circuit.num_qubits) if value >> q & 1]
    started = Circuit(circuit.num_qubits).x(ones).compose(circuit)
    state = run(started, 0, return_statevector=True).statevector
    found = int(np.abs(state).argmax())
    assert abs(state[found] - 1) < 1e-9  # no phase is left either
    return found


def order(base, modulus):
    return next(r for r in range(1, modulus) if pow(base, r, modulus) == 1)


@pytest.mark.parametrize("addend", [0, 1, 5, 15, -3])
def test_adder(addend):
    circuit = qft_circuit(4, swaps=False)
    circuit.compose(fourier_adder(4, addend)).compose(qft_circuit(4, swaps=False).inverse())
    for value in range(16):
        assert outcome(circuit, value) == (value + addend) % 16


@pytest.mark.parametrize("addend, modulus", [(0, 5), (3, 5), (4, 5), (6, 7)])
def test_modular_adder_on_every_input(addend, modulus):
    width = modulus.bit_length() + 1
    transform = qft_circuit(width, swaps=False)
    circuit = Circuit(3 + width)
    circuit.compose(transform, range(2, 2 + width)).compose(modular_adder(addend, modulus))
    circuit.compose(transform.inverse(), range(2, 2 + width))
    for controls in range(4):
        for value in range(modulus):
            expected = (value + addend) % modulus if controls == 3 else value
            assert outcome(circuit, controls | value << 2) == controls | expected << 2


@pytest.mark.parametrize("factor, modulus", [(2, 5), (4, 7), (7, 15), (1, 7)])
def test_multiplier_on_every_input(factor, modulus):
    circuit = controlled_modular_multiplier(factor, modulus)
    assert circuit.num_qubits == 2 * modulus.bit_length() + 3
    for control in range(2):
        for value in range(modulus):
            expected = factor * value % modulus if control else value
            assert outcome(circuit, control | value << 1) == control | expected << 1


def test_multiplier_needs_an_inverse():
    with pytest.raises(RequestError, match="share the divisor 3"):
        controlled_modular_multiplier(6, 15)


def test_order_finding_draws_from_the_distribution_of_phase_estimation():
    """|1> is the even sum of the eigenstates with phases s/r: outcomes are the mean of r distributions."""
    modulus, base, shots = 9, 2, 2000
    r, bits = order(base, modulus), 8
    expected = sum(outcome_distribution(s / r, bits) for s in range(r)) / r * shots
    result = run(order_finding_circuit(base, modulus), shots, seed=3)
    counts = np.zeros(1 << bits)
    for value, count in zip(*result.outcomes, strict=True):
        counts[value] = count
    often = expected >= 5
    cells = np.append(expected[often], expected[~often].sum())
    seen = np.append(counts[often], counts[~often].sum())
    chi_squared = ((seen - cells) ** 2 / cells).sum()
    freedom = len(cells) - 1
    assert chi_squared < freedom + 5 * math.sqrt(2 * freedom)  # 5 standard deviations


@pytest.mark.parametrize("number", [15, 21, pytest.param(33, marks=pytest.mark.slow), 35])
def test_factors(number):
    found = run_shor(number, seed=1)
    assert found.factors is not None
    small, large = found.factors
    assert small * large == number
    assert 1 < small <= large
    assert found.order == order(found.base, number)
    assert found.num_qubits == 2 * number.bit_length() + 3
    for attempt in found.attempts:
        assert math.gcd(attempt.base, number) == 1
        assert attempt.order in (None, order(attempt.base, number))
    assert found.attempts[-1].factors == found.factors
    again = run_shor(number, seed=1)
    assert again.attempts == found.attempts


def test_a_hopeless_base_gives_no_factors():
    found = run_shor(15, base=14, attempts_max=200, shots=1, seed=3)  # 14 = -1 has order 2, and 14^1 = -1
    assert found.factors is None
    assert [attempt.order for attempt in found.attempts] == [None] * (len(found.attempts) - 1) + [2]
    assert len(found.attempts) < 40  # each tells the order with probability 1/2


def test_chosen_base():
    found = run_shor(15, base=7, shots=8, seed=1)
    assert (found.base, found.order, found.factors) == (7, 4, (3, 5))


@pytest.mark.parametrize(
    "number, fault",
    [
        (22, "is even"),
        (13, "is prime"),
        (2, "is prime"),
        (27, "27 is 3\\^3"),
        (25, "25 is 5\\^2"),
        (1, "number is 1"),
        (15.5, "integer"),
    ],
)
def test_refuses_numbers(number, fault):
    with pytest.raises(RequestError, match=fault):
        run_shor(number)


def test_refuses_bases():
    with pytest.raises(RequestError, match="shares the divisor 5"):
        run_shor(15, base=10)
    with pytest.raises(RequestError, match="base is 15"):
        run_shor(15, base=15)


def test_number_theory():
    assert [n for n in range(2, 40) if is_prime(n)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]
    assert not is_prime(1)
    assert prime_power(125) == (5, 3)
    assert prime_power(45) is None
    assert list(convergents(415, 93))[-1] == (415, 93)
    assert list(convergents(415, 93))[:3] == [(4, 1), (9, 2), (58, 13)]
    # Order 6 of 2 modulo 9 from phases 1/2 and 2/3 together: neither tells it alone.
    assert order_from_phases(2, 9, [128], 8) is None
    assert order_from_phases(2, 9, [171], 8) is None
    assert order_from_phases(2, 9, [128, 171], 8) == 6
