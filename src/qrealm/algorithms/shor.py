"""Shor's factoring (P. W. Shor, quant-ph/9508027) with Beauregard's circuit on 2n + 3 qubits
(quant-ph/0205095): one control qubit, measured 2n times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import Unpack

import numpy as np

from qrealm.algorithms.modular_arithmetic import MODULUS_MAX, controlled_modular_multiplier
from qrealm.algorithms.noisy_runs import run_noisy
from qrealm.algorithms.number_theory import is_prime, order_from_phases, prime_power
from qrealm.algorithms.options import NoisyRunOptions, check_options, check_whole
from qrealm.algorithms.phase_estimation import semiclassical_phase_circuit
from qrealm.base import limits
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.simulate.request import check_seed, draw_seed

ATTEMPTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class ShorAttempt:
    """One base, and what its order told.

    Attributes:
        base: a, without common divisor with the number.
        phases: distinct outcomes y of order finding; y/2^(2n) is close to a multiple of 1/order.
        order: the order r of the base, None when the phases did not tell it.
        factors: the two factors, None when there was no order, or it was odd, or a^(r/2) was -1.
    """

    base: int
    phases: tuple[int, ...]
    order: int | None
    factors: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class ShorResult:
    """What came of factoring a number.

    Attributes:
        number: what was to be factored.
        factors: two factors above 1, the smaller one first; None when all attempts failed.
        base, order: of the attempt that gave the factors, or of the last one.
        attempts: all of them, in order.
        num_qubits: 2n + 3, n the length of the number in bits.
        circuit: of the last attempt.
        execution_time: seconds.
    """

    number: int
    factors: tuple[int, int] | None
    base: int
    order: int | None
    attempts: tuple[ShorAttempt, ...]
    num_qubits: int
    circuit: Circuit
    execution_time: float


def order_finding_circuit(base: int, modulus: int) -> Circuit:
    """Phase estimation of multiplication by `base` modulo `modulus`, to 2n bits, on 2n + 3 qubits.

    Qubit 0 is the control, qubits 1 to n start as the number 1, the others are Beauregard's n + 2 ancillas.

    Raises:
        RequestError: the base shares a divisor with the modulus, or is not below it.
    """
    modulus = check_whole("modulus", modulus, 3, MODULUS_MAX)
    base = check_whole("base", base, 2, modulus - 1)
    size = modulus.bit_length()
    start = Circuit(2 * size + 3, 2 * size, name=f"order of {base} mod {modulus}").x(1)
    return semiclassical_phase_circuit(
        start,
        2 * size,
        lambda exponent: controlled_modular_multiplier(pow(base, 1 << exponent, modulus), modulus),
    )


def run_shor(
    number: int,
    *,
    base: int | None = None,
    attempts_max: int = 10,
    shots: int = 4,
    seed: int | None = None,
    **options: Unpack[NoisyRunOptions],
) -> ShorResult:
    """Factor an odd number that is no power of a prime.

    Bases are drawn among those without common divisor with the number, so that the order and not a lucky
    guess gives the factors.

    Args:
        number: 15, 21, 33, 35, 39, ...
        base: the base of all attempts, which then end with its order; drawn for each when None.
        attempts_max: bases tried before giving up.
        shots: order-finding outcomes for each base.
        seed: the same seed gives the same attempts.
        options: precision, threads, backend and noise, as for `qrealm.run`.

    Raises:
        RequestError: the number is even, prime or a power of a prime, or the base shares a divisor with it.
        TooLargeError: 2n + 3 qubits do not fit in memory.
    """
    check_options(run_shor, options, NoisyRunOptions)
    begun = perf_counter()
    number = _checked(number)
    check_whole("attempts_max", attempts_max, 1, ATTEMPTS_MAX)
    check_whole("shots", shots, 1, limits.SHOTS_MAX)
    if base is not None:
        base = check_whole("base", base, 2, number - 1)
        if (common := math.gcd(base, number)) > 1:
            raise RequestError(f"base {base} shares the divisor {common} with {number}, which factors it")
    generator = np.random.default_rng(draw_seed() if seed is None else check_seed(seed))
    attempts: list[ShorAttempt] = []
    while True:
        chosen = base if base is not None else _draw_base(number, generator)
        circuit = order_finding_circuit(chosen, number)
        result = run_noisy(circuit, shots, int(generator.integers(1 << 63)), **options)
        attempts.append(_judge(chosen, number, result.outcomes[0]))
        last = attempts[-1]
        told_all = base is not None and last.order is not None  # the same base has the same order again
        if last.factors is not None or told_all or len(attempts) == attempts_max:
            return ShorResult(
                number=number,
                factors=last.factors,
                base=last.base,
                order=last.order,
                attempts=tuple(attempts),
                num_qubits=circuit.num_qubits,
                circuit=circuit,
                execution_time=perf_counter() - begun,
            )


def _judge(base: int, number: int, phases: list[int]) -> ShorAttempt:
    """What the measured phases tell about the number."""
    order = order_from_phases(base, number, phases, 2 * number.bit_length())
    factors = None
    if order is not None and order % 2 == 0:
        root = pow(base, order // 2, number)  # a square root of 1
        if root != number - 1:
            divisor = math.gcd(root - 1, number)
            factors = (min(divisor, number // divisor), max(divisor, number // divisor))
    return ShorAttempt(base, tuple(phases), order, factors)


def _draw_base(number: int, generator: np.random.Generator) -> int:
    while True:
        base = int(generator.integers(2, number - 1))
        if math.gcd(base, number) == 1:
            return base


def _checked(number: int) -> int:
    """A number that the algorithm can factor."""
    whole = check_whole("number", number, 2, MODULUS_MAX)
    rule = "Shor's algorithm factors odd numbers that are no power of a prime"
    if is_prime(whole):
        raise RequestError(f"{whole} is prime; {rule}")
    if whole % 2 == 0:
        raise RequestError(f"{whole} is even; {rule}", hint=f"divide by 2: {whole} = 2 * {whole // 2}")
    power = prime_power(whole)
    if power is not None:
        raise RequestError(f"{whole} is {power[0]}^{power[1]}; {rule}")
    return whole
