"""The classical half of Shor's algorithm: which numbers it can factor, and orders from measured phases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator


def is_prime(number: int) -> bool:
    """Whether a number is prime, by trial division."""
    return number >= 2 and smallest_divisor(number) == number


def smallest_divisor(number: int) -> int:
    """The smallest divisor above 1 of a number from 2."""
    return next((d for d in range(2, math.isqrt(number) + 1) if number % d == 0), number)


def prime_power(number: int) -> tuple[int, int] | None:
    """(prime p, exponent k) when the number is p^k with k >= 1, else None."""
    prime, exponent = smallest_divisor(number), 0
    while number % prime == 0:
        number //= prime
        exponent += 1
    return (prime, exponent) if number == 1 else None


def convergents(numerator: int, denominator: int) -> Iterator[tuple[int, int]]:
    """The convergents (p, q) of the continued fraction of numerator/denominator, the simplest first."""
    p, p_before, q, q_before = 1, 0, 0, 1
    while denominator:
        whole, rest = divmod(numerator, denominator)
        p, p_before = whole * p + p_before, p
        q, q_before = whole * q + q_before, q
        yield p, q
        numerator, denominator = denominator, rest


def order_from_phases(base: int, modulus: int, phases: Iterable[int], num_bits: int) -> int | None:
    """The order of `base` modulo `modulus`, from measured multiples y/2^m of 1/order; None when none tells.

    A phase s/r with s and r without common divisor has r among the denominators of its convergents; otherwise
    a divisor of r is. So the least common multiples of denominators are tried too.
    """
    known = {1}
    for phase in phases:
        found = {q for _, q in convergents(phase, 1 << num_bits) if q < modulus}
        known |= {both for one in known for other in found if (both := math.lcm(one, other)) < modulus}
    order = next((r for r in sorted(known) if pow(base, r, modulus) == 1), None)
    if order is None:
        return None
    return next(r for r in range(1, order + 1) if order % r == 0 and pow(base, r, modulus) == 1)
