"""What a sample of compared bits says: bounds on an error rate, chances of errors, length of a secret key."""

from __future__ import annotations

import math

import numpy as np

SECRECY_EPSILON = 1e-10
"""Greatest distance of the key from a perfect one, seen by a listener with all the information there is."""


def binary_entropy(share: float) -> float:
    """h(p) = -p log2 p - (1-p) log2 (1-p), in bits; 0 at both ends."""
    if share <= 0.0 or share >= 1.0:
        return 0.0
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)


def chance_of_errors(errors: int, compared: int, rate: float) -> float:
    """Probability of at least `errors` among `compared` independent bits, each wrong with probability `rate`.

    The tail of the binomial distribution, summed exactly up to rounding.
    """
    if errors <= 0:
        return 1.0
    if errors > compared or rate <= 0.0:
        return 0.0
    if rate >= 1.0:
        return 1.0
    first = (
        math.lgamma(compared + 1)
        - math.lgamma(errors + 1)
        - math.lgamma(compared - errors + 1)
        + errors * math.log(rate)
        + (compared - errors) * math.log1p(-rate)
    )
    counts = np.arange(errors, compared, dtype=np.float64)
    steps = np.log(compared - counts) - np.log(counts + 1) + math.log(rate) - math.log1p(-rate)
    logs = first + np.concatenate(([0.0], np.cumsum(steps)))
    top = float(logs.max())
    if top < -745.0:
        return 0.0
    return min(1.0, math.exp(top) * float(np.exp(logs - top).sum()))


def sampling_margin(kept: int, compared: int, epsilon: float = SECRECY_EPSILON) -> float:
    """μ: how far the error rate of `kept` bits may be above that of `compared` ones that were drawn at
    random.

    μ = sqrt((n + k)/(nk) · (k + 1)/k · ln(4/ε)) with n kept and k compared bits. Source: Tomamichel, Lim,
    Gisin, Renner, Nature Communications 3, 634 (2012); it rests on Serfling's inequality. 1 where there are
    no bits to tell.
    """
    if kept < 1 or compared < 1:
        return 1.0
    inside = (kept + compared) / (kept * compared) * (compared + 1) / compared * math.log(4 / epsilon)
    return min(1.0, math.sqrt(inside))


def secret_length(kept: int, rate_bound: float, leaked_bits: int, epsilon: float = SECRECY_EPSILON) -> int:
    """Bits of secret key that `kept` bits give; 0 when there are none.

    l = n (1 - h(Q + μ)) - leak - log2(2/ε²), rounded down. Q + μ is `rate_bound`, the bound on the error
    rate of the *other* basis. `leaked_bits` counts what error correction disclosed and the verification's
    hash: in the source's formula the latter is log2(1/ε_cor). Source: as of `sampling_margin`.
    """
    if rate_bound >= 0.5:
        return 0
    length = kept * (1 - binary_entropy(rate_bound)) - leaked_bits - math.log2(2 / epsilon**2)
    return max(0, math.floor(length))
